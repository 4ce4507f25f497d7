//! Evidence both ways: each lie has its error, and no choice of paths and positions makes the honest look guilty.

use super::*;
use crate::{
	crypto::{AccountId, KeyPair, PublicKey},
	history::History,
	merkle,
	receipt::{deliveries_root, payer, Kind},
	status::State,
	window, Receipt,
};
use proptest::prelude::*;

const GENESIS: Hash = Hash([7; 32]);
const LOG2: u8 = merkle::DEFAULT_CHUNK_LOG2;

fn opening() -> PayerOpening {
	PayerOpening {
		salt: Hash([3; 32]),
		account: AccountId([4; 32]),
		session: PublicKey([5; 32]),
	}
}

/// A receipt over these deliveries, as a relayer signs it.
fn account(deliveries: Vec<Delivery>) -> Account {
	let key = KeyPair::from_seed([2; 32]);
	let receipt = Receipt {
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		payer: payer(&opening().salt, &opening().account, &opening().session),
		payee: AccountId([6; 32]),
		key: key.public(),
		stream: StreamId(1),
		root: deliveries_root(&deliveries),
		bytes: 1,
		price: 1_000_000,
		commitment: Hash([4; 32]),
		block: 100,
	};
	Account {
		receipt: key.sign(receipt, &GENESIS),
		payer: opening(),
		deliveries,
	}
}

/// The delivery of chunks `first..first + count` of the window with this header, with these leaves.
fn delivery(header: &WindowHeader, first: u32, leaves: &[Hash]) -> Delivery {
	Delivery {
		header: header.hash(),
		first,
		count: leaves.len() as u32,
		delivered: merkle::root(leaves),
	}
}

/// Evidence over a window of `signed` and its chunks from `first` on as `delivered`, by a relayer that signs what it
/// sent, with an honest delivery before it.
fn fraud(signed: &[u8], first: u32, delivered: &[u8]) -> Option<ChunkFraud> {
	let other = window::tests::header(3, b"other");
	let header = window::tests::header(4, signed);
	let (signed, delivered) = (merkle::leaves(signed, LOG2), merkle::leaves(delivered, LOG2));
	let honest = delivery(&other, 0, &merkle::leaves(b"other", LOG2));
	let account = account([honest, delivery(&header, first, &delivered)].to_vec());
	ChunkFraud::find(&account, 1, &header, &signed, &delivered)
}

fn evidence() -> ChunkFraud {
	let mut wrong = [5; 100_000];
	wrong[60_000] ^= 1;
	fraud(&[5; 100_000], 2, &wrong[2 << LOG2..]).unwrap()
}

#[test]
fn wrong_chunk_is_shown() {
	let evidence = evidence();
	assert_eq!((evidence.delivery.first, evidence.index), (2, 1));
	assert_eq!(evidence.check(), Ok(()));
	assert!(fraud(&[5; 100_000], 2, &[5; 100_000][2 << LOG2..]).is_none());
	assert!(
		fraud(&[5; 100_000], 3, &[6; 100_000][2 << LOG2..]).is_none(),
		"beyond the window"
	);
}

#[test]
fn evidence_is_short() {
	let data = alloc::vec![5; window::MAX_WINDOW_BYTES as usize];
	let mut header = window::tests::header(4, &data);
	let signed = merkle::leaves(&data, 12);
	(header.chunk_log2, header.chunks, header.root) = (12, signed.len() as u32, merkle::root(&signed));
	let mut delivered = signed.clone();
	delivered[77] = Hash([9; 32]);
	let account = account(alloc::vec![delivery(&header, 0, &delivered); 256]);
	let evidence = ChunkFraud::find(&account, 255, &header, &signed, &delivered).unwrap();
	assert_eq!(evidence.check(), Ok(()));
	assert_eq!(evidence.encode().len(), MAX_CHUNK_FRAUD_BYTES);
	const { assert!(MAX_CHUNK_FRAUD_BYTES <= 2_048) };
}

#[test]
fn each_lie_has_its_error() {
	let check = |change: fn(&mut ChunkFraud)| {
		let mut evidence = evidence();
		change(&mut evidence);
		evidence.check()
	};
	for kind in [Kind::REPAIR, Kind::CAPACITY, Kind::ACCESS, Kind(200)] {
		let mut evidence = evidence();
		evidence.receipt.message.kind = kind;
		assert_eq!(evidence.check(), Err(FraudError::NotByChunks), "{kind}");
	}
	assert_eq!(check(|e| e.payer.account.0[0] ^= 1), Err(FraudError::Payer));
	assert_eq!(check(|e| e.delivery.first -= 1), Err(FraudError::DeliveryPath));
	assert_eq!(check(|e| e.place.index = 0), Err(FraudError::DeliveryPath));
	assert_eq!(
		check(|e| e.receipt.message.root = Hash([0; 32])),
		Err(FraudError::DeliveryPath)
	);
	assert_eq!(check(|e| e.header.chunks += 1), Err(FraudError::Unrelated));
	assert_eq!(check(|e| e.index = 5), Err(FraudError::Range));
	assert_eq!(check(|e| e.delivered = e.signed.clone()), Err(FraudError::SameLeaf));
	assert_eq!(check(|e| e.index = 2), Err(FraudError::SignedPath));
	assert_eq!(check(|e| e.signed.hash = Hash([9; 32])), Err(FraudError::SignedPath));
	assert_eq!(
		check(|e| e.delivered.hash = Hash([9; 32])),
		Err(FraudError::DeliveredPath)
	);
	assert_eq!(
		check(|e| e.delivered.path.try_push(Hash([9; 32])).unwrap()),
		Err(FraudError::DeliveredPath)
	);
}

