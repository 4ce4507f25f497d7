//! What the chain keeps of who watched: who paid whom for which stream, how much, in which two minutes; never which windows,
//! nor when to the second.

use super::*;
use clustercast_primitives::{
	amount::{ticket_bytes, TICKET_BYTES, USDC},
	merkle,
	notice::RelayerProof,
	receipt::{deliveries_root, Kind, PayerOpening},
	ticket::{self, EXPIRY_GRID},
	Delivery, Receipt, StreamId, Ticket, Voucher, WindowHeader, WindowId, WinningTicket,
};
use frame_support::traits::StorageInfoTrait;
use pallet_ticket_broker::{Call as Broker, Event as BrokerEvent};
use scale_info::{meta_type, PortableRegistry, Registry, TypeDef};
use std::collections::{BTreeMap, BTreeSet};

const BROADCASTER: Sr25519Keyring = Sr25519Keyring::Dave;
const VIEWER: Sr25519Keyring = Sr25519Keyring::Eve;
const RELAYER: Sr25519Keyring = Sr25519Keyring::Ferdie;

/// Windows that are watched.
const WINDOWS: u64 = 1_000;

/// Micro-USDC for each.
const PRICE: Balance = 1_000;

/// Items that hold hashes over blocks, so over whatever is signed in them: all that may differ.
const BODIES: &[&str] = &[
	":intrablock_entropy",
	"Mmr.Nodes",
	"Mmr.RootHash",
	"System.BlockHash",
	"System.Digest",
	"System.ParentHash",
];

/// Every storage item that holds the viewer's account or session key.
const HELD_IN: &[&str] = &[
	"Balances.Holds",
	"System.Account",
	"TicketBroker.Channels",
	"TicketBroker.Ends",
	"TicketBroker.Sessions",
	"TicketBroker.SessionsOf",
	"TicketBroker.Unlocks",
	"TicketBroker.VouchersPaid",
];

/// Every event that holds the viewer's account or session key.
const SHOWN_BY: &[&str] = &[
	"Balances.Held",
	"Balances.Withdraw",
	"TicketBroker.Deposited",
	"TicketBroker.SessionAuthorized",
	"TicketBroker.SessionRevoked",
	"TicketBroker.TicketRedeemed",
	"TicketBroker.UnlockRequested",
	"TicketBroker.VoucherRedeemed",
	"TransactionPayment.TransactionFeePaid",
];

/// What two people watch, which nobody shall be able to tell apart.
#[derive(Clone, Copy)]
struct Show {
	/// Makes windows, secrets and salts of its own.
	seed: u8,
	/// Block in which the viewer signs.
	signed_in: BlockNumber,
	/// Units of bytes of a window, rounded up.
	units: u64,
}

/// One show.
const MATINEE: Show = Show {
	seed: 1,
	signed_in: 60,
	units: 6,
};

/// Another one, nearly two minutes later.
const SOIREE: Show = Show {
	seed: 2,
	signed_in: 119,
	units: 6,
};

/// What the relayer signs for window `number`, whole.
fn receipt(show: Show, number: u64) -> Receipt {
	let bytes = show.units * TICKET_BYTES - u64::from(show.seed) * (1 + number % 1_000);
	let leaf = merkle::leaf_hash(&[show.seed, number as u8]);
	let header = WindowHeader {
		id: WindowId {
			stream: StreamId(0),
			track: 0,
			epoch: show.signed_in,
			segment: number + 1_000 * u64::from(show.seed),
			part: 0,
		},
		number,
		history: merkle::empty_root(),
		flags: 0,
		start_ms: 1_700_000_000_000 + u64::from(show.signed_in) * 2_000,
		duration_ms: 2_000,
		bytes: bytes as u32,
		chunks: 1,
		chunk_log2: 16,
		root: leaf,
		catalog: RawHash([show.seed; 32]),
		ext: RawHash([0; 32]),
	};
	let delivery = Delivery {
		header: header.hash(),
		first: 0,
		count: 1,
		delivered: leaf,
	};
	let payer = PayerOpening {
		salt: RawHash([show.seed; 32]),
		account: raw(VIEWER),
		session: key(2).public(),
	};
	Receipt {
		kind: Kind::LIVE,
		context: RawHash([0; 32]),
		payer: payer.hash(),
		payee: raw(RELAYER),
		key: key(3).public(),
		stream: StreamId(0),
		root: deliveries_root(&[delivery]),
		bytes,
		price: 1_000_000,
		commitment: ticket::commitment(&secret(show, number)),
		block: show.signed_in,
	}
}

