//! Broadcaster and viewer together cannot have a relayer punished that follows the protocol; one that lies always can
//! be.

use crate::mock::*;
use clustercast_primitives::{
	fraud::{ChunkFraud, Leaf},
	merkle::{self, Proof},
	window::SignedHeader,
	Hash,
};
use proptest::prelude::*;

/// What the relayer was given and served honestly: a header and its leaves.
struct Served {
	header: SignedHeader,
	leaves: Vec<Hash>,
}

fn serve(segment: u64, data: &[u8]) -> Served {
	Served {
		header: signed_header(segment, data),
		leaves: merkle::leaves(data),
	}
}

fn leaf(leaves: &[Hash], index: usize) -> Leaf {
	let index = (index % leaves.len()) as u16;
	Leaf {
		hash: leaves[usize::from(index)],
		path: Proof::new(leaves, index).unwrap().path,
	}
}

/// How the broadcaster, who has the stream's key, changes a header before signing it anew.
#[derive(Clone, Debug)]
enum Forgery {
	None,
	Root([u8; 32]),
	OtherRoot,
	Chunks(u16),
	Bytes(u32),
	Segment(u64),
	Start(u64),
}

fn forgery() -> impl Strategy<Value = Forgery> {
	prop_oneof![
		Just(Forgery::None),
		any::<[u8; 32]>().prop_map(Forgery::Root),
		Just(Forgery::OtherRoot),
		(0..9u16).prop_map(Forgery::Chunks),
		(0..150_000u32).prop_map(Forgery::Bytes),
		(0..3u64).prop_map(Forgery::Segment),
		(0..5u64).prop_map(|n| Forgery::Start(START + n)),
	]
}

proptest! {
	#![proptest_config(ProptestConfig { cases: 10_000, ..ProptestConfig::default() })]

	/// Any header that the broadcaster cares to sign, any receipt that the honest relayer gave, any leaves and paths of
	/// either tree or made up.
	#[test]
	fn who_follows_the_protocol_is_not_punished(
		lengths in prop::array::uniform2(1usize..120_000),
		same_place: bool,
		forgery in forgery(),
		pick in any::<[usize; 5]>(),
		random in any::<[u8; 32]>(),
		index in 0..9u16,
		rotate: bool,
	) {
		ExtBuilder.build_and_execute(|| {
			// Two windows; for one place where the broadcaster equivocates.
			let windows = [serve(1, &vec![1; lengths[0]]), serve(if same_place { 1 } else { 2 }, &vec![2; lengths[1]])];
			let receipts = [0, 1].map(|n: usize| {
				let message = receipt(&windows[n].header.message, &windows[n].leaves);
				assert_eq!(message.root, message.delivered, "an honest receipt");
				key(2).sign(message, &genesis())
			});
			let mut header = windows[pick[0] % 2].header.message.clone();
			match forgery {
				Forgery::None => (),
				Forgery::Root(root) => header.root = Hash(root),
				Forgery::OtherRoot => header.root = windows[(pick[0] + 1) % 2].header.message.root,
				Forgery::Chunks(chunks) => header.chunks = chunks,
				Forgery::Bytes(bytes) => {
					header.bytes = bytes;
					header.chunks = merkle::chunk_count(bytes) as u16;
				},
				Forgery::Segment(segment) => header.id.segment = segment,
				Forgery::Start(start) => header.start_ms = start,
			}
			let leaves = |n: usize| match pick[n] % 3 {
				2 => Leaf { hash: Hash(random), path: leaf(&windows[0].leaves, pick[n] / 3).path },
				window => leaf(&windows[window].leaves, pick[n] / 3),
			};
			let evidence = ChunkFraud {
				header: key(1).sign(header, &genesis()),
				receipt: receipts[pick[1] % 2].clone(),
				index,
				delivered: leaves(2),
				signed: leaves(3),
			};
			if rotate {
				let owner = RuntimeOrigin::signed(CAROL);
				StreamKeys::set_signing_key(owner, evidence.header.message.id.stream, key(7).public()).unwrap();
			}
			let outcome =
				FraudProofs::report_invalid_chunk(RuntimeOrigin::signed(ALICE), key(2).public(), Box::new(evidence));
			assert!(outcome.is_err(), "an honest relayer was punished");
			assert_eq!(total(&RELAYER), ENDOWMENT);
		});
	}
}

proptest! {
	#[test]
	fn who_signs_for_a_wrong_chunk_can_be_punished(len in 1usize..120_000, at: usize, mask in 1u8..) {
		ExtBuilder.build_and_execute(|| {
			let right = vec![7; len];
			let mut wrong = right.clone();
			wrong[at % len] ^= mask;
			let evidence = evidence(1, &right, &wrong).unwrap();
			FraudProofs::report_invalid_chunk(RuntimeOrigin::signed(ALICE), key(2).public(), Box::new(evidence)).unwrap();
			assert!(total(&RELAYER) < ENDOWMENT);
		});
	}
}