/// Flags, items, tracks and sizes that are invented later end no evidence.
#[test]
fn what_is_unknown_in_a_header_ends_nothing() {
	let data = [5; 100_000];
	let mut header = window::tests::header(4, &data);
	header.flags = u16::MAX;
	header.ext = Hash([8; 32]);
	header.chunk_log2 = 200;
	let signed = merkle::leaves(&data, LOG2);
	let mut delivered = signed.clone();
	delivered[6] = Hash([9; 32]);
	let account = account([delivery(&header, 0, &delivered)].to_vec());
	let evidence = ChunkFraud::find(&account, 0, &header, &signed, &delivered).unwrap();
	assert_eq!(evidence.check(), Ok(()));
}

/// The broadcaster signs a second header over the same root with chunks of twice the size: there an inner node of the
/// honest tree is a leaf. Where roots are bound, the honest relayer is convicted; where headers are, it is not.
#[test]
fn nobody_is_framed_by_another_size_of_chunks() {
	let data = [5; 4 << 14];
	let honest_header = window::tests::header(4, &data);
	let leaves = merkle::leaves(&data, LOG2);
	let parents: Vec<Hash> = leaves
		.chunks(2)
		.map(|pair| merkle::node_hash(&pair[0], &pair[1]))
		.collect();
	let mut second = honest_header.clone();
	(second.chunk_log2, second.chunks) = (15, 2);
	assert_eq!(merkle::root(&parents), second.root, "one root, two readings");

	// The relayer delivered honestly what `honest_header` says.
	let account = account([delivery(&honest_header, 0, &leaves)].to_vec());
	let framed = |header: &WindowHeader, index: u32, delivered: Leaf, signed: Leaf| ChunkFraud {
		receipt: account.receipt.clone(),
		payer: account.payer,
		delivery: account.deliveries[0],
		place: Proof::new(&[account.deliveries[0].leaf()], 0).unwrap(),
		header: header.clone(),
		index,
		delivered,
		signed,
	};
	for index in 0..2 {
		let leaf_here = Leaf::of(&leaves, index.into()).unwrap();
		let node_there = Leaf::of(&parents, index.into()).unwrap();
		let by_second = framed(&second, index, leaf_here.clone(), node_there.clone());
		assert_eq!(by_second.check(), Err(FraudError::Unrelated));
		// The variant: a receipt that binds only the root, and so leaves open which header its width is from.
		let signed_stands = node_there.stands(index.into(), 2, &second.root);
		let delivered_stands = leaf_here.stands(index.into(), 4, &account.deliveries[0].delivered);
		assert!(
			signed_stands && delivered_stands && leaf_here.hash != node_there.hash,
			"the attack on the variant"
		);
	}
}

/// Chunks asked for in another order than they stand in: the tree is over ascending positions, so the position in the
/// request is nothing that evidence could be made of.
#[test]
fn nobody_is_framed_by_the_order_of_a_request() {
	let data: Vec<u8> = (0..100_000).map(|i| (i >> LOG2) as u8).collect();
	let header = window::tests::header(4, &data);
	let leaves = merkle::leaves(&data, LOG2);
	// Asked for 5, 3, 4: an honest relayer signs chunks 3 to 5 in order.
	let honest = account([delivery(&header, 3, &leaves[3..6])].to_vec());
	let as_asked = [leaves[5], leaves[3], leaves[4]];
	assert!(ChunkFraud::find(&honest, 0, &header, &leaves, &leaves[3..6]).is_none());
	let forged = ChunkFraud::find(&honest, 0, &header, &leaves, &as_asked).unwrap();
	assert_eq!(forged.check(), Err(FraudError::DeliveredPath));
	// The variant without the rule: a tree over the order of the request convicts the honest.
	let by_order = account([delivery(&header, 3, &as_asked)].to_vec());
	let convicted = ChunkFraud::find(&by_order, 0, &header, &leaves, &as_asked).unwrap();
	assert_eq!(convicted.check(), Ok(()));
}

fn sign<M: SignedMessage>(message: M) -> Signed<M> {
	KeyPair::from_seed([1; 32]).sign(message, &GENESIS)
}

#[test]
fn two_headers_for_one_place_conflict() {
	let check = |first, second| Equivocation::Headers { first, second }.check();
	let header = |segment, data: &[u8]| sign(window::tests::header(segment, data));
	assert_eq!(check(header(1, b"a"), header(1, b"b")), Ok(()));
	assert_eq!(check(header(1, b"a"), header(1, b"a")), Err(FraudError::NoConflict));
	assert_eq!(check(header(1, b"a"), header(2, b"b")), Err(FraudError::NoConflict));
}

