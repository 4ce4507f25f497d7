//! Deposits into the vault on the L2 and the tree over them.
//!
//! ```text
//! leaf = H(0x00 ‖ l2 u32 ‖ number u64 ‖ kind u8 ‖ amount u128 ‖ depositor 20 ‖ refund to 20 ‖ H(body))
//! node = H(0x01 ‖ left ‖ right)
//! body of kind 0 = account 32 ‖ escrow u128 ‖ session key 32 ‖ session limit u128 ‖ session expiry u32 ‖ session proof 64
//! ```
//!
//! The leaf is an envelope that is the same for all kinds, now and later: who does not know a kind knows nevertheless
//! what came in, and to whom it goes back. Known are kind 0, [`Credit`], and kind 1, [`Action`].
//!
//! The tree is 32 levels high and filled from the left; what is not filled yet is a leaf of 32 zero bytes. Its
//! contract adds a leaf with one write and no recursion, the way of Ethereum's beacon deposit contract.

use super::{leaf_hash, node_hash, Action};
use crate::{
	amount::{Balance, USDC},
	crypto::{keccak256, AccountId, EthereumAddress, Hash, PublicKey, Signature},
	BlockNumber,
};
use alloc::vec::Vec;
use codec::{Compact, Decode, DecodeWithMemTracking, Encode, Input, MaxEncodedLen};
use scale_info::TypeInfo;

/// Levels of the tree: 2^32 - 1 deposits.
pub const DEPTH: usize = 32;

/// Smallest deposit that the vault takes: far above the chain's existential deposit, so that crediting it cannot fail.
pub const MIN_DEPOSIT: Balance = USDC;

/// Smallest deposit of kind 1, [`Action`]: a hundred times the chain's existential deposit.
pub const MIN_ACTION: Balance = USDC / 10;

/// Largest deposit that the vault takes: bounds what one mistake costs, and keeps sums far inside 128 bits.
pub const MAX_DEPOSIT: Balance = 10_000 * USDC;

/// Longest body that the vault takes, bytes.
pub const MAX_BODY: usize = 256;

/// Smallest deposit of this kind that the vault takes.
pub const fn least(kind: u8) -> Balance {
	match kind {
		Action::KIND => MIN_ACTION,
		_ => MIN_DEPOSIT,
	}
}

/// Money that was paid into the vault, and what for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct Deposit {
	/// The L2 that the vault is on (EIP-155).
	pub l2: u32,
	/// Its number, from 0; also its place in the tree.
	pub number: u64,
	/// What the body says: [`Credit::KIND`], [`Action::KIND`], or something that is not known here.
	pub kind: u8,
	/// Micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub amount: Balance,
	/// Who paid on the L2.
	pub depositor: EthereumAddress,
	/// Who gets it back on the L2 where the chain cannot do what the body says.
	pub refund_to: EthereumAddress,
	/// What is to be done with it on the chain.
	pub body: Body,
}

impl Deposit {
	/// Its leaf, see [the module](self).
	pub fn leaf(&self) -> Hash {
		leaf_hash(&[
			&self.l2.to_be_bytes(),
			&self.number.to_be_bytes(),
			&[self.kind],
			&self.amount.to_be_bytes(),
			&self.depositor.0,
			&self.refund_to.0,
			&self.body.hash().0,
		])
	}

	/// The credit that it asks for; `None` where it is of another kind, or its body is none of that kind.
	pub fn credit(&self) -> Option<Credit> {
		let credit = (self.kind == Credit::KIND).then(|| Credit::decode_body(self.body.bytes()))??;
		(credit.escrow <= self.amount).then_some(credit)
	}

	/// The action that it asks for; `None` where it is of another kind, or its body is none that is known.
	pub fn action(&self) -> Option<Action> {
		(self.kind == Action::KIND).then(|| Action::decode_body(self.body.bytes()))?
	}
}

/// Body of a deposit: at most [`MAX_BODY`] bytes.
#[derive(Clone, Default, PartialEq, Eq, Encode, TypeInfo)]
pub struct Body(Vec<u8>);

/// The bytes are more than [`MAX_BODY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyTooLong {
	/// So many.
	pub length: usize,
}

impl core::fmt::Display for BodyTooLong {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		write!(f, "a body has at most {MAX_BODY} bytes, not {}", self.length)
	}
}

impl core::error::Error for BodyTooLong {}

