//! Figures of the chain: money in micro-USDC, time in blocks of 2 s.

pub use clustercast_primitives::chain::{MAX_CATEGORY, MAX_TITLE};
use clustercast_primitives::{amount::USDC, Balance, BlockNumber};

/// Length of a slot, and so of a block when no validator is missing.
pub const SLOT_MILLIS: u64 = 2_000;

/// Blocks in an hour.
pub const HOURS: BlockNumber = 60 * 60 * 1000 / SLOT_MILLIS as BlockNumber;

/// A session: 20 minutes. BEEFY signs the first block of each, whatever else it signs.
pub const SESSION: BlockNumber = HOURS / 3;

/// Sessions whose validator sets can be proven: a week of them.
pub const PROVABLE_SESSIONS: u32 = 7 * 24 * (HOURS / SESSION);

/// Most validators, floor and candidates. Bounds what GRANDPA and BEEFY store and verify.
pub const MAX_VALIDATORS: u32 = 32;

/// Most candidates that wait for a seat or have one.
pub const MAX_CANDIDATES: u32 = 64;

/// Smallest bond of a validator. No number of bonds buys seats enough to keep blocks from becoming final, or to sign
/// alone: see `pallet_validators`.
pub const MIN_VALIDATOR_BOND: Balance = 10_000 * USDC;

/// What an offence costs a validator, parts per million of its bond: all of it.
pub const VALIDATOR_SLASH_PPM: u32 = 1_000_000;

/// Of a validator's penalty this goes to the reporter (10 %), [`VALIDATOR_PENALTY_TREASURY_PPM`] to the treasury, and the
/// rest is burnt: an offender that reports itself loses nine tenths, and half even if it held the treasury.
pub const VALIDATOR_PENALTY_REPORTER_PPM: u32 = 100_000;

/// See [`VALIDATOR_PENALTY_REPORTER_PPM`]: 40 %.
pub const VALIDATOR_PENALTY_TREASURY_PPM: u32 = 400_000;

/// Held on whoever sets session keys, as long as they are set.
pub const SESSION_KEYS_DEPOSIT: Balance = USDC;

/// Block hashes that are kept, so also the longest life of a mortal extrinsic: 80 minutes.
pub const BLOCK_HASHES: BlockNumber = 2_400;

/// Smallest balance an account can exist with: 0.001 USDC.
pub const EXISTENTIAL_DEPOSIT: Balance = 1_000;

/// A micro-USDC pays for this many picoseconds of computing and storage access (10 us).
///
/// With [`BYTES_PER_MICRO_USDC`] a plain transfer costs about 110 micro-USDC and a redeemed ticket about 150; filling a
/// block costs 0.04 USDC, and [`MAX_FEE_MULTIPLIER`] times that once blocks have been full for two minutes.
pub const PICOSECONDS_PER_MICRO_USDC: u64 = 10_000_000;

/// A micro-USDC pays for this many bytes of an extrinsic.
pub const BYTES_PER_MICRO_USDC: u64 = 4;

/// A byte of a call weighs this many picoseconds (100 ns), so that a block that is full of bytes is full of weight, and
/// one figure says how full a block is.
pub const PICOSECONDS_PER_BYTE: u64 = 100_000;

/// While blocks are full, computing gets dearer, up to this many times. A redeemed ticket then still costs less than
/// 0.01 USDC, and filling the 600 blocks that a ticket lives costs more than 1,000 USDC.
pub const MAX_FEE_MULTIPLIER: u32 = 59;

/// Blocks fuller than this make computing dearer, emptier ones cheaper again.
pub const TARGET_FULLNESS_PERCENT: u64 = 50;

/// How fast, percent: a full block raises the price by half of it (7.5 %), an empty one lowers it as much. Full blocks
/// reach [`MAX_FEE_MULTIPLIER`] within two minutes.
pub const PRICE_ADJUSTMENT_PERCENT: u64 = 15;

/// Payments go into the pool's lane where they bring at least this many times what they cost. More than once would shut out a
/// ticket of the usual 0.02 USDC while blocks are dear, which is when it needs the lane.
pub const LANE_WORTH: Balance = 1;

/// Held on who opens a multisig call: 0.1 USDC, and 0.01 USDC for each signatory.
pub const MULTISIG_DEPOSIT: Balance = USDC / 10;

/// See [`MULTISIG_DEPOSIT`].
pub const MULTISIG_DEPOSIT_PER_SIGNATORY: Balance = USDC / 100;

/// Most signatories of a multisig account.
pub const MAX_SIGNATORIES: u32 = 20;

/// Treasury's share of each ticket, parts per million: 2 %.
pub const TREASURY_SHARE_PPM: u32 = 20_000;

/// Most that an account can have deposited for tickets.
pub const MAX_DEPOSIT: Balance = 50 * USDC;

/// Longest life of a ticket: 20 minutes.
pub const MAX_TICKET_LIFE: BlockNumber = 600;

/// Blocks between asking for a deposit and having it: 40 minutes, longer than any ticket lives, so that a ticket that
/// was good when a relayer took it is still covered when it is redeemed.
pub const UNLOCK_DELAY: BlockNumber = 1_200;

/// Blocks from closing a channel until what it reserved is free: 40 minutes, twice as long as a payment lives.
pub const CHANNEL_DELAY: BlockNumber = 1_200;

