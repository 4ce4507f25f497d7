//! A chain with accounts, stream keys and the broker. Every test body is followed by `try_state`.

use crate::{self as pallet_ticket_broker, Event};
use clustercast_primitives::{
	amount::{ticket_bytes, MAX_PRICE_PER_GB, USDC},
	chain::{StreamTerms, TicketVerdict, PPM},
	channel::{Close, Reservation},
	crypto::KeyPair,
	receipt::Kind,
	session::SessionProof,
	ticket::{self, EXPIRY_GRID},
	AccountId, Balance, Hash, PublicKey, Signature, StreamId, Ticket, Voucher, WinningTicket,
};
use frame_support::{
	construct_runtime, derive_impl,
	dispatch::DispatchResult,
	parameter_types,
	traits::{
		fungible::{Balanced, Credit, Inspect, Mutate},
		ConstU128, ConstU32, Hooks, OnUnbalanced,
	},
	weights::Weight,
};
use frame_system::mocking::MockBlockU32;
use sp_runtime::{traits::IdentityLookup, AccountId32, BuildStorage, StateVersion};
use std::{cell::RefCell, collections::BTreeMap};

/// Smallest balance of an account, micro-USDC.
pub const EXISTENTIAL_DEPOSIT: Balance = 1_000;
/// Largest deposit, micro-USDC.
pub const MAX_DEPOSIT: Balance = 50 * USDC;
/// Blocks between asking for a deposit and withdrawing it.
pub const UNLOCK_DELAY: u32 = 1_200;
/// Furthest that a ticket's expiry may lie ahead.
pub const MAX_TICKET_LIFE: u32 = 600;
/// Blocks from closing a channel until what it reserved is free.
pub const CHANNEL_DELAY: u32 = 1_200;
/// Furthest that a session's expiry may lie ahead.
pub const MAX_SESSION_LIFE: u32 = 50_000;
/// Held for a session, micro-USDC.
pub const SESSION_DEPOSIT: Balance = 10_000;
/// Blocks until shares that nobody uses are handed on.
pub const SHARE_MEMORY: u32 = 3_000;
/// Tickets in a batch.
pub const MAX_BATCH: u32 = 100;
/// Sessions of an account.
pub const MAX_SESSIONS: u32 = 8;
/// Smallest face value, micro-USDC.
pub const MIN_FACE_VALUE: Balance = 1_000;

/// What the pallet is configured with; a test may set another value, for its own thread.
mod settings {
	use super::{parameter_types, Balance};

	parameter_types! {
		pub static MaxDeposit: Balance = super::MAX_DEPOSIT;
		pub static MinFaceValue: Balance = super::MIN_FACE_VALUE;
		pub static TreasuryShare: u32 = 20_000;
		pub static MaxTicketLife: u32 = super::MAX_TICKET_LIFE;
		pub static UnlockDelay: u32 = super::UNLOCK_DELAY;
		pub static ChannelDelay: u32 = super::CHANNEL_DELAY;
		pub static MaxSessionLife: u32 = super::MAX_SESSION_LIFE;
		pub static ShareMemory: u32 = super::SHARE_MEMORY;
		pub static MaxBatch: u32 = super::MAX_BATCH;
		pub static MaxSessions: u32 = super::MAX_SESSIONS;
		pub static ChangeDelay: u32 = super::MAX_TICKET_LIFE;
	}
}
pub use settings::{
	ChangeDelay, ChannelDelay, MaxBatch, MaxDeposit, MaxSessionLife, MaxSessions, MaxTicketLife, MinFaceValue,
	ShareMemory, TreasuryShare, UnlockDelay,
};

parameter_types! {
	pub TreasuryAccount: Option<AccountId32> = crate::Treasury::<Test>::get();
	/// Relayer, viewer, bytes, value: all that was reported as delivered.
	pub static Reported: Vec<(AccountId32, AccountId32, u64, Balance)> = Vec::new();
	/// Relayers that are bonded.
	pub static Bonded: Vec<AccountId32> = Vec::new();
	/// Relayers, who redeems for them, and where their money goes.
	pub static Acting: Vec<(AccountId32, AccountId32, AccountId32)> = Vec::new();
}