impl Body {
	/// Of parts that together are no longer than it may be, as those of the known kinds are.
	pub(super) fn of(parts: &[&[u8]]) -> Self {
		Self(parts.concat())
	}

	/// Its bytes.
	pub fn bytes(&self) -> &[u8] {
		&self.0
	}

	/// What the leaf holds of it.
	pub fn hash(&self) -> Hash {
		keccak256(&[&self.0])
	}
}

impl TryFrom<Vec<u8>> for Body {
	type Error = BodyTooLong;

	fn try_from(bytes: Vec<u8>) -> Result<Self, BodyTooLong> {
		let length = bytes.len();
		match length <= MAX_BODY {
			true => Ok(Self(bytes)),
			false => Err(BodyTooLong { length }),
		}
	}
}

impl core::fmt::Debug for Body {
	fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
		write!(f, "0x{}", hex::encode(&self.0))
	}
}

impl MaxEncodedLen for Body {
	fn max_encoded_len() -> usize {
		Compact(MAX_BODY as u32).encoded_size() + MAX_BODY
	}
}

impl Decode for Body {
	/// Refuses the length before it reads on.
	fn decode<I: Input>(input: &mut I) -> Result<Self, codec::Error> {
		let Compact(length) = Compact::<u32>::decode(input)?;
		let length = length as usize;
		if length > MAX_BODY {
			return Err("a body is longer than it may be".into());
		}
		let mut bytes = alloc::vec![0; length];
		input.read(&mut bytes)?;
		Ok(Self(bytes))
	}
}

impl DecodeWithMemTracking for Body {}

#[cfg(feature = "serde")]
impl serde::Serialize for Body {
	fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
		serializer.collect_str(&format_args!("{self:?}"))
	}
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Body {
	fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
		use serde::de::Error;
		let text = <alloc::string::String as serde::Deserialize>::deserialize(deserializer)?;
		let digits = text
			.strip_prefix("0x")
			.ok_or_else(|| D::Error::custom("a body is 0x and hexadecimal digits"))?;
		let bytes = hex::decode(digits).map_err(D::Error::custom)?;
		bytes.try_into().map_err(D::Error::custom)
	}
}

/// What a deposit of kind 0 asks for: USDC for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
	feature = "serde",
	derive(serde::Serialize, serde::Deserialize),
	serde(rename_all = "camelCase")
)]
pub struct Credit {
	/// Receives it on the chain; not zero.
	pub account: AccountId,
	/// Of the amount, so much goes to the account's deposit for tickets. Micro-USDC, at most the amount.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub escrow: Balance,
	/// Session key that may sign tickets for the account; zero for none, and then limit, expiry and proof are zero too.
	pub session_key: PublicKey,
	/// Most that the session may spend in all, micro-USDC.
	#[cfg_attr(feature = "serde", serde(with = "crate::chain::decimal"))]
	pub session_limit: Balance,
	/// Last block of the chain for which the session can sign.
	pub session_expiry: BlockNumber,
	/// The session key's signature over [`SessionProof`](crate::session::SessionProof) for the account.
	pub session_proof: Signature,
}

impl Credit {
	/// The kind of its deposits.
	pub const KIND: u8 = 0;

	/// Bytes of its body.
	pub const LENGTH: usize = 164;

	/// The body, see [the module](self).
	pub fn body(&self) -> Body {
		Body::of(&[
			&self.account.0,
			&self.escrow.to_be_bytes(),
			&self.session_key.0,
			&self.session_limit.to_be_bytes(),
			&self.session_expiry.to_be_bytes(),
			&self.session_proof.0,
		])
	}

	/// From a body, by the vault's own rules.
	pub fn decode_body(body: &[u8]) -> Option<Self> {
		let (account, rest) = body.split_first_chunk()?;
		let (escrow, rest) = rest.split_first_chunk()?;
		let (session_key, rest) = rest.split_first_chunk()?;
		let (session_limit, rest) = rest.split_first_chunk()?;
		let (session_expiry, rest) = rest.split_first_chunk()?;
		let credit = Self {
			account: AccountId(*account),
			escrow: Balance::from_be_bytes(*escrow),
			session_key: PublicKey(*session_key),
			session_limit: Balance::from_be_bytes(*session_limit),
			session_expiry: BlockNumber::from_be_bytes(*session_expiry),
			session_proof: Signature(rest.try_into().ok()?),
		};
		let sessionless = credit.session_limit == 0 && credit.session_expiry == 0 && credit.session_proof.0 == [0; 64];
		(credit.account.0 != [0; 32] && (credit.session().is_some() || sessionless)).then_some(credit)
	}

