//! The tables of `docs/economics.md`: what the fees come to, by the rules of relayers and players.

use crate::fees::Fees;
use clustercast_primitives::{
	amount::{self, USDC},
	Balance, Usdc,
};
use clustercast_runtime::constants::{EXISTENTIAL_DEPOSIT, MAX_DEPOSIT, MIN_FACE_VALUE, SESSION_DEPOSIT};

/// Micro-USDC per 10^9 bytes.
pub const PRICES: [u64; 4] = [5_000, USUAL_PRICE, 100_000, 1_000_000];

/// What the defaults are made for.
pub const USUAL_PRICE: u64 = 20_000;

/// 480p, bytes/s: 1.5 Mb/s.
const RATE: u64 = 187_500;

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// Seconds.
pub const TWO_HOURS: u64 = 2 * HOUR;

/// Name and seconds.
const SESSIONS: [(&str, u64); 3] = [("10 minutes", 600), ("2 hours", TWO_HOURS), ("30 days", 30 * DAY)];

/// Viewers of the relayer whose fees are counted: who is redeemed together with whom depends on it.
const VIEWERS: u32 = 20;

/// What relayers and players do unless they are told otherwise. The tests of either compare.
pub mod default {
	use super::{Balance, USDC};

	/// Of a ticket, micro-USDC.
	pub const FACE_VALUE: Balance = USDC / 50;
	/// Oldest winner that is not redeemed, seconds.
	pub const REDEEM_AGE_S: u64 = 600;
	/// Longest that a voucher owes something, seconds.
	pub const VOUCHER_AGE_S: u64 = 7_200;
	/// A voucher that owes this much is redeemed, micro-USDC.
	pub const REDEEM_VALUE: Balance = USDC;
	/// A session that has paid this much goes on by voucher, under a reservation; micro-USDC.
	pub const VOUCHERS_AFTER: Balance = 60_000;
	/// But never where half of [`VOUCHER_AGE_S`] brings less than this, micro-USDC.
	pub const VOUCHERS_FROM: Balance = 13_000;
	/// A player reserves at most this much, or what [`RESERVED_S`] cost where that is more; micro-USDC.
	pub const RESERVED: Balance = 50_000;
	/// See [`RESERVED`], seconds.
	pub const RESERVED_S: u64 = 900;
	/// And at most one part in so many of its deposit.
	pub const RESERVED_PARTS: Balance = 4;
	/// It reserves more when one part in so many is left.
	pub const RENEW_PARTS: Balance = 3;
	/// For whoever hands a reservation in, micro-USDC.
	pub const REWARD: Balance = 400;
	/// Of what a player reserves it pays at most one part in so many for that.
	pub const REWARD_PARTS: Balance = 50;
	/// Bytes that a stranger may owe.
	pub const STRANGER_BYTES: u64 = 16 << 20;
	/// Micro-USDC that a stranger may owe, winners included.
	pub const STRANGER_VALUE: Balance = USDC / 10;
	/// Micro-USDC that all strangers together may owe and leave unpaid in an hour.
	pub const STRANGERS_PER_HOUR: Balance = USDC;
}

/// How a session is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
	/// By lottery.
	Tickets,
	/// By voucher, nothing is reserved.
	Vouchers,
	/// By voucher from the beginning, under reservations of so many micro-USDC; of what players reserve if it is `None`.
	Reserved(Option<Balance>),
	/// By ticket until a reservation is worth its fees.
	Auto,
}

impl Way {
	/// All.
	pub const ALL: [Self; 4] = [Self::Tickets, Self::Vouchers, Self::Reserved(None), Self::Auto];

	fn name(self) -> &'static str {
		match self {
			Self::Tickets => "tickets",
			Self::Vouchers => "vouchers",
			Self::Reserved(_) => "vouchers, reserved",
			Self::Auto => "`auto`",
		}
	}
}

/// Fees of a session on the average, micro-USDC.
#[derive(Clone, Copy, Debug)]
pub struct Bill {
	/// What the video costs.
	owed: Balance,
	/// The viewer's, for its deposit and its session key.
	open: f64,
	/// The relayer's.
	reserve: f64,
	redeem: f64,
	release: f64,
	/// From the viewer to the relayer: no fee.
	rewards: f64,
	reservations: Balance,
}