/// The relayer's for window `number`.
fn secret(show: Show, number: u64) -> RawHash {
	ticket::rand(&[show.seed; 32], &key(2).public(), &RawHash([show.seed; 32]), number)
}

/// The furthest that a viewer can choose who signs in this block.
fn expiry(show: Show) -> BlockNumber {
	(show.signed_in + constants::MAX_TICKET_LIFE) / EXPIRY_GRID * EXPIRY_GRID
}

/// A ticket for each window, a hundred at a time.
fn by_tickets(show: Show) -> Vec<Broker<Runtime>> {
	let ticket = |number| {
		let receipt = receipt(show, number);
		let ticket = Ticket {
			sender: raw(VIEWER),
			session: key(2).public(),
			recipient: receipt.payee,
			stream: receipt.stream,
			kind: receipt.kind,
			context: receipt.context,
			bytes: ticket_bytes(receipt.bytes),
			face_value: PRICE,
			win_probability: ticket::CERTAIN,
			commitment: receipt.commitment,
			nonce: number,
			expiry: expiry(show),
		};
		WinningTicket {
			signed: key(2).sign(ticket, &genesis_hash()),
			rand: secret(show, number),
		}
	};
	let tickets: Vec<_> = (0..WINDOWS).map(ticket).collect();
	let batch = |tickets: &[WinningTicket]| Broker::redeem_batch {
		tickets: tickets.to_vec().try_into().unwrap(),
	};
	tickets.chunks(100).map(batch).collect()
}

/// A voucher for all so far, after each hundred windows.
fn by_vouchers(show: Show) -> Vec<Broker<Runtime>> {
	let voucher = |number| {
		let receipt = receipt(show, number);
		let voucher = Voucher {
			sender: raw(VIEWER),
			session: key(2).public(),
			recipient: receipt.payee,
			stream: receipt.stream,
			kind: receipt.kind,
			context: receipt.context,
			terms: 0,
			amount: PRICE * Balance::from(number + 1),
			bytes: ticket_bytes(receipt.bytes) * (number + 1),
			expiry: expiry(show),
		};
		Broker::redeem_vouchers {
			vouchers: vec![key(2).sign(voucher, &genesis_hash())].try_into().unwrap(),
		}
	};
	(99..WINDOWS).step_by(100).map(voucher).collect()
}

/// What is left of a show.
struct Trace {
	storage: BTreeMap<Vec<u8>, Vec<u8>>,
	events: Vec<RuntimeEvent>,
}

/// All of the chain's storage.
fn storage() -> BTreeMap<Vec<u8>, Vec<u8>> {
	let mut all = BTreeMap::new();
	let mut key = Vec::new();
	while let Some(next) = sp_io::storage::next_key(&key) {
		all.insert(next.clone(), sp_io::storage::get(&next).unwrap_or_default().to_vec());
		key = next;
	}
	all
}

/// Sets everything up, lets the show be paid for and the viewer go, and looks at what is left a block later.
fn watch(show: Show, pay: fn(Show) -> Vec<Broker<Runtime>>) -> Trace {
	in_first_block(crate::genesis::LOCAL, || {
		let mut events = Vec::new();
		let mut end_block = || {
			events.extend(System::events().into_iter().map(|record| record.event));
			next_block();
		};
		let submit = |who, call: RuntimeCall| {
			assert_ok!(apply(signed(who, call)));
		};
		submit(BROADCASTER, new_stream(key(1).public()).into());
		let account = raw(RELAYER);
		let address = b"/ip4/203.0.113.7".to_vec().try_into().unwrap();
		let register = pallet_relayer_registry::Call::register {
			signing_key: key(3).public(),
			proof: key(3).sign(RelayerProof { account }, &genesis_hash()).signature,
			addresses: vec![address].try_into().unwrap(),
			price_per_gb: 1_000_000,
			bond: 10 * USDC,
		};
		submit(RELAYER, register.into());
		submit(VIEWER, Broker::deposit { amount: 50 * USDC }.into());
		submit(VIEWER, authorize(VIEWER, &key(2), 10 * USDC, 0).into());
		while System::block_number() < 2 * EXPIRY_GRID {
			end_block();
		}
		for call in pay(show) {
			submit(RELAYER, call.into());
			end_block();
		}
		let spent = TicketBroker::viewer_account(&VIEWER.to_account_id()).sessions[0].spent;
		assert_eq!(spent, PRICE * Balance::from(WINDOWS), "all of it was paid");
		submit(VIEWER, Broker::request_unlock { amount: 10 * USDC }.into());
		submit(VIEWER, Broker::revoke_session { key: key(2).public() }.into());
		end_block();
		let storage = storage();
		Trace { storage, events }
	})
}