/// Reads [`Bonded`] and [`Acting`], writes [`Reported`].
pub struct Delivered;

impl crate::Relayers<AccountId32> for Delivered {
	fn is_bonded(who: &AccountId32) -> bool {
		Bonded::get().contains(who)
	}

	fn may_redeem(who: &AccountId32, recipient: &AccountId32) -> bool {
		who == recipient
			|| Acting::get()
				.iter()
				.any(|(relayer, operator, _)| relayer == recipient && operator == who)
	}

	fn payout(recipient: &AccountId32) -> AccountId32 {
		let acting = Acting::get().into_iter().find(|(relayer, ..)| relayer == recipient);
		acting.map_or_else(|| recipient.clone(), |(_, _, payout)| payout)
	}

	fn delivered(relayer: &AccountId32, viewer: &AccountId32, bytes: u64, value: Balance) {
		Reported::mutate(|all| all.push((relayer.clone(), viewer.clone(), bytes, value)));
	}

	#[cfg(feature = "runtime-benchmarks")]
	fn prepare(relayer: &AccountId32) {
		Bonded::mutate(|all| all.push(relayer.clone()));
	}
}

construct_runtime!(
	pub enum Test {
		System: frame_system,
		Balances: pallet_balances,
		StreamKeys: pallet_stream_keys,
		Broker: pallet_ticket_broker,
	}
);

#[derive_impl(frame_system::config_preludes::TestDefaultConfig)]
impl frame_system::Config for Test {
	type Block = MockBlockU32<Test>;
	type AccountId = AccountId32;
	type Lookup = IdentityLookup<AccountId32>;
	type AccountData = pallet_balances::AccountData<Balance>;
}

#[derive_impl(pallet_balances::config_preludes::TestDefaultConfig)]
impl pallet_balances::Config for Test {
	type Balance = Balance;
	type ExistentialDeposit = ConstU128<EXISTENTIAL_DEPOSIT>;
	type AccountStore = System;
	type DustRemoval = ToTreasury;
}

/// What is too little for an account is the treasury's, as on the chain.
pub struct ToTreasury;

impl OnUnbalanced<Credit<AccountId32, Balances>> for ToTreasury {
	fn on_nonzero_unbalanced(dust: Credit<AccountId32, Balances>) {
		// Where there is none, it is burnt.
		let _ = TreasuryAccount::get().map(|treasury| Balances::resolve(&treasury, dust));
	}
}

impl pallet_stream_keys::Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Treasury = TreasuryAccount;
	type MintDeposit = ConstU128<USDC>;
	type MaxDeposit = ConstU128<{ 5 * USDC }>;
	type EarningsKept = ConstU32<100_000>;
	type Royalty = ConstU32<50_000>;
	type ChangeDelay = ChangeDelay;
	type MaxRental = ConstU32<1_000>;
	type MaxPreviousKeys = ConstU32<8>;
	type KeyMemory = ConstU32<600>;
	type MaxTitle = ConstU32<64>;
	type MaxCategory = ConstU32<32>;
	type MaxBroadcasterShare = ConstU32<300_000>;
	type MaxSurge = ConstU32<10_000_000>;
	type WeightInfo = ();
}

impl crate::Config for Test {
	type RuntimeHoldReason = RuntimeHoldReason;
	type Currency = Balances;
	type Streams = StreamKeys;
	type Relayers = Delivered;
	type MaxDeposit = MaxDeposit;
	type MinFaceValue = MinFaceValue;
	type TreasuryShare = TreasuryShare;
	type MaxTicketLife = MaxTicketLife;
	type UnlockDelay = UnlockDelay;
	type ChannelDelay = ChannelDelay;
	type MaxSessionLife = MaxSessionLife;
	type SessionDeposit = ConstU128<SESSION_DEPOSIT>;
	type ShareMemory = ShareMemory;
	type MaxBatch = MaxBatch;
	type MaxSessions = MaxSessions;
	type WeightInfo = ();
}