impl Bill {
	/// Of a session of so many seconds; `None` where the chain would pay nothing of it.
	pub fn new(fees: &Fees, way: Way, price: u64, seconds: u64, face_value: Balance) -> Option<Self> {
		let owed = cost(price, seconds);
		let refills = owed.saturating_sub(1) / MAX_DEPOSIT;
		let mut bill = Self {
			owed,
			open: (fees.open + refills * fees.deposit) as f64,
			reserve: 0.0,
			redeem: 0.0,
			release: 0.0,
			rewards: 0.0,
			reservations: 0,
		};
		let by_ticket = match way {
			Way::Tickets => owed,
			Way::Vouchers | Way::Reserved(_) => 0,
			Way::Auto if cost(price, default::VOUCHER_AGE_S / 2) < default::VOUCHERS_FROM => owed,
			Way::Auto => owed.min(default::VOUCHERS_AFTER),
		};
		let by_voucher = owed - by_ticket;
		bill.redeem += by_ticket as f64 * ticket_fee(fees, price, face_value);
		if by_voucher == 0 {
			return Some(bill);
		}
		// What is left at a session's end and is below the least is never paid; where that is all, nothing is.
		if by_voucher < MIN_FACE_VALUE {
			return (way == Way::Auto).then_some(bill);
		}
		let most = match way {
			Way::Vouchers => default::STRANGER_VALUE / 2,
			_ => default::REDEEM_VALUE,
		};
		let at_once = cost(price, default::VOUCHER_AGE_S).min(most);
		// The last one goes alone, when its viewer has gone; those before it with the others'.
		let before = (by_voucher - 1) / at_once;
		bill.redeem += before as f64 * fees.voucher(VIEWERS) + fees.voucher(1);
		if way != Way::Vouchers {
			let size = match way {
				Way::Reserved(Some(size)) => size,
				_ => reserved(price),
			};
			let count = 1 + (by_voucher - 1) / (size - size / default::RENEW_PARTS);
			bill.reservations = count;
			bill.reserve = (count * fees.reserve) as f64;
			bill.rewards = (count * default::REWARD) as f64;
			bill.release = fees.release as f64;
		}
		Some(bill)
	}

	fn total(&self) -> f64 {
		self.open + self.reserve + self.redeem + self.release
	}

	/// All fees, parts of what the video costs.
	pub fn share(&self) -> f64 {
		self.total() / self.owed as f64
	}
}

/// What so many seconds cost, micro-USDC.
fn cost(price: u64, seconds: u64) -> Balance {
	amount::cost(RATE * seconds, price)
}

/// Most that a player with a large deposit reserves at a time.
fn reserved(price: u64) -> Balance {
	cost(price, default::RESERVED_S).max(default::RESERVED)
}

/// Fees of what is paid by ticket, parts of it. A winner waits for others until it is old.
fn ticket_fee(fees: &Fees, price: u64, face_value: Balance) -> f64 {
	let others = Balance::from(VIEWERS) * cost(price, default::REDEEM_AGE_S) / face_value;
	fees.ticket(1 + u32::try_from(others).unwrap_or(u32::MAX - 1)) / face_value as f64
}

/// Standard deviation of a sum that is paid in whole tickets, parts of it.
fn deviation(face_value: Balance, sum: Balance) -> f64 {
	(face_value as f64 / sum as f64).sqrt()
}

fn percent(part: f64) -> String {
	let digits = if part < 0.1 { 2 } else { usize::from(part < 1.0) };
	format!("{:.digits$} %", 100.0 * part)
}

/// Without zeroes at its end.
fn usdc(micro: Balance) -> String {
	let text = Usdc(micro).to_string();
	text.trim_end_matches('0').trim_end_matches('.').into()
}

fn micro(value: f64) -> String {
	format!("{value:.0}")
}

/// 10 to 10,000 in words that a table has room for.
fn time(seconds: f64) -> String {
	match seconds {
		s if s < 2.0 * 60.0 => format!("{s:.0} s"),
		s if s < 2.0 * 3_600.0 => format!("{:.0} min", s / 60.0),
		s => format!("{:.1} h", s / 3_600.0),
	}
}

fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
	let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
	let heads: Vec<String> = heads.iter().map(|head| (*head).into()).collect();
	let rule = vec!["---".into(); heads.len()];
	let rows = rows.into_iter().map(|row| line(&row)).collect::<String>();
	line(&heads) + &line(&rule) + &rows
}

fn calls(fees: &Fees) -> String {
	let row = |call: &str, payer: &str, fee: f64| vec![call.into(), payer.into(), micro(fee)];
	let mut rows = vec![
		row("a plain transfer, to compare", "", fees.transfer as f64),
		row("`deposit` and `authorize_session` in one", "viewer", fees.open as f64),
		row("`deposit` alone", "viewer", fees.deposit as f64),
		row("`request_unlock`, `withdraw`", "viewer", fees.leave as f64),
		row(
			"`reserve`",
			"relayer; the viewer's reward is for it",
			fees.reserve as f64,
		),
		row("`release`", "relayer; so it is for this", fees.release as f64),
		row("`close_channel`", "viewer, or whoever hands it in", fees.close as f64),
	];
	for together in [1, 10, 100] {
		rows.push(row(
			&format!("a ticket in a `redeem_batch` of {together}"),
			"relayer",
			fees.ticket(together),
		));
	}
	for together in [1, 10, 100] {
		rows.push(row(
			&format!("a voucher in a `redeem_vouchers` of {together}"),
			"relayer",
			fees.voucher(together),
		));
	}
	table(&["call", "paid by", "micro-USDC"], rows)
}

fn channels(fees: &Fees) -> String {
	let rows = [1, 2, 10, 100].map(|count| {
		let life = |each: f64| (fees.reserve + fees.release) as f64 + f64::from(count) * each;
		let (alone, shared) = (life(fees.voucher(1)), life(fees.voucher(VIEWERS)));
		vec![
			count.to_string(),
			format!("{:.6}", alone / 1e6),
			format!("{:.6}", shared / 1e6),
			format!("{:.3}", alone / 1e4),
			format!("{:.3}", shared / 1e4),
		]
	});
	let shared = format!("each with {} others", VIEWERS - 1);
	table(
		&[
			"redemptions",
			"each alone, USDC",
			&format!("{shared}, USDC"),
			"1 % of so many USDC",
			"1 % of, shared",
		],
		rows,
	)
}

fn shares(fees: &Fees) -> String {
	let heads = ["USDC per GB", "session", "costs, USDC"].into_iter();
	let heads: Vec<_> = heads.chain(Way::ALL.map(Way::name)).collect();
	let rows = PRICES.into_iter().flat_map(|price| {
		SESSIONS.map(|(name, seconds)| {
			let bills = Way::ALL.map(|way| Bill::new(fees, way, price, seconds, default::FACE_VALUE));
			let costs = usdc(cost(price, seconds));
			let shares = bills.map(|bill| bill.map_or("unpaid".into(), |bill| percent(bill.share())));
			[usdc(price.into()), name.into(), costs]
				.into_iter()
				.chain(shares)
				.collect()
		})
	});
	table(&heads, rows)
}

fn payers(fees: &Fees) -> String {
	let rows = Way::ALL.map(|way| {
		let bill = Bill::new(fees, way, USUAL_PRICE, TWO_HOURS, default::FACE_VALUE);
		let bill = bill.expect("two hours are paid");
		let relayer = bill.reserve + bill.redeem + bill.release;
		vec![
			way.name().into(),
			micro(bill.open),
			micro(bill.reserve),
			micro(bill.redeem),
			micro(bill.release),
			micro(bill.rewards),
			format!(
				"{} + {}",
				micro(bill.open + bill.rewards),
				micro(relayer - bill.rewards)
			),
			percent(bill.share()),
		]
	});
	table(
		&[
			"paid by",
			"open",
			"reserve",
			"redeem",
			"release",
			"reward",
			"viewer + relayer",
			"all fees",
		],
		rows,
	)
}