/// `Pallet.Item` of a key.
fn item(key: &[u8]) -> String {
	let known = AllPalletsWithSystem::storage_info();
	let info = known.into_iter().find(|info| key.starts_with(&info.prefix));
	let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
	match info {
		Some(info) => format!("{}.{}", text(&info.pallet_name), text(&info.storage_name)),
		None => text(key),
	}
}

/// Items that are not the same in both.
fn differences(one: &Trace, other: &Trace) -> BTreeSet<String> {
	let keys: BTreeSet<_> = one.storage.keys().chain(other.storage.keys()).collect();
	let differ = |key: &&&Vec<u8>| one.storage.get(**key) != other.storage.get(**key);
	keys.iter().filter(differ).map(|key| item(key)).collect()
}

/// Events without what tells tickets apart: hashes of what was signed, which nobody can guess.
fn events(trace: &Trace) -> Vec<RuntimeEvent> {
	let mut events = trace.events.clone();
	for event in &mut events {
		if let RuntimeEvent::TicketBroker(BrokerEvent::TicketRedeemed { id, .. }) = event {
			*id = RawHash([0; 32]);
		}
	}
	events
}

/// Of all tickets.
fn ids(trace: &Trace) -> BTreeSet<[u8; 32]> {
	let id = |event: &RuntimeEvent| match event {
		RuntimeEvent::TicketBroker(BrokerEvent::TicketRedeemed { id, .. }) => Some(id.0),
		_ => None,
	};
	trace.events.iter().filter_map(id).collect()
}

fn set(items: &[&str]) -> BTreeSet<String> {
	items.iter().map(|item| (*item).to_owned()).collect()
}

#[test]
fn tickets_do_not_tell_which_windows_were_watched_nor_when() {
	assert_eq!(expiry(MATINEE), expiry(SOIREE));
	let (one, other) = (watch(MATINEE, by_tickets), watch(SOIREE, by_tickets));
	assert_eq!(differences(&one, &other), set(BODIES));
	assert!(events(&one) == events(&other));
	assert_eq!(ids(&one).union(&ids(&other)).count(), 2 * WINDOWS as usize);
}

#[test]
fn vouchers_do_not_tell_which_windows_were_watched_nor_when() {
	let (one, other) = (watch(MATINEE, by_vouchers), watch(SOIREE, by_vouchers));
	assert_eq!(differences(&one, &other), set(BODIES));
	assert!(one.events == other.events);
}

/// What is meant to be seen is seen by the same comparison: other sums of bytes, and another two minutes.
#[test]
fn what_differs_by_more_is_told() {
	let longer = Show { units: 7, ..SOIREE };
	let later = Show {
		signed_in: 120,
		..SOIREE
	};
	let one = watch(MATINEE, by_tickets);
	let mut expected = set(BODIES);
	expected.insert("RelayerRegistry.Reputations".into());
	assert_eq!(differences(&one, &watch(longer, by_tickets)), expected);
	assert!(events(&one) != events(&watch(later, by_tickets)));
}

/// `Pallet.Event` by its encoding.
fn event_name(event: &RuntimeEvent) -> String {
	let mut registry = Registry::new();
	let id = registry.register_type(&meta_type::<RuntimeEvent>()).id;
	let types = PortableRegistry::from(registry);
	let variant = |id: u32, index: u8| match &types.resolve(id).unwrap().type_def {
		TypeDef::Variant(variants) => variants.variants.iter().find(|v| v.index == index).cloned().unwrap(),
		_ => panic!("events are enums"),
	};
	let encoded = event.encode();
	let pallet = variant(id, encoded[0]);
	let event = variant(pallet.fields[0].ty.id, encoded[1]);
	format!("{}.{}", pallet.name, event.name)
}

#[test]
fn who_watches_stands_in_these_places_and_no_others() {
	let (account, session) = (raw(VIEWER).0, key(2).public().0);
	let holds = |bytes: &[u8]| bytes.windows(32).any(|part| part == account || part == session);
	let (mut held_in, mut shown_by) = (BTreeSet::new(), BTreeSet::new());
	for pay in [by_tickets, by_vouchers] {
		let trace = watch(MATINEE, pay);
		let held = trace.storage.iter().filter(|(key, value)| holds(key) || holds(value));
		held_in.extend(held.map(|(key, _)| item(key)));
		let shown: Vec<_> = trace.events.iter().filter(|event| holds(&event.encode())).collect();
		shown_by.extend(shown.into_iter().map(event_name));
	}
	assert_eq!((held_in, shown_by), (set(HELD_IN), set(SHOWN_BY)));
}