	/// The session key, if it names one.
	pub fn session(&self) -> Option<PublicKey> {
		(self.session_key.0 != [0; 32]).then_some(self.session_key)
	}
}

/// A deposit and the way from its leaf to the attested root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct ProvenDeposit {
	/// What was deposited.
	pub deposit: Deposit,
	/// That the vault recorded it.
	pub proof: DepositProof,
}

/// Siblings on the way from a leaf to the root, the leaf's own first. Which side each is on follows from the index.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct DepositProof(pub [Hash; DEPTH]);

impl DepositProof {
	/// For the leaf at `index` of the tree over `leaves`; `None` where there is no such leaf.
	pub fn new(leaves: &[Hash], index: u64) -> Option<Self> {
		let mut place = usize::try_from(index).ok().filter(|place| *place < leaves.len())?;
		let mut level = leaves.to_vec();
		let mut empty = Hash([0; 32]);
		let mut siblings = [empty; DEPTH];
		for sibling in &mut siblings {
			*sibling = level.get(place ^ 1).copied().unwrap_or(empty);
			level = level
				.chunks(2)
				.map(|pair| node_hash(&pair[0], pair.get(1).unwrap_or(&empty)))
				.collect();
			empty = node_hash(&empty, &empty);
			place /= 2;
		}
		Some(Self(siblings))
	}

	/// Whether `leaf` stands at `index` of the tree with this root.
	pub fn verify(&self, root: &Hash, leaf: &Hash, index: u64) -> bool {
		let climb = |below: Hash, (level, sibling): (usize, &Hash)| match index >> level & 1 {
			0 => node_hash(&below, sibling),
			_ => node_hash(sibling, &below),
		};
		index >> DEPTH == 0 && self.0.iter().enumerate().fold(*leaf, climb) == *root
	}
}

/// The tree as the vault keeps it: of each level, the newest left node that waits for its right sibling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepositTree {
	branch: [Hash; DEPTH],
	count: u64,
}

impl Default for DepositTree {
	fn default() -> Self {
		Self {
			branch: [Hash([0; 32]); DEPTH],
			count: 0,
		}
	}
}

impl DepositTree {
	/// Leaves so far.
	pub fn count(&self) -> u64 {
		self.count
	}

	/// Adds a leaf. False, and nothing is changed, where the tree is full.
	#[must_use]
	pub fn push(&mut self, leaf: Hash) -> bool {
		let count = self.count + 1;
		if count >> DEPTH != 0 {
			return false;
		}
		let height = count.trailing_zeros() as usize;
		let node = self.branch[..height]
			.iter()
			.fold(leaf, |node, left| node_hash(left, &node));
		self.branch[height] = node;
		self.count = count;
		true
	}

	/// Root over the leaves so far.
	pub fn root(&self) -> Hash {
		let mut empty = Hash([0; 32]);
		let mut root = empty;
		for (level, left) in self.branch.iter().enumerate() {
			root = match self.count >> level & 1 {
				0 => node_hash(&root, &empty),
				_ => node_hash(left, &root),
			};
			empty = node_hash(&empty, &empty);
		}
		root
	}
}

impl Extend<Hash> for DepositTree {
	/// Adds leaves as long as there is room.
	fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
		leaves.into_iter().all(|leaf| self.push(leaf));
	}
}

/// Root of the tree over these leaves.
pub fn root(leaves: &[Hash]) -> Hash {
	let mut tree = DepositTree::default();
	tree.extend(leaves.iter().copied());
	tree.root()
}

/// Proves each of `deposits[from..]`, at most `limit` of them, under the root of all of `deposits`.
pub fn prove(deposits: &[Deposit], from: u64, limit: usize) -> Vec<ProvenDeposit> {
	let leaves: Vec<Hash> = deposits.iter().map(Deposit::leaf).collect();
	let proven = |index: u64| {
		Some(ProvenDeposit {
			deposit: deposits.get(index as usize)?.clone(),
			proof: DepositProof::new(&leaves, index)?,
		})
	};
	(from..).map_while(proven).take(limit).collect()
}

#[cfg(test)]
mod tests {
	use super::*;
	use proptest::prelude::*;

	fn leaves(count: u64) -> Vec<Hash> {
		(0..count).map(|n| leaf_hash(&[&n.to_be_bytes()])).collect()
	}