#[test]
fn history_that_leaves_a_header_out_conflicts_with_it() {
	let mut history = History::default();
	let mut chain = Vec::new();
	for segment in 0..9 {
		let mut header = window::tests::header(segment, &[segment as u8; 9]);
		(header.number, header.history) = (history.count(), history.root());
		assert!(history.append(header.hash()));
		chain.push(header);
	}
	let hashes: Vec<Hash> = chain.iter().map(WindowHeader::hash).collect();
	// Another header of number 4 with a place of its own, so that the places alone show nothing.
	let mut left_out = chain[4].clone();
	left_out.id.part = 7;
	let check = |earlier: &WindowHeader, later: &WindowHeader, leaf| {
		let (earlier, later) = (sign(earlier.clone()), sign(later.clone()));
		Equivocation::History { earlier, later, leaf }.check()
	};
	let leaf = Leaf::of(&hashes[..8], 4).unwrap();
	assert_eq!(check(&left_out, &chain[8], leaf.clone()), Ok(()));
	assert_eq!(
		check(&chain[4], &chain[8], leaf.clone()),
		Err(FraudError::NoConflict),
		"it is there"
	);
	assert_eq!(
		check(&left_out, &chain[3], leaf.clone()),
		Err(FraudError::NoConflict),
		"an earlier one"
	);
	assert_eq!(
		check(&left_out, &chain[7], leaf.clone()),
		Err(FraudError::NoConflict),
		"another history"
	);
	let mut elsewhere = left_out.clone();
	elsewhere.id.epoch += 1;
	assert_eq!(
		check(&elsewhere, &chain[8], leaf),
		Err(FraudError::NoConflict),
		"another epoch"
	);
}

#[test]
fn two_statuses_or_catalogs_of_one_number_conflict() {
	let status = |number, state| {
		sign(Status {
			stream: StreamId(1),
			epoch: 9,
			number,
			state,
			at_ms: 5,
			valid_ms: 5,
			after: Hash([0; 32]),
			tracks: Hash([0; 32]),
		})
	};
	let check = |first, second| Equivocation::Statuses { first, second }.check();
	assert_eq!(check(status(1, State::Live), status(1, State::Ended)), Ok(()));
	assert_eq!(
		check(status(1, State::Live), status(2, State::Ended)),
		Err(FraudError::NoConflict)
	);
	let seal = |number, hash| {
		sign(CatalogSeal {
			stream: StreamId(1),
			epoch: 9,
			number,
			hash: Hash([hash; 32]),
		})
	};
	let check = |first, second| Equivocation::Catalogs { first, second }.check();
	assert_eq!(check(seal(1, 1), seal(1, 2)), Ok(()));
	assert_eq!(check(seal(1, 1), seal(1, 1)), Err(FraudError::NoConflict));
	assert_eq!(check(seal(1, 1), seal(2, 2)), Err(FraudError::NoConflict));
}

proptest! {
	/// Whoever signs only for what stands in the header that it names cannot be shown guilty, whatever leaf is claimed.
	/// Position and paths are right but for the one claimed side, so that the deep checks are reached.
	#[test]
	fn honest_receipt_shows_nothing(
		len in 1usize..200_000, log2 in 12u8..=16, from: u32, many: u32, at: u32, other: u32, hash: [u8; 32],
		path in prop::collection::vec(any::<[u8; 32]>(), 0..6), swap: bool, made_up: bool,
	) {
		let data: Vec<u8> = (0..len).map(|i| (i >> 12) as u8).collect();
		let leaves = merkle::leaves(&data, log2);
		let mut header = window::tests::header(4, &data);
		(header.chunk_log2, header.chunks, header.root) = (log2, leaves.len() as u32, merkle::root(&leaves));
		let first = from % header.chunks;
		let count = 1 + many % (header.chunks - first);
		let range = &leaves[first as usize..(first + count) as usize];
		let account = account([delivery(&header, first, range)].to_vec());
		let index = at % count;
		let right_signed = Leaf::of(&leaves, u64::from(first + index)).unwrap();
		let right_delivered = Leaf::of(range, index.into()).unwrap();
		let claimed = match made_up {
			true => {
				let path: Vec<Hash> = path.into_iter().map(Hash).collect();
				Leaf { hash: Hash(hash), path: path.try_into().unwrap() }
			},
			// A true leaf of the tree at another place.
			false => Leaf::of(&leaves, u64::from(other % header.chunks)).unwrap(),
		};
		let (signed, delivered) = if swap { (claimed, right_delivered) } else { (right_signed, claimed) };
		let evidence = ChunkFraud {
			receipt: account.receipt.clone(),
			payer: account.payer,
			delivery: account.deliveries[0],
			place: Proof::new(&[account.deliveries[0].leaf()], 0).unwrap(),
			header,
			index,
			delivered,
			signed,
		};
		prop_assert!(evidence.check().is_err());
	}
}
