//! One JSON-RPC of the L2. Nothing it says is believed beyond its shape: [`super::quorum`] compares.

use clustercast_primitives::{
	bridge::{attestation::VAULT, Attestation},
	crypto::keccak256,
	BlockNumber, EthereumAddress, Hash,
};
use jsonrpsee::{
	core::{
		client::{ClientT, Error as ClientError},
		traits::ToRpcParams,
	},
	rpc_params,
};
use jsonrpsee_http_client::{HttpClient, HttpClientBuilder};
use serde::{de::DeserializeOwned, Deserialize};
use std::time::Duration;

/// How long an answer may take. A block's time of the L2 at most would be too hard on a far node.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Largest answer: a block of the L2 with the hashes of ten thousand transactions has 700 kB.
const MAX_RESPONSE_BYTES: u32 = 2 * 1024 * 1024;

/// Why a URL cannot be used. The URL is not repeated: it may hold a key.
#[derive(Debug, thiserror::Error)]
#[error("URL number {number} is no http:// or https:// URL")]
pub struct UrlError {
	/// From 1.
	pub number: usize,
}

/// Why an endpoint has no answer that counts.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
	#[error("{method}: {error}")]
	Unreachable { method: &'static str, error: String },
	#[error("it refuses {method} with code {code}")]
	Refused { method: &'static str, code: i32 },
	#[error("it serves chain {found}, the bridge is on chain {expected}")]
	WrongChain { expected: u32, found: u64 },
	#[error("it has no block {0}")]
	NoBlock(String),
	#[error("it answers with block {found} for block {asked}")]
	OtherBlock { asked: u64, found: u64 },
	#[error("the vault answers as no vault does: is it deployed at {0}?")]
	NoVault(EthereumAddress),
	#[error("the vault's state makes no sense: {count} deposits, the last in block {last}, in block {block}")]
	BadState { count: u64, last: u64, block: u64 },
	#[error("the vault's deposits are others in block {block} than later, and none came in between")]
	Rewritten { block: u64 },
}

/// Where the bridge is on the L2.
#[derive(Clone, Copy, Debug)]
pub struct Place {
	pub chain_id: u32,
	pub vault: EthereumAddress,
	pub interval: u32,
}

/// What a block's header says, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct Header {
	number: Quantity,
	hash: Hash,
}

/// JSON-RPC's way to write an integer: `0x` and hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Quantity(u64);

impl TryFrom<String> for Quantity {
	type Error = &'static str;

	fn try_from(text: String) -> Result<Self, Self::Error> {
		const WRONG: &str = "not an integer of 64 bits in hexadecimal";
		let digits = text.strip_prefix("0x").ok_or(WRONG)?;
		if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
			return Err(WRONG);
		}
		u64::from_str_radix(digits, 16).map(Self).map_err(|_| WRONG)
	}
}

/// The vault at a block: its `state()`, `(uint64 count, bytes32 root, uint32 lightClientBlock)`, words of 32 bytes,
/// big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct VaultState {
	count: u64,
	root: Hash,
	light_client_block: BlockNumber,
}

impl VaultState {
	/// `None` where the answer has another shape.
	fn decode(state: &[u8]) -> Option<Self> {
		let ([count, root, light_client_block], []) = state.as_chunks::<32>() else {
			return None;
		};
		Some(Self {
			count: small(count)?,
			root: Hash(*root),
			light_client_block: small(light_client_block)?.try_into().ok()?,
		})
	}

	/// Block of the newest of so many deposits, from `deposits()`: `(uint64 count, uint64 lastBlock, uint128 total)`. `None`
	/// where the answer has another shape, or another count.
	fn last(&self, deposits: &[u8]) -> Option<u64> {
		let ([count, last, _total], []) = deposits.as_chunks::<32>() else {
			return None;
		};
		(small(count)? == self.count).then_some(())?;
		small(last)
	}
}