fn faces(fees: &Fees) -> String {
	let rows = [1_000, 5_000, 10_000, default::FACE_VALUE, 50_000, 100_000].map(|face: Balance| {
		let bill = Bill::new(fees, Way::Tickets, USUAL_PRICE, TWO_HOURS, face).expect("tickets can pay anything");
		let day = Balance::from(VIEWERS) * cost(USUAL_PRICE, DAY);
		vec![
			usdc(face),
			percent(ticket_fee(fees, USUAL_PRICE, face)),
			percent(bill.share()),
			percent(deviation(face, bill.owed)),
			percent(deviation(face, day)),
			(default::STRANGERS_PER_HOUR / face).to_string(),
		]
	});
	let day = format!("sigma of a relayer's day, {VIEWERS} viewers");
	table(
		&[
			"face value, USDC",
			"redeeming",
			"all fees, 2 hours",
			"sigma of 2 hours",
			&day,
			"winners in the float of an hour",
		],
		rows,
	)
}

fn reservations(fees: &Fees) -> String {
	let quarter = cost(USUAL_PRICE, default::RESERVED_S);
	let rows = [quarter, 10_000, 20_000, 30_000, default::RESERVED, 100_000].map(|size| {
		let bill = Bill::new(
			fees,
			Way::Reserved(Some(size)),
			USUAL_PRICE,
			TWO_HOURS,
			default::FACE_VALUE,
		);
		let bill = bill.expect("two hours are paid");
		let second = cost(USUAL_PRICE, HOUR) as f64 / HOUR as f64;
		vec![
			usdc(size),
			time(size as f64 / second),
			bill.reservations.to_string(),
			percent(bill.share()),
		]
	});
	table(
		&[
			"reserved at a time, USDC",
			"pays for",
			"reservations in 2 hours",
			"all fees, 2 hours",
		],
		rows,
	)
}

fn days() -> String {
	let rows = PRICES.map(|price| {
		let day = |viewers: u32| Balance::from(viewers) * cost(price, DAY);
		let sigma = |viewers| percent(deviation(default::FACE_VALUE, day(viewers)));
		let earned = format!("{:.2}", day(VIEWERS) as f64 / 1e6);
		vec![
			usdc(price.into()),
			earned,
			sigma(1),
			sigma(VIEWERS),
			sigma(256),
			"0 %".into(),
		]
	});
	let earned = format!("{VIEWERS} viewers pay, USDC");
	let some = format!("{VIEWERS} viewers");
	table(
		&["USDC per GB", &earned, "1 viewer", &some, "256 viewers", "by voucher"],
		rows,
	)
}

fn risks() -> String {
	let rows = PRICES.map(|price| {
		let hour = 256 * cost(price, HOUR);
		let second = cost(price, HOUR) as f64 / HOUR as f64;
		vec![
			usdc(price.into()),
			usdc(amount::cost(default::STRANGER_BYTES, price)),
			percent(default::STRANGERS_PER_HOUR as f64 / hour as f64),
			usdc(reserved(price)),
			time(reserved(price) as f64 / second),
			usdc(reserved(price) * default::RESERVED_PARTS),
		]
	});
	table(
		&[
			"USDC per GB",
			"unpaid bytes of a stranger, USDC",
			"strangers' float of what 256 viewers pay",
			"reserved, USDC",
			"lasts",
			"of a deposit from, USDC",
		],
		rows,
	)
}

fn deposits(fees: &Fees) -> String {
	let beside = SESSION_DEPOSIT + EXISTENTIAL_DEPOSIT + fees.open;
	let rows = PRICES.into_iter().flat_map(|price| {
		SESSIONS.map(|(name, seconds)| {
			let owed = cost(price, seconds);
			// Two sigma more: one session in forty or so pays more.
			let spread = 2.0 * (default::FACE_VALUE as f64 * owed as f64).sqrt();
			let tickets = (owed + spread.ceil() as Balance).max(default::FACE_VALUE);
			let vouchers = owed.max(MIN_FACE_VALUE);
			let rewards = Bill::new(fees, Way::Reserved(None), price, seconds, default::FACE_VALUE)
				.map_or(default::REWARD, |bill| bill.rewards as Balance);
			let reserved = (owed + rewards).max(least_reserving());
			let cell = |amount: Balance| match amount.div_ceil(MAX_DEPOSIT) {
				1 => format!("{:.4}", (amount + beside) as f64 / 1e6),
				parts => format!("{:.1}, in {parts} parts", (amount + beside) as f64 / 1e6),
			};
			vec![
				usdc(price.into()),
				name.into(),
				cell(tickets),
				cell(vouchers),
				cell(reserved),
			]
		})
	});
	table(
		&["USDC per GB", "session", "tickets", "vouchers", "vouchers, reserved"],
		rows,
	)
}

