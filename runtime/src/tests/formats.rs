//! Room in the formats: what is sold one day is paid by the calls that there are.

use super::*;
use clustercast_primitives::{
	amount::{ticket_bytes, TICKET_BYTES, USDC},
	catalog::Protection,
	chain::{TicketRefusal, TicketVerdict},
	crypto::sha256,
	fraud::{Account, ChunkFraud},
	merkle,
	notice::RelayerProof,
	receipt::{deliveries_root, Kind, PayerOpening},
	ticket, Delivery, Receipt, StreamId, Ticket, Voucher, WindowHeader, WinningTicket,
};
use pallet_ticket_broker::Call as Broker;
use sp_runtime::BoundedVec;

const BROADCASTER: Sr25519Keyring = Sr25519Keyring::Dave;
const VIEWER: Sr25519Keyring = Sr25519Keyring::Eve;
const RELAYER: Sr25519Keyring = Sr25519Keyring::Ferdie;

/// Most that Eve's session may spend by bytes, and beside.
const LIMITS: (Balance, Balance) = (30 * USDC, 40 * USDC);

fn submit(who: Sr25519Keyring, call: impl Into<RuntimeCall>) {
	assert_ok!(apply(signed(who, call)));
}

/// A chain where Dave has a stream with key 1, Ferdie relays with key 3, and Eve has a session with key 2.
fn with_everybody(test: impl FnOnce()) {
	in_first_block(crate::genesis::LOCAL, || {
		submit(BROADCASTER, new_stream(key(1).public()));
		let account = raw(RELAYER);
		let address = b"/ip4/203.0.113.7".to_vec().try_into().unwrap();
		let register = pallet_relayer_registry::Call::register {
			signing_key: key(3).public(),
			proof: key(3).sign(RelayerProof { account }, &genesis_hash()).signature,
			addresses: vec![address].try_into().unwrap(),
			price_per_gb: 1_000_000,
			bond: 10 * USDC,
		};
		submit(RELAYER, register);
		submit(VIEWER, Broker::deposit { amount: 50 * USDC });
		submit(VIEWER, authorize(VIEWER, &key(2), LIMITS.0, LIMITS.1));
		test();
	});
}

/// The last expiry that is on the grid and not too far.
fn latest() -> BlockNumber {
	(System::block_number() + constants::MAX_TICKET_LIFE) / ticket::EXPIRY_GRID * ticket::EXPIRY_GRID
}

/// Eve's ticket for Ferdie that always wins, and is paid by whoever shows `secret`.
fn certain(
	nonce: u64,
	kind: Kind,
	context: RawHash,
	bytes: u64,
	face_value: Balance,
	secret: RawHash,
) -> WinningTicket {
	let ticket = Ticket {
		sender: raw(VIEWER),
		session: key(2).public(),
		recipient: raw(RELAYER),
		stream: StreamId(0),
		kind,
		context,
		bytes,
		face_value,
		win_probability: ticket::CERTAIN,
		commitment: ticket::commitment(&secret),
		nonce,
		expiry: latest(),
	};
	WinningTicket {
		signed: key(2).sign(ticket, &genesis_hash()),
		rand: secret,
	}
}

/// Eve's voucher for Ferdie.
fn voucher(kind: Kind, context: RawHash, terms: u32, bytes: u64, amount: Balance) -> Voucher {
	Voucher {
		sender: raw(VIEWER),
		session: key(2).public(),
		recipient: raw(RELAYER),
		stream: StreamId(0),
		kind,
		context,
		terms,
		amount,
		bytes,
		expiry: latest(),
	}
}

/// What events of this block say of payments since `event`.
fn verdicts(event: usize) -> Vec<TicketVerdict> {
	use pallet_ticket_broker::Event::*;
	let events = System::events().into_iter().skip(event);
	let verdict = |record: frame_system::EventRecord<_, _>| match record.event {
		RuntimeEvent::TicketBroker(TicketRedeemed { payout, .. } | VoucherRedeemed { payout, .. }) => {
			Some(TicketVerdict::Accepted(payout))
		},
		RuntimeEvent::TicketBroker(TicketRefused { reason, .. } | VoucherRefused { reason, .. }) => {
			Some(TicketVerdict::Refused(reason))
		},
		_ => None,
	};
	events.filter_map(verdict).collect()
}

/// What becomes of it in a block.
fn redeem(winning: WinningTicket) -> TicketVerdict {
	let before = System::events().len();
	let tickets = vec![winning].try_into().unwrap();
	submit(RELAYER, Broker::redeem_batch { tickets });
	verdicts(before)[0]
}