/// A viewer with 100 USDC.
pub const ALICE: AccountId32 = AccountId32::new([1; 32]);
/// A viewer with 100 USDC.
pub const BOB: AccountId32 = AccountId32::new([2; 32]);
/// Owns stream 0, whose broadcaster share is 10 %; 100 USDC.
pub const CAROL: AccountId32 = AccountId32::new([3; 32]);
/// A relayer with 1 USDC.
pub const RELAYER: AccountId32 = AccountId32::new([4; 32]);
/// Receives 2 % of each ticket; 1 USDC.
pub const TREASURY: AccountId32 = AccountId32::new([5; 32]);
/// Has no account.
pub const NOBODY: AccountId32 = AccountId32::new([9; 32]);

/// Everyone who has money at genesis.
pub const EVERYONE: [AccountId32; 5] = [ALICE, BOB, CAROL, RELAYER, TREASURY];

/// Balance of viewers and broadcaster at genesis, micro-USDC.
pub const ENDOWMENT: Balance = 100 * USDC;

/// The stream that exists from the start.
pub const STREAM: StreamId = StreamId(0);

thread_local! {
	/// Made once: random sequences ask for them all the time.
	static KEYS: RefCell<BTreeMap<u8, KeyPair>> = const { RefCell::new(BTreeMap::new()) };
}

/// A session's key pair.
pub fn key(seed: u8) -> KeyPair {
	let make = || KeyPair::from_seed([seed; 32]);
	KEYS.with_borrow_mut(|keys| keys.entry(seed).or_insert_with(make).clone())
}

/// The genesis hash that tickets are signed for.
pub fn genesis() -> Hash {
	Hash(System::block_hash(0).into())
}

/// The relayer's secret of every ticket here.
pub const RAND: Hash = Hash([6; 32]);

/// The first expiry that is on the grid from this block on.
pub fn grid(block: u32) -> u32 {
	block.next_multiple_of(EXPIRY_GRID)
}

/// The last expiry that is on the grid and not too far.
pub fn latest() -> u32 {
	(System::block_number() + MAX_TICKET_LIFE) / EXPIRY_GRID * EXPIRY_GRID
}

/// A ticket of Alice for the relayer, for stream 0, worth 0.5 USDC, good for 100 blocks and what is left to the grid. It
/// wins.
pub fn ticket(session: &KeyPair, nonce: u64) -> Ticket {
	Ticket {
		sender: AccountId(ALICE.into()),
		session: session.public(),
		recipient: AccountId(RELAYER.into()),
		stream: STREAM,
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		bytes: 393_216,
		face_value: USDC / 2,
		win_probability: ticket::CERTAIN,
		commitment: ticket::commitment(&RAND),
		nonce,
		expiry: grid(System::block_number() + 100),
	}
}

/// The ticket of another viewer.
pub fn from(sender: AccountId32, ticket: Ticket) -> Ticket {
	Ticket {
		sender: AccountId(sender.into()),
		..ticket
	}
}

/// The ticket for another relayer.
pub fn to(recipient: AccountId32, ticket: Ticket) -> Ticket {
	Ticket {
		recipient: AccountId(recipient.into()),
		..ticket
	}
}

/// The ticket for another stream.
pub fn about(stream: u64, ticket: Ticket) -> Ticket {
	Ticket {
		stream: StreamId(stream),
		..ticket
	}
}

/// The ticket, signed and with the secret that opens it.
pub fn signed(session: &KeyPair, ticket: Ticket) -> WinningTicket {
	WinningTicket {
		signed: session.sign(ticket, &genesis()),
		rand: RAND,
	}
}

/// [`ticket`], signed.
pub fn winner(session: &KeyPair, nonce: u64) -> WinningTicket {
	signed(session, ticket(session, nonce))
}

/// The same content with `S` raised by the group order: the second encoding of one signature.
pub fn non_canonical(mut winning: WinningTicket) -> WinningTicket {
	raise(&mut winning.signed.signature);
	winning
}

/// Raises `S` of a signature by the group order.
pub fn raise(signature: &mut Signature) {
	const ORDER: [u8; 32] = [
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	];
	let mut carry = 0u16;
	for (byte, order) in signature.0[32..].iter_mut().zip(ORDER) {
		carry += u16::from(*byte) + u16::from(order);
		*byte = carry as u8;
		carry >>= 8;
	}
}

/// Holds `amount` for tickets of `who`.
pub fn deposit(who: AccountId32, amount: Balance) {
	Broker::deposit(RuntimeOrigin::signed(who), amount).unwrap();
}

