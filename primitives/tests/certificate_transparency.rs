//! Our tree against the published known answers of Certificate Transparency.
//!
//! Source: github.com/google/certificate-transparency, `cpp/merkletree/merkle_tree_test.cc`: `kInputs`,
//! `kSHA256EmptyTreeHash`, `kSHA256Roots`, `kSHA256Paths`. The same values are in github.com/transparency-dev/merkle,
//! `testonly`. There leaves count from 1; here from 0.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use clustercast_primitives::{
	merkle::{leaf_hash, leaf_hashes, root, Proof},
	Hash,
};

/// What the eight leaves are hashes of.
const INPUTS: [&str; 8] = [
	"",
	"00",
	"10",
	"2021",
	"3031",
	"40414243",
	"5051525354555657",
	"606162636465666768696a6b6c6d6e6f",
];

/// Root of no leaves.
const EMPTY_ROOT: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Root of the first one to eight leaves.
const ROOTS: [&str; 8] = [
	"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
	"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
	"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
	"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
	"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
	"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
	"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
	"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// Index, width, and siblings from the leaf up.
const PATHS: [(u64, u64, &[&str]); 5] = [
	(0, 1, &[]),
	(
		0,
		8,
		&[
			"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
		],
	),
	(
		5,
		8,
		&[
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
			"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
			"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		],
	),
	(
		2,
		3,
		&["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
	),
	(
		1,
		5,
		&[
			"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
		],
	),
];

fn hash(text: &str) -> Hash {
	text.parse().unwrap()
}

fn leaves(width: usize) -> Vec<Hash> {
	INPUTS[..width]
		.iter()
		.map(|input| leaf_hash(&hex::decode(input).unwrap()))
		.collect()
}

#[test]
fn roots_are_the_published_ones() {
	assert_eq!(root(&[]), hash(EMPTY_ROOT));
	for (index, expected) in ROOTS.iter().enumerate() {
		assert_eq!(root(&leaves(index + 1)), hash(expected), "{} leaves", index + 1);
	}
}

#[test]
fn leaves_hashed_together_make_the_published_root() {
	let inputs: Vec<Vec<u8>> = INPUTS.iter().map(|input| hex::decode(input).unwrap()).collect();
	let chunks: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
	assert_eq!(root(&leaf_hashes(&chunks)), hash(ROOTS[7]));
}

#[test]
fn paths_are_the_published_ones() {
	for (index, width, path) in PATHS {
		let leaves = leaves(width as usize);
		let expected = Proof {
			index,
			width,
			path: path
				.iter()
				.map(|sibling| hash(sibling))
				.collect::<Vec<_>>()
				.try_into()
				.unwrap(),
		};
		assert_eq!(Proof::new(&leaves, index), Some(expected.clone()));
		let root = hash(ROOTS[width as usize - 1]);
		let leaf = leaves[index as usize];
		assert!(expected.verify(&root, &leaf));
		// What the published test asks too: no other leaf, root, place or path passes.
		assert!(!expected.verify(&root, &leaf_hash(b"WrongLeaf")));
		assert!(!expected.verify(&hash(EMPTY_ROOT), &leaf));
		for other in (0..width).filter(|other| *other != index) {
			let moved = Proof {
				index: other,
				..expected.clone()
			};
			assert!(!moved.verify(&root, &leaf));
		}
		for wrong in 0..path.len() {
			let mut bent = expected.clone();
			bent.path[wrong] = hash(EMPTY_ROOT);
			assert!(!bent.verify(&root, &leaf));
		}
		let mut longer = expected.clone();
		longer.path.try_push(root).unwrap();
		assert!(!longer.verify(&root, &leaf));
	}
}