/// What becomes of it in a block.
fn redeem_voucher(voucher: Voucher) -> TicketVerdict {
	let before = System::events().len();
	let vouchers = vec![key(2).sign(voucher, &genesis_hash())].try_into().unwrap();
	submit(RELAYER, Broker::redeem_vouchers { vouchers });
	verdicts(before)[0]
}

/// What was paid in all; nothing where it was refused.
fn paid(verdict: TicketVerdict) -> Balance {
	match verdict {
		TicketVerdict::Accepted(payout) => payout.relayer + payout.broadcaster + payout.treasury,
		TicketVerdict::Refused(_) => 0,
	}
}

/// What Eve's session has spent by bytes, and beside.
fn spent() -> (Balance, Balance) {
	let account = TicketBroker::viewer_account(&VIEWER.to_account_id());
	(account.sessions[0].spent, account.sessions[0].extra_spent)
}

/// The key of an encrypted window is bought by a hash lock: who is paid shows it to everybody, so to the viewer.
#[test]
fn content_key_is_bought_by_a_certain_ticket() {
	with_everybody(|| {
		let protection = Protection {
			scheme: 1,
			key_id: [7; 16],
			tracks: BoundedVec::default(),
		};
		let context = sha256(&[&protection.key_id]);
		let content_key = RawHash([0x5e; 32]);
		let price = 20 * USDC;
		let ticket = certain(0, Kind::ACCESS, context, 0, price, content_key);
		// The seller knows the lock alone before it is signed: without the key nothing is paid.
		let mut without = ticket.clone();
		without.rand = RawHash([0; 32]);
		assert_eq!(redeem(without), TicketVerdict::Refused(TicketRefusal::WrongSecret));
		assert_eq!(paid(redeem(ticket.clone())), price);
		assert_eq!(spent(), (0, price));
		// It stands in the block.
		let call = RuntimeCall::from(Broker::redeem_batch {
			tickets: vec![ticket].try_into().unwrap(),
		});
		let extrinsic = signed(RELAYER, call).encode();
		assert!(extrinsic.windows(32).any(|bytes| bytes == content_key.0));
		// By bytes nothing is so dear: one unit costs at most 0.66 USDC here.
		let by_bytes = certain(1, Kind::LIVE, context, TICKET_BYTES, price, content_key);
		assert_eq!(redeem(by_bytes), TicketVerdict::Refused(TicketRefusal::PriceAboveBound));
		// And it says nothing of a relayer.
		assert_eq!(RelayerRegistry::reputation(&RELAYER.to_account_id()).value, 0);
	});
}

#[test]
fn capacity_is_paid_by_ticket_and_by_voucher() {
	with_everybody(|| {
		let contract = sha256(&[b"room on an uplink for an hour"]);
		let ticket = certain(0, Kind::CAPACITY, contract, 0, 15 * USDC, RawHash([6; 32]));
		assert_eq!(paid(redeem(ticket)), 15 * USDC);
		let owed = |amount| voucher(Kind::CAPACITY, contract, 0, 0, amount);
		assert_eq!(paid(redeem_voucher(owed(10 * USDC))), 10 * USDC);
		assert_eq!(paid(redeem_voucher(owed(12 * USDC))), 2 * USDC);
		assert_eq!(spent(), (0, 27 * USDC));
		let of_another = voucher(Kind::CAPACITY, sha256(&[b"another"]), 0, 0, 12 * USDC);
		assert_eq!(paid(redeem_voucher(of_another)), 12 * USDC);
		// As far as the limit goes, and no further.
		assert_eq!(paid(redeem_voucher(owed(14 * USDC))), USDC);
		assert_eq!(
			redeem_voucher(owed(14 * USDC)),
			TicketVerdict::Refused(TicketRefusal::SessionLimitReached)
		);
	});
}

/// A live window of 100,000 bytes is paid as two units.
#[test]
fn live_ticket_is_for_rounded_bytes() {
	with_everybody(|| {
		let live = |nonce, bytes| certain(nonce, Kind::LIVE, RawHash([0; 32]), bytes, USDC, RawHash([6; 32]));
		let refused = TicketVerdict::Refused(TicketRefusal::BadBytes);
		assert_eq!(redeem(live(0, 100_000)), refused);
		let rounded = clustercast_primitives::amount::ticket_bytes(100_000);
		assert_eq!(rounded, 2 * TICKET_BYTES);
		assert_eq!(paid(redeem(live(0, rounded))), USDC);
		assert_eq!(spent(), (USDC, 0));
		assert_eq!(RelayerRegistry::reputation(&RELAYER.to_account_id()).bytes, rounded);
	});
}

