//! Broadcaster and viewer together cannot have a relayer punished that follows the protocol; one that lies always can
//! be.
//!
//! They choose everything but what the relayer signs: headers with all of their fields, which chunks are asked for in which
//! order and sizes, what headers there are over the same bytes, and all of the evidence. Index, paths and leaves are chosen
//! so that they agree with each other but for the one lie that each attempt needs, so that the checks behind the first
//! ones are reached: how far each attempt came is counted, and that enough came to the last ones is asserted.
//!
//! `FRAMING_CASES=1000000` tries so many; a run of the tests tries [`CASES`].

use crate::{mock::*, Error};
use clustercast_primitives::{
	fraud::{Account, ChunkFraud, Leaf},
	merkle::{self, node_hash, Proof},
	receipt::{deliveries_root, Kind},
	Delivery, Hash, Receipt, StreamId, WindowHeader,
};
use frame_support::{assert_noop, assert_ok};
use proptest::{prelude::*, test_runner::TestRunner};
use std::{cell::RefCell, collections::BTreeMap};

/// Attempts, where nobody says otherwise.
const CASES: u32 = 2_000;

/// How many of a thousand attempts must come to the last checks: so in 20,000 attempts 10,000 do.
const DEEP_PER_MILLE: u32 = 500;

/// Windows that there are.
const WINDOWS: u32 = 48;

