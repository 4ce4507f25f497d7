//! Who may receive USDC on the L2: what is lost for ever there is refused before anything is burnt.

use alloy::primitives::Address;
use clustercast_primitives::EthereumAddress;

/// USDC of the L2s that are known here, by chain id: Base and its test network (Circle's list, docs/l2.md).
const TOKENS: [(u32, &str); 2] = [
	(8_453, "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"),
	(84_532, "0x036cbd53842c5426634e7929541ec2318f3dcf7e"),
];

/// Why an address is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecipientError {
	/// Not 20 bytes of hexadecimal.
	#[error("not an Ethereum address: expected 0x and 40 hexadecimal digits")]
	Shape,
	/// Large and small letters are not those of EIP-55.
	#[error("the address is mistyped: its checksum is wrong (large and small letters; all small is not checked)")]
	Checksum,
	/// Nobody's.
	#[error("the zero address is nobody's")]
	Zero,
	/// The bridge's own contract, which gives nothing back.
	#[error("{0} is the {1}: USDC sent there is lost")]
	Contract(EthereumAddress, &'static str),
}

/// Reads an address. One in large and small letters must have them where EIP-55 does.
pub fn parse(text: &str) -> Result<EthereumAddress, RecipientError> {
	let digits = text.strip_prefix("0x").ok_or(RecipientError::Shape)?;
	let address: Address = text.parse().map_err(|_| RecipientError::Shape)?;
	let mixed = digits.bytes().any(|b| b.is_ascii_uppercase()) && digits.bytes().any(|b| b.is_ascii_lowercase());
	if mixed && address.to_checksum(None) != text {
		return Err(RecipientError::Checksum);
	}
	Ok(EthereumAddress(address.0 .0))
}

/// The contracts of a bridge, none of which gives USDC back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contracts {
	vault: EthereumAddress,
	usdc: Option<EthereumAddress>,
	light_client: Option<EthereumAddress>,
}

impl Contracts {
	/// As the chain names them; the token where it is known by the L2's id.
	pub fn known(chain_id: u32, vault: EthereumAddress) -> Self {
		let token = TOKENS.iter().find(|(id, _)| *id == chain_id);
		Self {
			vault,
			usdc: token.and_then(|(_, address)| address.parse().ok()),
			light_client: None,
		}
	}

	/// As the vault names them.
	pub fn asked(vault: Address, usdc: Address, light_client: Address) -> Self {
		let address = |address: Address| EthereumAddress(address.0 .0);
		Self {
			vault: address(vault),
			usdc: Some(address(usdc)),
			light_client: Some(address(light_client)),
		}
	}

	/// The token, where it is known.
	pub fn usdc(&self) -> Option<EthereumAddress> {
		self.usdc
	}

	/// Whether this address may receive USDC.
	pub fn check(&self, to: &EthereumAddress) -> Result<(), RecipientError> {
		if *to == EthereumAddress([0; 20]) {
			return Err(RecipientError::Zero);
		}
		let contracts = [
			(Some(self.vault), "vault"),
			(self.usdc, "token"),
			(self.light_client, "light client"),
		];
		match contracts.iter().find(|(address, _)| *address == Some(*to)) {
			Some((_, name)) => Err(RecipientError::Contract(*to, name)),
			None => Ok(()),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Of EIP-55.
	const GOOD: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

	#[test]
	fn wrong_checksum_is_refused_and_none_is_not() {
		let address = parse(GOOD).unwrap();
		assert_eq!(parse(&GOOD.to_lowercase()), Ok(address));
		assert_eq!(parse(&format!("0x{}", GOOD[2..].to_uppercase())), Ok(address));
		for place in 2..GOOD.len() {
			let mut changed = GOOD.to_owned().into_bytes();
			let letter = &mut changed[place];
			if !letter.is_ascii_alphabetic() {
				continue;
			}
			*letter ^= 0x20;
			let changed = String::from_utf8(changed).unwrap();
			assert_eq!(parse(&changed), Err(RecipientError::Checksum), "{changed}");
		}
		for wrong in ["", "0x", "0x12", &GOOD[2..], "alice.eth", &format!("{GOOD}0")] {
			assert_eq!(parse(wrong), Err(RecipientError::Shape), "{wrong}");
		}
	}

	#[test]
	fn contracts_that_give_nothing_back_receive_nothing() {
		let at = |byte: u8| EthereumAddress([byte; 20]);
		let word = |byte: u8| Address::from([byte; 20]);
		let asked = Contracts::asked(word(1), word(2), word(3));
		assert_eq!(asked.check(&at(0)), Err(RecipientError::Zero));
		for (byte, name) in [(1, "vault"), (2, "token"), (3, "light client")] {
			assert_eq!(asked.check(&at(byte)), Err(RecipientError::Contract(at(byte), name)));
		}
		assert_eq!(asked.check(&at(4)), Ok(()));

		let usdc = parse("0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913").unwrap();
		let on_base = Contracts::known(8_453, at(1));
		assert_eq!(on_base.check(&usdc), Err(RecipientError::Contract(usdc, "token")));
		assert_eq!(Contracts::known(1, at(1)).check(&usdc), Ok(()));
		assert!(Contracts::known(1, at(1)).check(&at(1)).is_err());
	}
}