/// A word that fits in 64 bits.
fn small(word: &[u8; 32]) -> Option<u64> {
	let (high, low) = word.split_at(24);
	high.iter().all(|b| *b == 0).then_some(())?;
	low.try_into().ok().map(u64::from_be_bytes)
}

/// A node of the L2.
pub struct Endpoint {
	client: HttpClient,
}

impl Endpoint {
	/// The URL that stands at this place, from 1. Does not connect yet.
	pub fn new(number: usize, url: &str) -> Result<Self, UrlError> {
		let client = HttpClientBuilder::new()
			.request_timeout(REQUEST_TIMEOUT)
			.max_response_size(MAX_RESPONSE_BYTES)
			.build(url)
			.map_err(|_| UrlError { number })?;
		Ok(Self { client })
	}

	/// Number of the newest final block.
	pub async fn finalised(&self) -> Result<u64, EndpointError> {
		self.header("finalized").await.map(|header| header.number.0)
	}

	/// What this endpoint would have attested when block `checkpoint` is final; `None` as long as nobody deposited.
	pub async fn statement(&self, place: &Place, checkpoint: u64) -> Result<Option<Attestation>, EndpointError> {
		let Quantity(found) = self.request("eth_chainId", rpc_params![]).await?;
		let expected = place.chain_id;
		if found != u64::from(expected) {
			return Err(EndpointError::WrongChain { expected, found });
		}
		let mut block = self.block(checkpoint).await?;
		let mut state = self.state(place, &block).await?;
		if state.count == 0 {
			return Ok(None);
		}
		let deposits = self.view(place, "deposits()", &block).await?;
		let last = state.last(&deposits).ok_or(EndpointError::NoVault(place.vault))?;
		let senseless = EndpointError::BadState {
			count: state.count,
			last,
			block: checkpoint,
		};
		// The checkpoint is a multiple itself, so what follows the last deposit is not behind it.
		let behind = last.checked_next_multiple_of(place.interval.into());
		let l2_block = behind.filter(|block| *block <= checkpoint).ok_or(senseless)?;
		if l2_block != checkpoint {
			// Of the same deposits; the light client may have come further since.
			let newest = state;
			block = self.block(l2_block).await?;
			state = self.state(place, &block).await?;
			if (state.count, state.root) != (newest.count, newest.root) {
				return Err(EndpointError::Rewritten { block: l2_block });
			}
		}
		Ok(Some(Attestation {
			l2: place.chain_id,
			kind: VAULT,
			l2_block,
			l2_hash: block.hash,
			root: state.root,
			count: state.count,
			light_client_block: state.light_client_block,
		}))
	}

	async fn state(&self, place: &Place, block: &Header) -> Result<VaultState, EndpointError> {
		let state = self.view(place, "state()", block).await?;
		VaultState::decode(&state).ok_or(EndpointError::NoVault(place.vault))
	}

	/// What a function of the vault without arguments returns at a block.
	async fn view(&self, place: &Place, signature: &str, block: &Header) -> Result<Vec<u8>, EndpointError> {
		let selector = &keccak256(&[signature.as_bytes()]).0[..4];
		let call = serde_json::json!({
			"to": place.vault,
			"data": sp_core::bytes::to_hex(selector, false),
		});
		let at = serde_json::json!({ "blockHash": block.hash, "requireCanonical": true });
		let answer: sp_core::Bytes = self.request("eth_call", rpc_params![call, at]).await?;
		Ok(answer.0)
	}

	async fn block(&self, number: u64) -> Result<Header, EndpointError> {
		let header = self.header(&format!("{number:#x}")).await?;
		match header.number.0 == number {
			true => Ok(header),
			false => Err(EndpointError::OtherBlock {
				asked: number,
				found: header.number.0,
			}),
		}
	}

	async fn header(&self, block: &str) -> Result<Header, EndpointError> {
		let header: Option<Header> = self.request("eth_getBlockByNumber", rpc_params![block, false]).await?;
		header.ok_or_else(|| EndpointError::NoBlock(block.into()))
	}