	/// The whole tree, node by node.
	fn reference(leaves: &[Hash], level: usize) -> Hash {
		if level == 0 {
			return leaves.first().copied().unwrap_or(Hash([0; 32]));
		}
		if leaves.is_empty() {
			let below = reference(&[], level - 1);
			return node_hash(&below, &below);
		}
		let (left, right) = leaves.split_at(leaves.len().min(1 << (level - 1)));
		node_hash(&reference(left, level - 1), &reference(right, level - 1))
	}

	#[test]
	fn the_empty_tree_is_the_beacon_deposit_contracts_shape() {
		assert_eq!(root(&[]), reference(&[], DEPTH));
		assert_eq!(DepositTree::default().count(), 0);
	}

	#[test]
	fn every_leaf_is_proven_at_its_place_only() {
		for count in 1..20 {
			let leaves = leaves(count);
			let root = root(&leaves);
			assert_eq!(root, reference(&leaves, DEPTH));
			for (index, leaf) in (0..).zip(&leaves) {
				let proof = DepositProof::new(&leaves, index).unwrap();
				for (other, candidate) in (0..).zip(&leaves) {
					assert_eq!(proof.verify(&root, leaf, other), other == index);
					assert_eq!(proof.verify(&root, candidate, index), other == index);
				}
				assert!(!proof.verify(&root, leaf, index + (1 << DEPTH)));
				assert!(!proof.verify(&Hash([9; 32]), leaf, index));
			}
			assert_eq!(DepositProof::new(&leaves, count), None);
		}
	}

	#[test]
	fn a_full_tree_takes_no_more() {
		let mut tree = DepositTree {
			count: (1 << DEPTH) - 2,
			..DepositTree::default()
		};
		assert!(tree.push(Hash([1; 32])));
		let full = tree.clone();
		assert!(!tree.push(Hash([2; 32])));
		assert_eq!((tree.count(), tree), ((1 << DEPTH) - 1, full));
	}

	#[test]
	fn deposits_are_proven_together() {
		let deposits: Vec<_> = (0..5).map(deposit).collect();
		let leaves: Vec<_> = deposits.iter().map(Deposit::leaf).collect();
		let proven = prove(&deposits, 3, 32);
		assert_eq!(proven.len(), 2);
		assert!(proven
			.iter()
			.all(|p| p.proof.verify(&root(&leaves), &p.deposit.leaf(), p.deposit.number)));
		assert_eq!(prove(&deposits, 0, 4).len(), 4);
		assert!(prove(&deposits, 5, 4).is_empty());
	}

	const CREDIT: Credit = Credit {
		account: AccountId([2; 32]),
		escrow: USDC,
		session_key: PublicKey([3; 32]),
		session_limit: USDC,
		session_expiry: 7,
		session_proof: Signature([8; 64]),
	};

	fn deposit(number: u64) -> Deposit {
		Deposit {
			l2: 8_453,
			number,
			kind: Credit::KIND,
			amount: 5 * USDC,
			depositor: EthereumAddress([1; 20]),
			refund_to: EthereumAddress([4; 20]),
			body: CREDIT.body(),
		}
	}

	#[test]
	fn every_field_is_in_the_leaf() {
		let changes: [fn(&mut Deposit); 7] = [
			|d| d.l2 = 1,
			|d| d.number += 1,
			|d| d.kind += 1,
			|d| d.amount += 1,
			|d| d.depositor.0[19] ^= 1,
			|d| d.refund_to.0[0] ^= 1,
			|d| d.body.0[163] ^= 1,
		];
		for change in changes {
			let mut changed = deposit(0);
			change(&mut changed);
			assert_ne!(changed.leaf(), deposit(0).leaf());
		}
	}