/// Longest life of a session: 30 days.
pub const MAX_SESSION_LIFE: BlockNumber = 30 * 24 * HOURS;

/// Held on an account for each of its sessions: 0.01 USDC.
pub const SESSION_DEPOSIT: Balance = USDC / 100;

/// Blocks after a relayer's last payment with a stream until the shares that it contained, and nobody used, are handed on:
/// a day.
pub const SHARE_MEMORY: BlockNumber = 24 * HOURS;

/// Most tickets or vouchers in a batch.
pub const MAX_BATCH: u32 = 100;

/// Smallest face value: below it redeeming costs more than it brings, and shares fall below the existential deposit.
pub const MIN_FACE_VALUE: Balance = 1_000;

/// Most session keys of an account.
pub const MAX_SESSIONS: u32 = 8;

/// Smallest bond of a relayer.
pub const MIN_BOND: Balance = 10 * USDC;

/// Blocks for which evidence counts, from that which a receipt names: a day.
pub const FRAUD_BLOCKS: BlockNumber = 24 * HOURS;

/// Least that an offence costs a relayer, as long as its bond has it.
pub const MIN_SLASH: Balance = 5 * USDC;

/// What an offence costs a relayer, parts per million of its bond: 20 %.
pub const SLASH_SHARE_PPM: u32 = 200_000;

/// Treasury's part of a relayer's penalty: 15 %. At most half goes to viewers and reporters, and the rest is burnt, so that
/// not even all of them together get back what the relayer lost.
pub const PENALTY_TREASURY_PPM: u32 = 150_000;

/// Replaced signing keys of a stream that are kept.
pub const MAX_PREVIOUS_KEYS: u32 = 8;

/// Replaced signing keys of a relayer that stay tied to its bond: how often it can change its key meanwhile.
pub const MAX_RELAYER_KEYS: u32 = 4;

/// Blocks between leaving and having the bond, between the first offence and its penalty, and for which a replaced signing
/// key stays tied: 25 hours, longer than evidence counts.
pub const UNBOND_DELAY: BlockNumber = FRAUD_BLOCKS + HOURS;

const _: () = assert!(
	UNBOND_DELAY > FRAUD_BLOCKS,
	"a relayer could leave with its bond while evidence against it still counts"
);

/// Most that the reward of a tip adds to its priority in the pool: as much as a plain transfer has with a fee's tip of
/// about 0.01 USDC, and nothing beside what consensus sends.
pub const MAX_PRIORITY_BOOST: u64 = 10 * USDC as u64;

/// Held on the owner of a stream key, and on who rents it, which also keeps the account alive: it can always receive its
/// share.
pub const STREAM_KEY_DEPOSIT: Balance = USDC;

/// What that grows to with what was earned: what signing two windows for one place costs whoever has earned enough.
pub const MAX_STREAM_KEY_DEPOSIT: Balance = 50 * USDC;

/// Part of each broadcaster's share that is kept until then, parts per million: 10 %.
pub const EARNINGS_KEPT_PPM: u32 = 100_000;

/// Largest share of a broadcaster, parts per million: 30 %.
pub const MAX_BROADCASTER_SHARE_PPM: u32 = 300_000;

/// Most that relayers may ask, parts per million of a stream key's price: ten times as much.
pub const MAX_SURGE_PPM: u32 = 10_000_000;

/// Treasury's part of what a stream key is bought or rented for, parts per million: 5 %.
pub const ROYALTY_PPM: u32 = 50_000;

/// Longest rental of a stream key: 30 days.
pub const MAX_RENTAL: BlockNumber = 30 * 24 * HOURS;

/// Most addresses of a relayer.
pub const MAX_ADDRESSES: u32 = 4;

/// Longest address of a relayer, bytes.
pub const MAX_ADDRESS_LENGTH: u32 = 128;

/// Most deposits from the L2 in one import: 33 KB of proofs, and up to 11 KB of what they ask for.
pub const MAX_IMPORTS: u32 = 32;

/// Deposits that were not understood and wait to be sent back: 130 KB of state. Whoever fills it has 1,000 USDC in it, and
/// anybody empties it.
pub const MAX_STRANDED: u32 = 1_000;

/// Smallest withdrawal to the L2: executing a smaller one costs there about what it brings.
pub const MIN_WITHDRAWAL: Balance = USDC;

/// Largest withdrawal to the L2, as large as the vault's largest deposit.
pub const MAX_WITHDRAWAL: Balance = 10_000 * USDC;

/// Withdrawals that can wait for their release: 1 MB of state, and what 21 minutes of blocks release.
pub const MAX_WITHDRAWAL_QUEUE: u32 = 10_000;

/// Withdrawals released in a block: a proof of four hashes beside that of the block.
pub const RELEASES_PER_BLOCK: u32 = 16;

/// Most that leaves for the L2 in [`OUTFLOW_PERIOD`]: bounds what a fault costs before somebody sees it.
pub const OUTFLOW_LIMIT: Balance = 100_000 * USDC;

/// An hour.
pub const OUTFLOW_PERIOD: BlockNumber = HOURS;

/// How long proofs of a released withdrawal can be made from the chain's state: 30 days.
pub const WITHDRAWAL_MEMORY: BlockNumber = 30 * 24 * HOURS;

/// Furthest that the deadline of an Ethereum wallet's message may lie ahead: an hour.
pub const MAX_ACTION_LIFE: BlockNumber = 1_800;