	async fn request<T: DeserializeOwned>(
		&self,
		method: &'static str,
		params: impl ToRpcParams + Send,
	) -> Result<T, EndpointError> {
		self.client
			.request(method, params)
			.await
			.map_err(|error| failed(method, &error))
	}
}

/// What went wrong, without what the other side sent: that may be long, and names of hosts belong in no log.
fn failed(method: &'static str, error: &ClientError) -> EndpointError {
	let error = match error {
		ClientError::Call(error) => {
			let code = error.code();
			return EndpointError::Refused { method, code };
		},
		ClientError::Transport(_) => "no connection, or no HTTP answer".into(),
		ClientError::RequestTimeout => format!("no answer within {} s", REQUEST_TIMEOUT.as_secs()),
		ClientError::ParseError(_) => "an answer of another shape".into(),
		_ => "an answer that is no JSON-RPC".into(),
	};
	EndpointError::Unreachable { method, error }
}

#[cfg(test)]
mod tests {
	use super::*;

	fn word(value: u64) -> [u8; 32] {
		let mut word = [0; 32];
		word[24..].copy_from_slice(&value.to_be_bytes());
		word
	}

	/// The same with a byte set.
	fn wide(raw: &[u8], place: usize) -> Vec<u8> {
		let mut wide = raw.to_vec();
		wide[place] = 1;
		wide
	}

	#[test]
	fn state_is_read_from_an_answer_of_exact_shape() {
		let state = [word(3), [7; 32], word(u32::MAX.into())].concat();
		let read = VaultState {
			count: 3,
			root: Hash([7; 32]),
			light_client_block: u32::MAX,
		};
		assert_eq!(VaultState::decode(&state), Some(read));
		assert_eq!(VaultState::decode(&state[..95]), None);
		assert_eq!(VaultState::decode(&state[..64]), None);
		assert_eq!(VaultState::decode(&[&state[..], &[0]].concat()), None);
		assert_eq!(VaultState::decode(&[]), None);
		assert_eq!(VaultState::decode(&wide(&state, 23)), None);
		assert_eq!(VaultState::decode(&wide(&state, 64 + 27)), None, "no number of a block");
	}

	#[test]
	fn the_newest_deposits_block_is_read_from_an_answer_of_exact_shape() {
		let state = VaultState {
			count: 3,
			root: Hash([7; 32]),
			light_client_block: 0,
		};
		let deposits = [word(3), word(9), word(500)].concat();
		assert_eq!(state.last(&deposits), Some(9));
		assert_eq!(state.last(&deposits[..64]), None);
		assert_eq!(state.last(&[&deposits[..], &[0]].concat()), None);
		assert_eq!(state.last(&[]), None);
		let other = [word(4), word(9), word(500)].concat();
		assert_eq!(state.last(&other), None, "counts differ");
		assert_eq!(state.last(&wide(&deposits, 23)), None);
		assert_eq!(state.last(&wide(&deposits, 32 + 23)), None);
	}

	#[test]
	fn quantity_is_hexadecimal_of_64_bits() {
		let read = |text: &str| Quantity::try_from(text.to_owned()).map(|q| q.0).ok();
		assert_eq!(read("0x0"), Some(0));
		assert_eq!(read("0xffffffffffffffff"), Some(u64::MAX));
		for wrong in ["", "0x", "12", "0x10000000000000000", "0x+1", "0x-1", "0xg", " 0x1"] {
			assert_eq!(read(wrong), None, "{wrong}");
		}
	}

	#[test]
	fn url_without_http_is_refused_by_its_number() {
		for url in ["", "ws://127.0.0.1:1", "127.0.0.1:8545", "http://"] {
			let error = Endpoint::new(2, url).map(|_| ()).unwrap_err();
			assert_eq!(error.to_string(), "URL number 2 is no http:// or https:// URL", "{url}");
		}
		assert!(Endpoint::new(1, "http://127.0.0.1:8545").is_ok());
	}
}