#[test]
fn repair_receipt_accuses_nobody() {
	with_everybody(|| {
		let right = merkle::leaves(&[7; 40_000], merkle::DEFAULT_CHUNK_LOG2);
		let mut wrong = right.clone();
		wrong[1] = RawHash([1; 32]);
		let header = WindowHeader {
			id: Default::default(),
			number: 0,
			history: merkle::empty_root(),
			flags: 0,
			start_ms: 0,
			duration_ms: 2_000,
			bytes: 40_000,
			chunks: 3,
			chunk_log2: merkle::DEFAULT_CHUNK_LOG2,
			root: merkle::root(&right),
			catalog: RawHash([0; 32]),
			ext: RawHash([0; 32]),
		};
		let delivery = Delivery {
			header: header.hash(),
			first: 0,
			count: 3,
			delivered: merkle::root(&wrong),
		};
		let payer = PayerOpening {
			salt: RawHash([8; 32]),
			account: raw(VIEWER),
			session: key(2).public(),
		};
		let report = |kind| {
			let receipt = Receipt {
				kind,
				context: RawHash([0; 32]),
				payer: payer.hash(),
				payee: raw(RELAYER),
				key: key(3).public(),
				stream: StreamId(0),
				root: deliveries_root(&[delivery]),
				bytes: 40_000,
				price: 1_000_000,
				commitment: RawHash([4; 32]),
				block: System::block_number(),
			};
			let account = Account {
				receipt: key(3).sign(receipt, &genesis_hash()),
				payer,
				deliveries: vec![delivery],
			};
			let evidence = ChunkFraud::find(&account, 0, &header, &right, &wrong).unwrap();
			let evidence = Box::new(evidence);
			apply(signed(
				VIEWER,
				pallet_fraud_proofs::Call::report_invalid_chunk { evidence },
			))
		};
		let is_bonded = || RelayerRegistry::is_bonded(&RELAYER.to_account_id());
		for kind in [Kind::REPAIR, Kind::CAPACITY] {
			let refused = pallet_fraud_proofs::Error::<Runtime>::NotByChunks.into();
			assert_eq!(report(kind), Err(refused));
		}
		assert!(is_bonded());
		// For the same chunks a receipt that says something by chunks convicts.
		assert_ok!(report(Kind::LIVE));
		assert!(!is_bonded());
	});
}

#[test]
fn vouchers_of_two_terms_are_paid_side_by_side() {
	with_everybody(|| {
		let terms = StreamTerms {
			price_per_gb: 20_000_000_000,
			max_surge_ppm: PPM,
			broadcaster_share_ppm: 300_000,
		};
		let counter = || StreamKeys::stream_key(StreamId(0)).unwrap().terms_counter;
		while System::block_number() < ticket::EXPIRY_GRID {
			next_block();
		}
		let id = StreamId(0);
		submit(BROADCASTER, pallet_stream_keys::Call::set_terms { id, terms });
		let share = |verdict| match verdict {
			TicketVerdict::Accepted(payout) => Ok(payout.broadcaster),
			TicketVerdict::Refused(reason) => Err(reason),
		};
		let live =
			|terms, amount: Balance| voucher(Kind::LIVE, RawHash([0; 32]), terms, ticket_bytes(amount as u64), amount);
		assert_eq!(share(redeem_voucher(live(0, USDC))), Ok(USDC / 10));
		let mut last = live(0, 2 * USDC);
		while counter() == 0 {
			last.expiry = latest();
			next_block();
		}
		assert_eq!(System::block_number(), ticket::EXPIRY_GRID + constants::MAX_TICKET_LIFE);
		// Signed before and redeemed now, by the terms of before; and beside it what is owed by those of now.
		assert_eq!(share(redeem_voucher(live(1, USDC))), Ok(3 * USDC / 10));
		assert_eq!(share(redeem_voucher(last)), Ok(USDC / 10));
		// What is owed by terms that ended is paid for as long again, also where it is little.
		assert_eq!(share(redeem_voucher(live(0, 2 * USDC + 10))), Ok(1));
		assert_eq!(
			share(redeem_voucher(live(1, USDC + 10))),
			Err(TicketRefusal::FaceValueTooSmall)
		);
		while System::block_number() < ticket::EXPIRY_GRID + 2 * constants::MAX_TICKET_LIFE {
			next_block();
		}
		assert_eq!(share(redeem_voucher(live(0, 3 * USDC))), Err(TicketRefusal::WrongTerms));
		let places = [live(0, 0), live(1, 0)].map(|voucher| voucher.place());
		let amounts = TicketBroker::vouchers_paid(&places).into_iter().map(|paid| paid.amount);
		assert_eq!(amounts.collect::<Vec<_>>(), [2 * USDC + 10, USDC]);
	});
}
