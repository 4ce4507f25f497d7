//! Broadcaster and viewer together cannot have a relayer punished that follows the protocol; one that lies always can
//! be.
//!
//! They choose everything but what the relayer signs: which chunks are asked for in which order, what headers there are
//! over the same bytes, and all of the evidence. What they choose agrees with itself but for the one lie that each attempt
//! needs, so that the checks behind the first ones are reached.

use crate::{mock::*, Error};
use clustercast_primitives::{
	fraud::{Account, ChunkFraud, Leaf},
	merkle::{self, node_hash, Proof},
	Delivery, Hash, WindowHeader,
};
use frame_support::{assert_noop, assert_ok};
use proptest::{prelude::*, test_runner::TestRunner};
use std::{cell::RefCell, collections::BTreeMap};

/// Attempts.
const CASES: u32 = 20_000;

/// Windows that there are.
const WINDOWS: u32 = 48;

struct Window {
	header: WindowHeader,
	leaves: Vec<Hash>,
}

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

/// The same bytes in chunks of twice the size, as a second header could state them: nodes of the tree as its leaves.
fn coarser(window: &Window) -> Window {
	let pair = |pair: &[Hash]| pair.get(1).map_or(pair[0], |right| node_hash(&pair[0], right));
	let leaves: Vec<_> = window.leaves.chunks(2).map(pair).collect();
	let header = WindowHeader {
		chunks: leaves.len() as u32,
		chunk_log2: window.header.chunk_log2 + 1,
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
	/// A header with chunks of twice the size, beside the delivery as it is.
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
type Picks = ([u32; 2], [(u32, u32); 3], usize, u32, u32, [u8; 32]);

/// A receipt for three ranges of two windows, delivered honestly; which entry is attacked; its window and leaves.
fn served(windows: &[Window], (which, ranges, entry, ..): &Picks) -> (Account, usize, usize) {
	let of_entry = |entry: usize| (which[entry % 2] % WINDOWS) as usize;
	let deliveries: Vec<Delivery> = ranges
		.iter()
		.enumerate()
		.map(|(entry, (from, many))| {
			let Window { header, leaves } = &windows[of_entry(entry)];
			let first = from % header.chunks;
			let count = 1 + many % (header.chunks - first);
			delivery(header, first, &leaves[first as usize..(first + count) as usize])
		})
		.collect();
	let entry = entry % deliveries.len();
	(account(&deliveries), entry, of_entry(entry))
}

/// The evidence of an attempt.
fn evidence_of(attempt: Attempt, windows: &[Window], picks: &Picks) -> (ChunkFraud, Hash) {
	let (account, entry, window) = served(windows, picks);
	let (.., at, other, hash) = picks;
	let window = &windows[window];
	let delivery = account.deliveries[entry];
	let (first, count) = (delivery.first as usize, delivery.count as usize);
	let delivered = &window.leaves[first..first + count];
	let index = *at as usize % count;
	let entries: Vec<_> = account.deliveries.iter().map(Delivery::leaf).collect();
	let mut evidence = ChunkFraud {
		receipt: account.receipt,
		payer: account.payer,
		delivery,
		place: Proof::new(&entries, entry as u64).unwrap(),
		header: window.header.clone(),
		index: index as u32,
		delivered: leaf(delivered, index),
		signed: leaf(&window.leaves, first + index),
	};
	let (elsewhere, made_up) = (*other as usize, Hash(*hash));
	match attempt {
		Attempt::OtherDelivered => evidence.delivered = leaf(delivered, elsewhere % count),
		Attempt::OtherSigned => evidence.signed = leaf(&window.leaves, elsewhere % window.leaves.len()),
		Attempt::MadeUpDelivered => evidence.delivered.hash = made_up,
		Attempt::MadeUpSigned => evidence.signed.hash = made_up,
		Attempt::NodeDelivered => evidence.delivered = above(delivered, index),
		Attempt::NodeSigned => evidence.signed = above(&window.leaves, first + index),
		Attempt::OtherOrder => {
			let mut order = delivered.to_vec();
			order.rotate_left(elsewhere % count);
			evidence.delivered = leaf(&order, index);
		},
		Attempt::CoarserHeader | Attempt::CoarserDelivery => {
			let second = coarser(window);
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
		Attempt::LongerDelivery => evidence.delivery.count += 1 + other % 3,
		Attempt::OtherPlace => {
			let other = (entry + 1 + elsewhere % 2) % entries.len();
			evidence.place = Proof::new(&entries, other as u64).unwrap();
			evidence.delivered.hash = made_up;
		},
		Attempt::Behind => evidence.index = count as u32 + other % 3,
		Attempt::OtherPayer => {
			evidence.payer.account.0 = BOB.into();
			evidence.delivered.hash = made_up;
		},
	}
	(evidence, window.header.root)
}

#[test]
fn who_follows_the_protocol_is_not_punished() {
	ExtBuilder.build_and_execute(|| {
		let windows: Vec<_> = (0..WINDOWS).map(window).collect();
		let reasons = RefCell::new(BTreeMap::<String, u32>::new());
		let by_roots = RefCell::new(0);
		let config = ProptestConfig {
			cases: CASES,
			..ProptestConfig::default()
		};
		let outcome = TestRunner::new(config).run(&(attempt(), any::<Picks>()), |(attempt, picks)| {
			let (evidence, root) = evidence_of(attempt, &windows, &picks);
			*by_roots.borrow_mut() += u32::from(convicts_by_roots(&evidence, &root));
			let outcome = report_by(ALICE, evidence);
			prop_assert!(outcome.is_err(), "an honest relayer was punished: {:?}", attempt);
			let reason: &'static str = outcome.unwrap_err().error.into();
			*reasons.borrow_mut().entry(reason.into()).or_default() += 1;
			Ok(())
		});
		assert_ok!(outcome);
		let reasons = reasons.into_inner();
		println!("{reasons:?}");
		// Every check is reached but those of kind, age, signature and registration, and the deepest ones most.
		let count = |error: Error<Test>| {
			let name: &'static str = sp_runtime::DispatchError::from(error).into();
			reasons.get(name).copied().unwrap_or_default()
		};
		let deep = count(Error::SignedPath) + count(Error::DeliveredPath);
		assert!(deep >= 10_000, "{reasons:?}");
		for error in [
			Error::Payer,
			Error::DeliveryPath,
			Error::Unrelated,
			Error::Range,
			Error::SameLeaf,
		] {
			assert!(count(error) > 0, "{reasons:?}");
		}
		// Where receipts bind roots alone, a second header over one of them convicts the honest.
		assert!(by_roots.into_inner() > 100, "the attack works on the variant");
		assert_eq!(total(&RELAYER), ENDOWMENT);
	});
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
			assert!(total(&RELAYER) < ENDOWMENT);
		});
	}
}