/// Registers a session of `who` for what is by bytes.
pub fn authorize(who: AccountId32, key: &KeyPair, limit: Balance, expiry: u32) {
	try_authorize(who, key, limit, 0, expiry).unwrap();
}

/// Registers a session of `who`, if it may.
pub fn try_authorize(who: AccountId32, key: &KeyPair, limit: Balance, extra: Balance, expiry: u32) -> DispatchResult {
	let proof = proof(&who, key);
	Broker::authorize_session(RuntimeOrigin::signed(who), key.public(), limit, extra, expiry, proof)
}

/// That a session key is the account's.
pub fn proof(who: &AccountId32, key: &KeyPair) -> Signature {
	let account = AccountId(who.clone().into());
	key.sign(SessionProof { account }, &genesis()).signature
}

/// Gives Alice a deposit of 50 USDC and session 1, without a limit of its own and good for 10,000 blocks.
pub fn open_session() -> KeyPair {
	let key = key(1);
	deposit(ALICE, MAX_DEPOSIT);
	authorize(ALICE, &key, MAX_DEPOSIT * 100, 10_000);
	key
}

/// Reserves for `recipient`, for this whole block and the next 99; `reward` for whoever submits it.
pub fn reservation(
	session: &KeyPair,
	recipient: AccountId32,
	counter: u32,
	cap: Balance,
	reward: Balance,
) -> Reservation {
	Reservation {
		sender: AccountId(ALICE.into()),
		session: session.public(),
		recipient: AccountId(recipient.into()),
		counter,
		cap,
		reward,
		submit_by: System::block_number() + 99,
	}
}

/// Reserves for `recipient` out of Alice's deposit, if it may.
pub fn try_reserve(session: &KeyPair, recipient: AccountId32, counter: u32, cap: Balance) -> DispatchResult {
	let reservation = session.sign(reservation(session, recipient.clone(), counter, cap, 0), &genesis());
	Broker::reserve(RuntimeOrigin::signed(recipient), reservation)
}

/// Reserves for `recipient` out of Alice's deposit.
pub fn reserve(session: &KeyPair, recipient: AccountId32, counter: u32, cap: Balance) {
	try_reserve(session, recipient, counter, cap).unwrap();
}

/// Closes Alice's channel with `recipient`, if it may.
pub fn close(session: &KeyPair, recipient: AccountId32, counter: u32) -> DispatchResult {
	let close = Close {
		sender: AccountId(ALICE.into()),
		session: session.public(),
		recipient: AccountId(recipient.into()),
		counter,
		submit_by: System::block_number() + 99,
	};
	Broker::close_channel(RuntimeOrigin::signed(BOB), session.sign(close, &genesis()))
}

/// Owed by Alice to the relayer for stream 0 since the beginning, good for as long as [`ticket`].
pub fn voucher(session: &KeyPair, amount: Balance) -> Voucher {
	Voucher {
		sender: AccountId(ALICE.into()),
		session: session.public(),
		recipient: AccountId(RELAYER.into()),
		stream: STREAM,
		kind: Kind::LIVE,
		context: Hash([0; 32]),
		terms: 0,
		amount,
		bytes: ticket_bytes((amount * 500) as u64),
		expiry: grid(System::block_number() + 100),
	}
}

/// Redeems tickets as their recipient and returns what the events say of each. `check_tickets` must have said the same
/// beforehand, without changing anything.
pub fn redeem(tickets: Vec<WinningTicket>) -> Vec<TicketVerdict> {
	let root = || sp_io::storage::root(StateVersion::V1);
	let before = root();
	let foretold = Broker::check_tickets(&tickets);
	assert_eq!(before, root(), "check_tickets changes nothing");

	let events = System::events().len();
	let ids: Vec<_> = tickets.iter().map(WinningTicket::id).collect();
	let Some(first) = tickets.first() else {
		return Vec::new();
	};
	let recipient = AccountId32::from(first.signed.message.recipient.0);
	Broker::redeem_batch(RuntimeOrigin::signed(recipient), tickets.try_into().unwrap()).unwrap();
	let mut verdicts = Vec::new();
	for record in System::events().into_iter().skip(events) {
		match record.event {
			RuntimeEvent::Broker(Event::TicketRedeemed { id, payout, .. }) => {
				assert_eq!(id, ids[verdicts.len()]);
				verdicts.push(TicketVerdict::Accepted(payout));
			},
			RuntimeEvent::Broker(Event::TicketRefused { index, reason }) => {
				assert_eq!(index as usize, verdicts.len());
				verdicts.push(TicketVerdict::Refused(reason));
			},
			_ => (),
		}
	}
	assert_eq!(verdicts, foretold, "redeem_batch does what check_tickets says");
	verdicts
}

