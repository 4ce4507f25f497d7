//! Typed items beside a header: room for what is not invented yet. Relayers carry them untouched.

use crate::{
	crypto::Hash,
	merkle::{leaf_hash, root},
};
use alloc::vec::Vec;
use bounded_collections::{BoundedVec, ConstU32};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use scale_info::TypeInfo;

/// Most items of a header.
pub const MAX_ITEMS: u32 = 16;

/// Most bytes of an item.
pub const MAX_ITEM_BYTES: u32 = 256;

/// Numbers of the kinds that are spoken of.
pub mod kind {
	/// Encryption: key id (16) and initialisation vector (at most 16).
	pub const ENCRYPTION: u16 = 1;
	/// Geometry of a multicast body: how it is cut into what repair chunks mend.
	pub const BODY: u16 = 2;
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo)]
pub struct Item {
	/// See [`kind`]; one that a program does not know means nothing to it.
	pub kind: u16,
	/// As its kind says.
	pub data: BoundedVec<u8, ConstU32<MAX_ITEM_BYTES>>,
}

/// The items of a header: kinds ascend strictly.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, MaxEncodedLen, TypeInfo)]
pub struct Items(BoundedVec<Item, ConstU32<MAX_ITEMS>>);

/// Too many items, or kinds that do not ascend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemsError;

impl fmt::Display for ItemsError {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		write!(f, "at most {MAX_ITEMS} items, of ascending kinds")
	}
}

impl core::error::Error for ItemsError {}

impl Items {
	/// In this order.
	pub fn new(items: Vec<Item>) -> Result<Self, ItemsError> {
		if !items.windows(2).all(|pair| pair[0].kind < pair[1].kind) {
			return Err(ItemsError);
		}
		items.try_into().map(Self).map_err(|_| ItemsError)
	}

	/// All of them.
	pub fn iter(&self) -> impl Iterator<Item = &Item> {
		self.0.iter()
	}

	/// Data of this kind.
	pub fn get(&self, kind: u16) -> Option<&[u8]> {
		self.0
			.iter()
			.find(|item| item.kind == kind)
			.map(|item| item.data.as_slice())
	}

	/// What a header states: zero where there are none, else the RFC 6962 root with leaves `H(0x00 ‖ SCALE(item))`.
	pub fn root(&self) -> Hash {
		match self.0.is_empty() {
			true => Hash([0; 32]),
			false => root(&self.0.iter().map(|item| leaf_hash(&item.encode())).collect::<Vec<_>>()),
		}
	}
}

impl Decode for Items {
	fn decode<I: codec::Input>(input: &mut I) -> Result<Self, codec::Error> {
		let items = BoundedVec::<Item, ConstU32<MAX_ITEMS>>::decode(input)?;
		Self::new(items.into_inner()).map_err(|_| "items out of order".into())
	}
}

impl DecodeWithMemTracking for Items {}

#[cfg(test)]
mod tests {
	use super::*;

	fn item(kind: u16) -> Item {
		Item {
			kind,
			data: alloc::vec![kind as u8; 3].try_into().unwrap(),
		}
	}

	#[test]
	fn items_ascend_and_are_bounded() {
		let items = Items::new([1, 5].map(item).to_vec()).unwrap();
		assert_eq!((items.get(5), items.get(2)), (Some(&[5; 3][..]), None));
		assert_eq!(Items::new([5, 1].map(item).to_vec()), Err(ItemsError));
		assert_eq!(Items::new([5, 5].map(item).to_vec()), Err(ItemsError));
		let many = |n| Items::new((0..n).map(item).collect());
		assert!(many(MAX_ITEMS as u16).is_ok());
		assert_eq!(many(MAX_ITEMS as u16 + 1), Err(ItemsError));
		let decode = |items: Vec<Item>| Items::decode(&mut &items.encode()[..]);
		assert_eq!(decode([1, 5].map(item).to_vec()), Ok(items));
		assert!(decode([5, 1].map(item).to_vec()).is_err());
	}

	#[test]
	fn root_is_zero_of_none_and_tells_all_others_apart() {
		let root = |kinds: &[u16]| Items::new(kinds.iter().map(|k| item(*k)).collect()).unwrap().root();
		assert_eq!(root(&[]), Hash([0; 32]));
		assert_eq!(root(&[3]), leaf_hash(&item(3).encode()));
		assert_ne!(root(&[1, 2]), root(&[1, 3]));
	}
}