/// A check, and what it says where it refuses.
type Check = (&'static str, fn() -> Error<Test>);

/// Checks in their order, those behind the position are deep.
const CHECKS: [Check; 9] = [
	("age", || Error::TooOld),
	("payer", || Error::Payer),
	("delivery", || Error::DeliveryPath),
	("header", || Error::Unrelated),
	("position", || Error::Range),
	("same leaf", || Error::SameLeaf),
	("signed leaf", || Error::SignedPath),
	("delivered leaf", || Error::DeliveredPath),
	("signature", || Error::ReceiptSignature),
];

/// The first of the last checks.
const DEEP: usize = 6;

struct Window {
	header: WindowHeader,
	leaves: Vec<Hash>,
}

/// What a broadcaster may choose of a header that has no bearing on chunks.
type Whims = (u64, u32, u16, u8, [u8; 32]);

/// Window `n`, of `n + 1` chunks.
fn window(n: u32) -> Window {
	let leaves: Vec<_> = (0..=n)
		.map(|chunk| merkle::leaf_hash(&[n as u8, chunk as u8]))
		.collect();
	Window {
		header: header_over(n.into(), &leaves),
		leaves,
	}
}

/// The same window as a broadcaster in a strange mood signs it.
fn at_whim(window: &Window, (start_ms, duration_ms, flags, chunk_log2, other): &Whims) -> Window {
	let mut header = window.header.clone();
	(header.start_ms, header.duration_ms, header.flags) = (*start_ms, *duration_ms, *flags);
	(header.chunk_log2, header.catalog, header.ext) = (*chunk_log2, Hash(*other), Hash(*other));
	header.id.stream = StreamId(*start_ms);
	Window {
		header,
		leaves: window.leaves.clone(),
	}
}

/// The same bytes in chunks of `2^steps` times the size, as a second header could state them: nodes of the tree as its
/// leaves.
fn coarser(window: &Window, steps: u32) -> Window {
	let pair = |pair: &[Hash]| pair.get(1).map_or(pair[0], |right| node_hash(&pair[0], right));
	let mut leaves = window.leaves.clone();
	for _ in 0..steps {
		leaves = leaves.chunks(2).map(pair).collect();
	}
	let header = WindowHeader {
		chunks: leaves.len() as u32,
		chunk_log2: window.header.chunk_log2.wrapping_add(steps as u8),
		..window.header.clone()
	};
	assert_eq!(merkle::root(&leaves), header.root, "one root, two readings");
	Window { header, leaves }
}

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Attempt {
	/// Another true leaf of the delivery, with its own path.
	OtherDelivered,
	/// Another true leaf of the window, with its own path.
	OtherSigned,
	/// A leaf that nobody knows, on the right path of the delivery.
	MadeUpDelivered,
	/// The same of the window.
	MadeUpSigned,
	/// The node above the right leaf of the delivery, with the rest of its path.
	NodeDelivered,
	/// The same of the window.
	NodeSigned,
	/// The delivery's leaves in another order, as if they had been asked for so.
	OtherOrder,
	/// A receipt for the leaves in another order, all of which fits, with the signature of the honest one.
	ForgedOrder,
	/// A receipt for a chunk that nobody delivered, all of which fits, with the signature of the honest one.
	ForgedChunk,
	/// A receipt for the same bytes under a header with chunks of another size, all of which fits, with that signature.
	ForgedSize,
	/// The honest deliveries under another price, payer, commitment or block, and a lie among them, with that signature.
	ForgedTerms,
	/// A header with larger chunks, beside the delivery as it is.
	CoarserHeader,
	/// The same, and the delivery says that it is for that one.
	CoarserDelivery,
	/// A header that differs in what has no bearing on chunks.
	OtherHeader,
	/// A delivery that says that it begins one chunk later.
	LaterDelivery,
	/// A delivery that says that it is longer.
	LongerDelivery,
	/// The way to another delivery of the receipt.
	OtherPlace,
	/// A position behind the delivery.
	Behind,
	/// Another payer.
	OtherPayer,
}

fn attempt() -> impl Strategy<Value = Attempt> {
	use Attempt::*;
	let deep = prop::sample::select(vec![
		OtherDelivered,
		OtherSigned,
		MadeUpDelivered,
		MadeUpSigned,
		NodeDelivered,
		NodeSigned,
		OtherOrder,
		ForgedOrder,
		ForgedChunk,
		ForgedSize,
		ForgedTerms,
	]);
	let others = prop::sample::select(vec![
		CoarserHeader,
		CoarserDelivery,
		OtherHeader,
		LaterDelivery,
		LongerDelivery,
		OtherPlace,
		Behind,
		OtherPayer,
	]);
	prop_oneof![4 => deep, 1 => others]
}

fn leaf(leaves: &[Hash], index: usize) -> Leaf {
	Leaf::of(leaves, index as u64).unwrap()
}

/// The node above a leaf; the leaf itself where it is the root.
fn above(leaves: &[Hash], index: usize) -> Leaf {
	let leaf = leaf(leaves, index);
	let Some((sibling, rest)) = leaf.path.split_first() else {
		return leaf;
	};
	// The lone last leaf of an uneven tree is promoted, so its sibling stands to the left.
	let is_right = index % 2 == 1 || index + 1 == leaves.len();
	let hash = match is_right {
		true => node_hash(sibling, &leaf.hash),
		false => node_hash(&leaf.hash, sibling),
	};
	Leaf {
		hash,
		path: rest.to_vec().try_into().unwrap(),
	}
}

/// Whether a leaf stands at a place.
fn stands(leaf: &Leaf, index: u64, width: u64, root: &Hash) -> bool {
	let path = leaf.path.clone();
	Proof { index, width, path }.verify(root, &leaf.hash)
}

/// The variant without the rule: receipts bind a window's root and not its header, so that any header over that root can
/// be shown.
fn convicts_by_roots(evidence: &ChunkFraud, root: &Hash) -> bool {
	let (first, index) = (u64::from(evidence.delivery.first), u64::from(evidence.index));
	evidence.header.root == *root
		&& evidence.delivered.hash != evidence.signed.hash
		&& stands(&evidence.signed, first + index, evidence.header.chunks.into(), root)
		&& stands(
			&evidence.delivered,
			index,
			evidence.delivery.count.into(),
			&evidence.delivery.delivered,
		)
}

/// Picks of those who try.
#[derive(Clone, Debug)]
struct Picks {
	which: [u32; 2],
	/// From where and how many.
	ranges: Vec<(u32, u32)>,
	entry: usize,
	at: u32,
	other: u32,
	hash: [u8; 32],
	whims: Whims,
	is_replay: bool,
}

fn picks() -> impl Strategy<Value = Picks> {
	let ranges = prop::collection::vec(any::<(u32, u32)>(), 2..6);
	let whims = (any::<u64>(), any::<u32>(), any::<u16>(), any::<u8>(), any::<[u8; 32]>());
	(any::<([u32; 2], usize, u32, u32, [u8; 32], bool)>(), ranges, whims).prop_map(
		|((which, entry, at, other, hash, is_replay), ranges, whims)| Picks {
			which,
			ranges,
			entry,
			at,
			other,
			hash,
			whims,
			is_replay,
		},
	)
}

/// A receipt for ranges of two windows, delivered honestly; which entry is attacked, and its window.
fn served(windows: &[Window], picks: &Picks) -> (Account, usize, Window) {
	let of_entry = |entry: usize| at_whim(&windows[(picks.which[entry % 2] % WINDOWS) as usize], &picks.whims);
	let deliveries: Vec<Delivery> = picks
		.ranges
		.iter()
		.enumerate()
		.map(|(entry, (from, many))| {
			let Window { header, leaves } = of_entry(entry);
			let first = from % header.chunks;
			let count = 1 + many % (header.chunks - first);
			delivery(&header, first, &leaves[first as usize..(first + count) as usize])
		})
		.collect();
	let entry = picks.entry % deliveries.len();
	let mut honest = account(&deliveries);
	if picks.is_replay {
		honest.receipt = sign(
			2,
			Receipt {
				kind: Kind::REPLAY,
				..honest.receipt.message
			},
		);
	}
	(honest, entry, of_entry(entry))
}

/// Evidence against a receipt that nobody signed, for a delivery in place of the one at `entry`: everything fits but the
/// signature, which is the honest one's.
fn forged(
	honest: &Account,
	entry: usize,
	lie: Delivery,
	header: &WindowHeader,
	leaves: [Leaf; 2],
	index: u32,
) -> ChunkFraud {
	let mut deliveries = honest.deliveries.clone();
	deliveries[entry] = lie;
	let mut receipt = honest.receipt.clone();
	receipt.message.root = deliveries_root(&deliveries);
	let entries: Vec<_> = deliveries.iter().map(Delivery::leaf).collect();
	let [delivered, signed] = leaves;
	ChunkFraud {
		receipt,
		payer: honest.payer,
		delivery: lie,
		place: Proof::new(&entries, entry as u64).unwrap(),
		header: header.clone(),
		index,
		delivered,
		signed,
	}
}

/// The evidence of an attempt.
fn evidence_of(attempt: Attempt, windows: &[Window], picks: &Picks) -> (ChunkFraud, Hash) {
	let (account, entry, window) = served(windows, picks);
	let window = &window;
	let delivery = account.deliveries[entry];
	let (first, count) = (delivery.first as usize, delivery.count as usize);
	let delivered = &window.leaves[first..first + count];
	let index = picks.at as usize % count;
	let entries: Vec<_> = account.deliveries.iter().map(Delivery::leaf).collect();
	let mut evidence = ChunkFraud {
		receipt: account.receipt.clone(),
		payer: account.payer,
		delivery,
		place: Proof::new(&entries, entry as u64).unwrap(),
		header: window.header.clone(),
		index: index as u32,
		delivered: leaf(delivered, index),
		signed: leaf(&window.leaves, first + index),
	};
	let (elsewhere, made_up) = (picks.other as usize, Hash(picks.hash));
	// The delivery as a liar would have it.
	let lie = |leaves: &[Hash]| Delivery {
		delivered: merkle::root(leaves),
		..delivery
	};
	let reordered = {
		let mut order = delivered.to_vec();
		order.rotate_left(elsewhere % count);
		order
	};
	match attempt {
		Attempt::OtherDelivered => evidence.delivered = leaf(delivered, elsewhere % count),
		Attempt::OtherSigned => evidence.signed = leaf(&window.leaves, elsewhere % window.leaves.len()),
		Attempt::MadeUpDelivered => evidence.delivered.hash = made_up,
		Attempt::MadeUpSigned => evidence.signed.hash = made_up,
		Attempt::NodeDelivered => evidence.delivered = above(delivered, index),
		Attempt::NodeSigned => evidence.signed = above(&window.leaves, first + index),
		Attempt::OtherOrder => evidence.delivered = leaf(&reordered, index),
		Attempt::ForgedOrder => {
			let leaves = [leaf(&reordered, index), evidence.signed];
			evidence = forged(&account, entry, lie(&reordered), &window.header, leaves, index as u32);
		},
		Attempt::ForgedChunk => {
			let mut bad = delivered.to_vec();
			bad[index] = made_up;
			let leaves = [leaf(&bad, index), evidence.signed];
			evidence = forged(&account, entry, lie(&bad), &window.header, leaves, index as u32);
		},
		Attempt::ForgedSize => {
			// A range of the coarser reading, in the leaves of the finer one.
			let second = coarser(window, 1 + picks.other % 3);
			let at = first.min(second.leaves.len() - 1);
			let many = count.min(second.leaves.len() - at).min(window.leaves.len() - at);
			let finer = &window.leaves[at..at + many];
			let index = index % many;
			let lie = Delivery {
				header: second.header.hash(),
				first: at as u32,
				count: many as u32,
				delivered: merkle::root(finer),
			};
			let leaves = [leaf(finer, index), leaf(&second.leaves, at + index)];
			evidence = forged(&account, entry, lie, &second.header, leaves, index as u32);
		},
		Attempt::ForgedTerms => {
			let mut bad = delivered.to_vec();
			bad[index] = made_up;
			let leaves = [leaf(&bad, index), evidence.signed];
			evidence = forged(&account, entry, lie(&bad), &window.header, leaves, index as u32);
			let receipt = &mut evidence.receipt.message;
			match picks.other % 4 {
				0 => receipt.price = picks.whims.0,
				1 => receipt.commitment = made_up,
				2 => receipt.block -= 1,
				_ => receipt.bytes = picks.whims.0,
			}
		},
		Attempt::CoarserHeader | Attempt::CoarserDelivery => {
			let second = coarser(window, 1 + picks.other % 3);
			// A place that both readings have.
			let at = (first + index).min(second.leaves.len() - 1);
			evidence.signed = leaf(&second.leaves, at);
			evidence.header = second.header;
			if attempt == Attempt::CoarserDelivery {
				evidence.delivery.header = evidence.header.hash();
			}
		},
		Attempt::OtherHeader => {
			evidence.header.flags ^= 1;
			evidence.header.root = made_up;
		},
		Attempt::LaterDelivery => {
			evidence.delivery.first += 1;
			evidence.signed = leaf(&window.leaves, (first + index + 1) % window.leaves.len());
		},
		Attempt::LongerDelivery => evidence.delivery.count += 1 + picks.other % 3,
		Attempt::OtherPlace => {
			let other = (entry + 1 + elsewhere % (entries.len() - 1)) % entries.len();
			evidence.place = Proof::new(&entries, other as u64).unwrap();
			evidence.delivered.hash = made_up;
		},
		Attempt::Behind => evidence.index = count as u32 + picks.other % 3,
		Attempt::OtherPayer => {
			evidence.payer.account.0 = BOB.into();
			evidence.delivered.hash = made_up;
		},
	}
	(evidence, window.header.root)
}

/// How many attempts there are.
fn cases() -> u32 {
	match std::env::var("FRAMING_CASES") {
		Ok(cases) => cases.parse().expect("FRAMING_CASES is a number"),
		Err(_) => CASES,
	}
}

/// Which check refused.
fn depth(error: sp_runtime::DispatchError) -> Option<usize> {
	CHECKS.iter().position(|(_, check)| error == check().into())
}

#[test]
fn who_follows_the_protocol_is_not_punished() {
	ExtBuilder.build_and_execute(|| {
		System::set_block_number(10);
		let windows: Vec<_> = (0..WINDOWS).map(window).collect();
		let depths = RefCell::new(BTreeMap::<usize, u32>::new());
		let by_roots = RefCell::new(0);
		let cases = cases();
		let config = ProptestConfig {
			cases,
			..ProptestConfig::default()
		};
		let outcome = TestRunner::new(config).run(&(attempt(), picks()), |(attempt, picks)| {
			let (evidence, root) = evidence_of(attempt, &windows, &picks);
			*by_roots.borrow_mut() += u32::from(convicts_by_roots(&evidence, &root));
			let outcome = report_by(ALICE, evidence);
			prop_assert!(outcome.is_err(), "an honest relayer was punished: {:?}", attempt);
			let error = outcome.unwrap_err().error;
			let depth = depth(error);
			prop_assert!(depth.is_some(), "{:?} ends for another reason: {:?}", attempt, error);
			*depths.borrow_mut().entry(depth.unwrap_or_default()).or_default() += 1;
			Ok(())
		});
		assert_ok!(outcome);
		let depths = depths.into_inner();
		let named: Vec<_> = depths.iter().map(|(depth, count)| (CHECKS[*depth].0, *count)).collect();
		println!("{named:?}");
		// Every check is reached but that of age, and the last ones most.
		assert_eq!(depths.len(), CHECKS.len() - 1, "{named:?}");
		let deep: u32 = depths.range(DEEP..).map(|(_, count)| *count).sum();
		assert!(deep >= cases / 1_000 * DEEP_PER_MILLE, "{deep} of {cases}: {named:?}");
		// Where receipts bind roots alone, a second header over one of them convicts the honest.
		assert!(by_roots.into_inner() > cases / 200, "the attack works on the variant");
		assert_eq!(total(&RELAYER), ENDOWMENT);
		assert!(Registry::is_bonded(&RELAYER));
	});
}

/// Each forgery is one by its signature alone: as the relayer's own word it convicts.
#[test]
fn what_is_forged_would_convict_if_it_were_signed() {
	let windows: Vec<_> = (0..WINDOWS).map(window).collect();
	let convicted = RefCell::new(BTreeMap::<Attempt, u32>::new());
	let config = ProptestConfig {
		cases: 300,
		..ProptestConfig::default()
	};
	let forgeries = prop::sample::select(vec![
		Attempt::ForgedOrder,
		Attempt::ForgedChunk,
		Attempt::ForgedSize,
		Attempt::ForgedTerms,
	]);
	let outcome = TestRunner::new(config).run(&(forgeries, picks()), |(attempt, picks)| {
		ExtBuilder.build_and_execute(|| {
			System::set_block_number(10);
			let (mut evidence, _) = evidence_of(attempt, &windows, &picks);
			evidence.receipt = sign(2, evidence.receipt.message);
			if report_by(ALICE, evidence).is_ok() {
				*convicted.borrow_mut().entry(attempt).or_default() += 1;
			}
		});
		Ok(())
	});
	assert_ok!(outcome);
	let convicted = convicted.into_inner();
	assert!(
		convicted.len() == 4 && convicted.values().all(|count| *count > 20),
		"{convicted:?}"
	);
}

/// Asked for 5, 3, 4 an honest relayer signs chunks 3 to 5. The variant without that rule, a tree over the order of the
/// request, is punished for having been honest.
#[test]
fn nobody_is_framed_by_the_order_of_a_request() {
	ExtBuilder.build_and_execute(|| {
		let Window { header, leaves } = window(9);
		let as_asked = [leaves[5], leaves[3], leaves[4]];
		let find = |account: &Account| ChunkFraud::find(account, 0, &header, &leaves, &as_asked).unwrap();
		let honest = account(&[delivery(&header, 3, &leaves[3..6])]);
		assert_noop!(report(find(&honest)), Error::<Test>::DeliveredPath);
		let by_order = account(&[delivery(&header, 3, &as_asked)]);
		assert_ok!(report(find(&by_order)));
	});
}

/// A broadcaster may sign as many headers for one place as it likes: a delivery is of the one that it names.
#[test]
fn nobody_is_framed_by_a_second_header_for_one_place() {
	ExtBuilder.build_and_execute(|| {
		let (one, mut two) = (window(9), window(9));
		two.leaves.reverse();
		two.header = header_over(9, &two.leaves);
		assert!(one.header.conflicts_with(&two.header));
		let honest = account(&[&one, &two].map(|window| delivery(&window.header, 0, &window.leaves)));
		for (at, header) in [(0, &two.header), (1, &one.header)] {
			let (delivered, signed) = if at == 0 { (&one, &two) } else { (&two, &one) };
			let evidence = ChunkFraud::find(&honest, at, header, &signed.leaves, &delivered.leaves).unwrap();
			assert_noop!(report(evidence), Error::<Test>::Unrelated);
		}
	});
}

proptest! {
	#[test]
	fn who_signs_for_a_wrong_chunk_can_be_punished(n in 0..WINDOWS, from: u32, many: u32, at: usize, hash: [u8; 32]) {
		ExtBuilder.build_and_execute(|| {
			let Window { header, leaves } = window(n);
			let first = from % header.chunks;
			let count = 1 + many % (header.chunks - first);
			let mut delivered = leaves[first as usize..(first + count) as usize].to_vec();
			delivered[at % count as usize] = Hash(hash);
			let other = window((n + 1) % WINDOWS);
			let entries = [delivery(&other.header, 0, &other.leaves), delivery(&header, first, &delivered)];
			assert_ok!(report(ChunkFraud::find(&account(&entries), 1, &header, &leaves, &delivered).unwrap()));
			assert!(!Registry::is_bonded(&RELAYER));
		});
	}
}