/// Of a deposit a player reserves so little of, at a time, that a smaller one does not pay the usual reward.
fn least_reserving() -> Balance {
	default::RESERVED_PARTS * MIN_FACE_VALUE.max(default::REWARD_PARTS * default::REWARD)
}

/// Where the float for strangers is as much as 256 viewers pay in an hour, micro-USDC per 10^9 bytes.
fn even_price() -> Balance {
	let viewed = amount::cost(256 * RATE * HOUR, USUAL_PRICE);
	Balance::from(USUAL_PRICE) * default::STRANGERS_PER_HOUR / viewed
}

/// The figures of a sentence: a table of one row.
fn float() -> String {
	table(
		&["strangers' float is more than 256 viewers pay below, USDC per GB"],
		[vec![format!("{:.4}", even_price() as f64 / 1e6)]],
	)
}

fn defaults() -> String {
	let row = |name: &str, value: String, unit: &str, whose: &str| {
		vec![format!("`{name}`"), value, unit.into(), whose.into()]
	};
	table(
		&["name", "value", "unit", "of"],
		[
			row(
				"price_per_gb",
				USUAL_PRICE.to_string(),
				"micro-USDC per 10^9 bytes",
				"broadcaster",
			),
			row("face_value", usdc(default::FACE_VALUE), "USDC", "relayer"),
			row("redeem_value", usdc(default::REDEEM_VALUE), "USDC", "relayer"),
			row("redeem_age_s", default::REDEEM_AGE_S.to_string(), "seconds", "relayer"),
			row(
				"voucher_age_s",
				default::VOUCHER_AGE_S.to_string(),
				"seconds",
				"relayer",
			),
			row("vouchers after", usdc(default::VOUCHERS_AFTER), "USDC", "relayer"),
			row("reserve_reward", usdc(default::REWARD), "USDC", "relayer"),
			row(
				"reserved at most",
				format!("1/{}", default::RESERVED_PARTS),
				"of the deposit",
				"player",
			),
			row(
				"reward at most",
				format!("1/{}", default::REWARD_PARTS),
				"of what is reserved",
				"player",
			),
			row(
				"stranger bytes",
				default::STRANGER_BYTES.to_string(),
				"bytes",
				"relayer",
			),
			row("stranger_value", usdc(default::STRANGER_VALUE), "USDC", "relayer"),
			row(
				"strangers_per_hour",
				usdc(default::STRANGERS_PER_HOUR),
				"USDC",
				"relayer",
			),
			row("reserved", usdc(default::RESERVED), "USDC", "player"),
			row("reserved for", default::RESERVED_S.to_string(), "seconds", "player"),
		],
	)
}

/// Each table with its name.
pub fn all(fees: &Fees) -> [(&'static str, String); 11] {
	[
		("calls", calls(fees)),
		("channels", channels(fees)),
		("shares", shares(fees)),
		("payers", payers(fees)),
		("faces", faces(fees)),
		("reservations", reservations(fees)),
		("days", days()),
		("risks", risks()),
		("float", float()),
		("deposits", deposits(fees)),
		("defaults", defaults()),
	]
}

/// The page with these tables in place of those that stand there, each behind `<!-- table: NAME -->` up to the next line
/// that is empty. An error is the name of one that has no place, or no single one.
pub fn fill(page: &str, tables: &[(&str, String)]) -> Result<String, String> {
	let mut page = page.to_owned();
	for (name, table) in tables {
		let mark = format!("<!-- table: {name} -->\n");
		match page.split(&mark).collect::<Vec<_>>()[..] {
			[before, after] => {
				let (_, rest) = after.split_once("\n\n").ok_or(*name)?;
				page = format!("{before}{mark}{table}\n{rest}");
			},
			_ => return Err((*name).into()),
		}
	}
	Ok(page)
}