	#[test]
	fn credits_are_known_by_kind_and_body() {
		assert_eq!(deposit(0).credit(), Some(CREDIT));
		assert_eq!(Deposit { kind: 1, ..deposit(0) }.credit(), None);
		let with = |body: Vec<u8>| Deposit {
			body: body.try_into().unwrap(),
			..deposit(0)
		};
		let body = CREDIT.body().0;
		assert_eq!(with(body.clone()).credit(), Some(CREDIT));
		assert_eq!(with(body[..163].to_vec()).credit(), None);
		assert_eq!(with([&body[..], &[0]].concat()).credit(), None);
		assert_eq!(with(vec![]).credit(), None);
		let of = |credit: Credit| with(credit.body().0).credit();
		let nobody = AccountId([0; 32]);
		assert_eq!(
			of(Credit {
				account: nobody,
				..CREDIT
			}),
			None
		);
		let escrow = 5 * USDC;
		assert!(of(Credit { escrow, ..CREDIT }).is_some());
		let escrow = escrow + 1;
		assert_eq!(of(Credit { escrow, ..CREDIT }), None, "more than the amount");
		// Limit, expiry and proof are a session's.
		let no_session = Credit {
			session_key: PublicKey([0; 32]),
			session_limit: 0,
			session_expiry: 0,
			session_proof: Signature([0; 64]),
			..CREDIT
		};
		assert_eq!(of(no_session).unwrap().session(), None);
		let session_limit = 1;
		assert_eq!(
			of(Credit {
				session_limit,
				..no_session
			}),
			None
		);
		let session_expiry = 1;
		assert_eq!(
			of(Credit {
				session_expiry,
				..no_session
			}),
			None
		);
		let session_proof = Signature([1; 64]);
		assert_eq!(
			of(Credit {
				session_proof,
				..no_session
			}),
			None
		);
	}

	#[test]
	fn actions_are_known_by_kind_and_body() {
		let with = |kind, body: Body| Deposit {
			kind,
			body,
			..deposit(0)
		};
		let action = Action::Unlock { amount: 7 };
		let known = with(Action::KIND, action.body());
		assert_eq!((known.action(), known.credit()), (Some(action), None));
		assert_eq!(with(Credit::KIND, action.body()).action(), None);
		assert_eq!(with(2, action.body()).action(), None);
		assert_eq!(with(Action::KIND, CREDIT.body()).action(), None);
		assert_eq!(with(Action::KIND, CREDIT.body()).credit(), None);
		assert_eq!(
			[Credit::KIND, Action::KIND, 2].map(least),
			[MIN_DEPOSIT, MIN_ACTION, MIN_DEPOSIT]
		);
	}

	#[test]
	fn no_body_is_longer_than_it_may_be() {
		let body = Body::try_from(vec![7; MAX_BODY]).unwrap();
		let encoded = body.encode();
		assert_eq!(encoded.len(), Body::max_encoded_len());
		assert_eq!(Body::decode(&mut &encoded[..]), Ok(body));
		let refused = Body::try_from(vec![7; MAX_BODY + 1]).unwrap_err();
		assert_eq!(refused, BodyTooLong { length: MAX_BODY + 1 });
		assert!(Body::decode(&mut &vec![7u8; MAX_BODY + 1].encode()[..]).is_err());
		// The length alone is refused, whatever follows.
		assert!(Body::decode(&mut &Compact(u32::MAX).encode()[..]).is_err());
		assert!(Body::decode(&mut &encoded[..encoded.len() - 1]).is_err());
	}

	#[cfg(feature = "serde")]
	#[test]
	fn a_body_is_hexadecimal_in_json() {
		let body = Body(vec![0, 255]);
		assert_eq!(serde_json::to_value(&body).unwrap(), "0x00ff");
		assert_eq!(serde_json::from_value::<Body>("0x00ff".into()).unwrap(), body);
		for wrong in ["00ff", "0x0", "0xzz", &format!("0x{}", "00".repeat(MAX_BODY + 1))] {
			assert!(serde_json::from_value::<Body>(wrong.into()).is_err(), "{wrong}");
		}
	}

	proptest! {
		#[test]
		fn a_credit_has_one_body(body in prop::collection::vec(any::<u8>(), 0..=MAX_BODY)) {
			let credit = Credit::decode_body(&body);
			prop_assert!(body.len() == Credit::LENGTH || credit.is_none());
			prop_assert!(credit.is_none_or(|credit| credit.body().bytes() == body));
		}

		#[test]
		fn credits_are_what_their_bodies_say(body in prop::collection::vec(any::<u8>(), Credit::LENGTH)) {
			let credit = Credit::decode_body(&body);
			prop_assert_eq!(credit.map(|credit| credit.body().0), Some(body));
		}

		#[test]
		fn decoding_is_total(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
			if let Ok(deposit) = Deposit::decode(&mut &bytes[..]) {
				prop_assert!(bytes.starts_with(&deposit.encode()) && deposit.encoded_size() <= Deposit::max_encoded_len());
			}
		}
	}
}