/// The verdict on a single ticket, redeemed if it is good.
pub fn redeem_one(winning: WinningTicket) -> TicketVerdict {
	redeem(vec![winning])[0]
}

/// What a viewer has in its deposit, micro-USDC.
pub fn deposited(who: &AccountId32) -> Balance {
	Broker::deposit_of(who)
}

/// All that an account owns, held or not, micro-USDC.
pub fn total(who: &AccountId32) -> Balance {
	Balances::total_balance(who)
}

/// Makes `who` own exactly `amount`, new money.
pub fn endow(who: &AccountId32, amount: Balance) {
	Balances::set_balance(who, amount);
}

/// Goes to block `number` at once; what lies between is idle.
pub fn run_to(number: u32) {
	System::set_block_number(number);
	Broker::on_idle(number, Weight::MAX);
}

/// The chain at block 1, with stream 0.
pub struct ExtBuilder;

impl ExtBuilder {
	/// Its storage.
	pub fn build(self) -> sp_io::TestExternalities {
		let genesis = RuntimeGenesisConfig {
			balances: pallet_balances::GenesisConfig {
				balances: vec![
					(ALICE, ENDOWMENT),
					(BOB, ENDOWMENT),
					(CAROL, ENDOWMENT),
					(RELAYER, USDC),
					(TREASURY, USDC),
				],
				..Default::default()
			},
			broker: pallet_ticket_broker::GenesisConfig {
				treasury: Some(TREASURY),
			},
			..Default::default()
		};
		let mut ext: sp_io::TestExternalities = genesis.build_storage().unwrap().into();
		ext.execute_with(|| {
			System::set_block_number(1);
			mint(CAROL, 100_000);
		});
		ext
	}

	/// Its storage, with a keystore for the benchmarks' signatures.
	#[cfg(feature = "runtime-benchmarks")]
	pub fn build_with_keystore(self) -> sp_io::TestExternalities {
		let mut ext = self.build();
		let keystore = sp_keystore::testing::MemoryKeystore::new();
		ext.register_extension(sp_keystore::KeystoreExt::new(keystore));
		ext
	}

	/// Runs a test body, then `try_state`.
	pub fn build_and_execute(self, test: impl FnOnce()) {
		self.build().execute_with(|| {
			test();
			try_state();
		});
	}
}

/// Price and surge bound that are no bound.
pub const UNBOUND: StreamTerms = StreamTerms {
	price_per_gb: MAX_PRICE_PER_GB,
	max_surge_ppm: PPM,
	broadcaster_share_ppm: 0,
};

/// Mints a stream of `owner` with this broadcaster share, at any price.
pub fn mint(owner: AccountId32, share_ppm: u32) {
	try_mint(owner, share_ppm).unwrap();
}

/// Mints, if `owner` can pay for it.
pub fn try_mint(owner: AccountId32, share_ppm: u32) -> DispatchResult {
	mint_at(
		owner,
		StreamTerms {
			broadcaster_share_ppm: share_ppm,
			..UNBOUND
		},
	)
}

/// Mints a stream of `owner` on these terms.
pub fn mint_at(owner: AccountId32, terms: StreamTerms) -> DispatchResult {
	let origin = RuntimeOrigin::signed(owner);
	let text = b"stream".to_vec();
	StreamKeys::mint(
		origin,
		PublicKey([7; 32]),
		text.clone().try_into().unwrap(),
		text.try_into().unwrap(),
		0,
		terms,
	)
}

/// Panics where an invariant of a pallet is broken.
pub fn try_state() {
	Broker::do_try_state().unwrap();
}
