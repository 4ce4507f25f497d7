//! What viewers had of a broadcast: figures out of window logs.

use super::{Earnings, Hop, Sharing};
use crate::media::{latencies_ms, percentile, Window};
use clustercast_lab::control::Verdict;
use clustercast_primitives::Hash;
use serde::Serialize;
use serde_json::Value;
use std::{
	collections::{BTreeMap, BTreeSet},
	fmt,
};

/// Length of a whole window, milliseconds.
const WINDOW_MS: u64 = 2_000;

/// How far a viewer plays behind the capture, milliseconds: a window that is not there by then is a stall.
pub const PLAYHEAD_MS: u64 = 6_000;

/// An origin that publishes later than this, of 95 % of its windows, had too little of the processor: no line is before that.
/// Alone on two cores it is late by 150 ms.
const LATEST_ORIGIN_MS: u64 = 500;

/// A relayer that was killed.
#[derive(Clone, Debug)]
pub struct Killed {
	/// Its peer id.
	pub peer: String,
	/// When: Unix time, milliseconds.
	pub at_ms: u64,
	/// When it was started again, where it was.
	pub back_ms: Option<u64>,
}

/// What a viewer did.
#[derive(Clone, Debug)]
pub struct Watched {
	/// Its node.
	pub name: String,
	/// When its program was started: Unix time, milliseconds.
	pub started_ms: u64,
	/// When its log was read.
	pub stopped_ms: u64,
	/// Its window log.
	pub log: Vec<Window>,
	/// What the program wrote when it ended.
	pub summary: Value,
}

/// How long something took, milliseconds; nothing where it never was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
	/// How often.
	pub count: usize,
	/// Median.
	pub p50: Option<u64>,
	/// 95th percentile.
	pub p95: Option<u64>,
	/// Longest.
	pub max: Option<u64>,
}

impl Spread {
	pub(super) fn of(values: &[u64]) -> Self {
		Self {
			count: values.len(),
			p50: percentile(values, 50),
			p95: percentile(values, 95),
			max: percentile(values, 100),
		}
	}
}

impl fmt::Display for Spread {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		match (self.p50, self.p95, self.max) {
			(Some(p50), Some(p95), Some(max)) => write!(f, "{p50} ms median, {p95} p95, {max} most, of {}", self.count),
			_ => write!(f, "none"),
		}
	}
}

/// Figures of one viewer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Viewer {
	/// Its node.
	pub name: String,
	/// From starting the program to the first window that could be played; `None` where there was none.
	pub startup_ms: Option<u64>,
	/// Windows that could be played.
	pub windows: usize,
	/// Windows behind the first, and due before it stopped, that never came.
	pub missing: u64,
	/// Windows that came after their time ([`PLAYHEAD_MS`]), or never.
	pub stalls: u64,
	/// Latest behind its time that one came, milliseconds.
	pub latest_ms: u64,
	/// From capture to playable.
	pub delay_ms: Spread,
	/// For each relayer that was killed while this viewer had the stream from it: from when the first window that it did not
	/// bring would have been there to when that, or a later one, was. `None`: never.
	pub failover_ms: Vec<Option<u64>>,
	/// Windows that the broadcaster did not publish: none, or all is lost.
	pub foreign: usize,
	/// Bytes that the program refused, and why it left relayers.
	pub summary: Value,
}

impl Viewer {
	/// Out of what it did, who was killed, and what was published.
	pub fn of(watched: &Watched, killed: &[Killed], published: &[Window]) -> Self {
		let log = &watched.log;
		let playable: Vec<u64> = log.iter().filter_map(|window| window.playable_ms).collect();
		let late: Vec<u64> = latencies_ms(log)
			.iter()
			.filter_map(|delay| delay.checked_sub(PLAYHEAD_MS))
			.filter(|late| *late > 0)
			.collect();
		let came: BTreeSet<_> = log.iter().map(Window::place).collect();
		let (first, last) = (came.first().copied(), came.last().copied());
		let is_due = |window: &&Window| {
			let due = Some(window.place()) < last || window.start_ms + PLAYHEAD_MS <= watched.stopped_ms;
			due && first.is_some_and(|first| window.place() > first)
		};
		let missing = published
			.iter()
			.filter(is_due)
			.filter(|window| !came.contains(&window.place()))
			.count() as u64;
		let length = length_ms(published);
		let roots: BTreeMap<(u64, u16), Hash> = published.iter().map(|window| (window.place(), window.root)).collect();
		Self {
			name: watched.name.clone(),
			startup_ms: playable.first().map(|first| first.saturating_sub(watched.started_ms)),
			windows: log.len(),
			missing,
			stalls: late.len() as u64 + missing,
			latest_ms: late.into_iter().max().unwrap_or(0),
			delay_ms: Spread::of(&latencies_ms(log)),
			failover_ms: killed
				.iter()
				.filter_map(|killed| failover_ms(log, killed, length))
				.collect(),
			foreign: log
				.iter()
				.filter(|window| roots.get(&window.place()) != Some(&window.root))
				.count(),
			summary: watched.summary.clone(),
		}
	}
}

/// How long a viewer was without, where it had the stream from who was killed; `Some(None)` where nothing came any more.
fn failover_ms(log: &[Window], killed: &Killed, length: u64) -> Option<Option<u64>> {
	let from_it = |window: &Window| window.relayer.as_deref() == Some(&killed.peer);
	let before = log
		.iter()
		.take_while(|window| window.playable_ms.is_some_and(|at| at <= killed.at_ms));
	let before: Vec<Window> = before.cloned().collect();
	if !before.last().is_some_and(from_it) {
		return None;
	}
	let usual = percentile(&latencies_ms(&before), 50)?;
	// What was under way still came from it, unless it had been started again.
	let under_way = |window: &&Window| {
		let is_back = killed
			.back_ms
			.zip(window.playable_ms)
			.is_some_and(|(back, at)| at >= back);
		from_it(window) && !is_back
	};
	let count = before.len() + log[before.len()..].iter().take_while(under_way).count();
	// Its time, but for who was killed; nobody could have missed it before.
	let due = (log[count - 1].start_ms + length + usual).max(killed.at_ms);
	let next = log.get(count).and_then(|window| window.playable_ms);
	Some(next.map(|at| at.saturating_sub(due)))
}

/// From the capture of a window to that of the next, as a rule: a part is shorter than a whole one.
fn length_ms(published: &[Window]) -> u64 {
	let pairs = published.windows(2);
	let lengths = pairs.map(|pair| pair[1].start_ms.saturating_sub(pair[0].start_ms));
	percentile(&lengths.collect::<Vec<_>>(), 50).map_or(WINDOW_MS, |length| length.min(WINDOW_MS))
}

/// What a scenario is to show; `None` is judged by nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Aims {
	/// 95th percentile of the startups, milliseconds: below this.
	pub startup_ms: Option<u64>,
	/// 95th percentile of the fail-overs, milliseconds: below this, and nobody waits for good.
	pub failover_ms: Option<u64>,
	/// 95th percentile from capture to playable, milliseconds: below this.
	pub delay_ms: Option<u64>,
	/// Nothing comes late or not at all.
	pub no_stall: bool,
	/// Bytes that leave the origin, for each of the stream: at most this.
	pub origin_copies: Option<f64>,
	/// Something is left of what the relayer with the books earns.
	pub earns: bool,
}

/// One of them, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Aim {
	/// In words, with what is asked.
	pub what: String,
	/// What was measured; `None` where nothing was.
	pub had: Option<f64>,
	/// Whether that is as asked.
	pub met: bool,
}

impl Aim {
	fn below(what: &str, most: Option<u64>, had: Option<u64>) -> Option<Self> {
		let most = most?;
		Some(Self {
			what: format!("{what} below {most} ms"),
			had: had.map(|had| had as f64),
			met: had.is_some_and(|had| had < most),
		})
	}

	fn at_most(what: &str, most: f64, had: f64) -> Self {
		Self {
			what: format!("{what} at most {most}"),
			had: Some(had),
			met: had <= most,
		}
	}
}

impl fmt::Display for Aim {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let verdict = if self.met { "met" } else { "NOT MET" };
		match self.had {
			Some(had) => write!(f, "{}: {} - {verdict}", self.what, (had * 100.0).round() / 100.0),
			None => write!(f, "{}: nothing measured - {verdict}", self.what),
		}
	}
}

/// What `scripts/lab` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
	/// Its name.
	pub scenario: String,
	/// Of losses and delays.
	pub seed: u64,
	/// How late the machine was all the while.
	pub control: Verdict,
	/// From the end of a window's capture until the origin published it: the encoder's time, and the processor's.
	pub origin_late_ms: Spread,
	/// From starting a viewer's program, whose deposit is there, to the first window that could be played.
	pub startup_ms: Spread,
	/// From capture to playable.
	pub delay_ms: Spread,
	/// Times that a viewer lost its relayer, and how long it was without.
	pub failover_ms: Spread,
	/// Fail-overs after which nothing came.
	pub lost_for_good: usize,
	/// Of all viewers.
	pub stalls: u64,
	/// Of all viewers.
	pub missing: u64,
	/// Of all viewers.
	pub foreign: usize,
	/// Bytes that left the origin for each byte of the stream.
	pub origin_copies: f64,
	/// Each viewer.
	pub viewers: Vec<Viewer>,
	/// How long windows took over each hop, where everybody has the stream from one.
	pub hops: Vec<Hop>,
	/// Of the relayer whose books were closed.
	pub earnings: Option<Earnings>,
	/// What was to be shown, and was or was not.
	pub aims: Vec<Aim>,
	/// How they shared a line with somebody else, where there was one.
	pub sharing: Option<Sharing>,
}

impl Report {
	/// Over all viewers, who watched what the origin published.
	pub fn of(
		(scenario, seed): (&str, u64),
		control: Verdict,
		origin_copies: f64,
		published: &[Window],
		viewers: Vec<Viewer>,
		all: &[Watched],
	) -> Self {
		let startups: Vec<u64> = viewers.iter().filter_map(|viewer| viewer.startup_ms).collect();
		let failovers = || viewers.iter().flat_map(|viewer| &viewer.failover_ms);
		let delays: Vec<u64> = all.iter().flat_map(|watched| latencies_ms(&watched.log)).collect();
		let length = length_ms(published);
		let late = published
			.iter()
			.filter_map(|window| Some(window.published_ms?.saturating_sub(window.start_ms + length)));
		Self {
			scenario: scenario.to_owned(),
			seed,
			control,
			origin_late_ms: Spread::of(&late.collect::<Vec<_>>()),
			startup_ms: Spread::of(&startups),
			delay_ms: Spread::of(&delays),
			failover_ms: Spread::of(&failovers().flatten().copied().collect::<Vec<_>>()),
			lost_for_good: failovers().filter(|failover| failover.is_none()).count(),
			stalls: viewers.iter().map(|viewer| viewer.stalls).sum(),
			missing: viewers.iter().map(|viewer| viewer.missing).sum(),
			foreign: viewers.iter().map(|viewer| viewer.foreign).sum(),
			origin_copies,
			viewers,
			hops: Vec::new(),
			earnings: None,
			aims: Vec::new(),
			sharing: None,
		}
	}

	/// With what became of the aims. That no window is foreign is always one.
	#[must_use]
	pub fn judged(mut self, aims: &Aims) -> Self {
		let failover = self.failover_ms.p95.filter(|_| self.lost_for_good == 0);
		let all = [
			Some(Aim::at_most(
				"windows that were not broadcast",
				0.0,
				self.foreign as f64,
			)),
			aims.no_stall.then(|| Aim::at_most("stalls", 0.0, self.stalls as f64)),
			Aim::below("startup (p95)", aims.startup_ms, self.startup_ms.p95),
			Aim::below("fail-over (p95)", aims.failover_ms, failover),
			Aim::below("capture to playable (p95)", aims.delay_ms, self.delay_ms.p95),
			aims.origin_copies
				.map(|most| Aim::at_most("bytes of the origin / stream", most, self.origin_copies)),
			aims.earns.then(|| {
				let net = self.earnings.as_ref().map(|earnings| earnings.net);
				Aim {
					what: "left of what is earned, micro-USDC, above 0".into(),
					had: net,
					met: net.is_some_and(|net| net > 0.0),
				}
			}),
		];
		self.aims = all.into_iter().flatten().collect();
		self
	}

	/// Why these figures say nothing about lines and programs, where they do not.
	pub fn void(&self) -> Option<String> {
		let origin = self.origin_late_ms.p95.filter(|late| *late > LATEST_ORIGIN_MS);
		let origin = origin.map(|late| format!("the origin published {late} ms late (95th percentile)"));
		self.control.void().or(origin)
	}
}

impl fmt::Display for Report {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		writeln!(f, "{}, seed {}", self.scenario, self.seed)?;
		writeln!(
			f,
			"{:<12}{:>9}{:>9}{:>9}{:>8}{:>10}{:>11}  fail-over, ms",
			"", "startup", "windows", "missing", "stalls", "latest", "delay p95"
		)?;
		let number = |value: Option<u64>| value.map_or_else(|| "never".to_owned(), |value| value.to_string());
		for viewer in &self.viewers {
			let failovers: Vec<String> = viewer.failover_ms.iter().map(|failover| number(*failover)).collect();
			writeln!(
				f,
				"{:<12}{:>9}{:>9}{:>9}{:>8}{:>10}{:>11}  {}",
				viewer.name,
				number(viewer.startup_ms),
				viewer.windows,
				viewer.missing,
				viewer.stalls,
				viewer.latest_ms,
				number(viewer.delay_ms.p95),
				failovers.join(" ")
			)?;
		}
		for (what, value) in [
			("startup", self.startup_ms.to_string()),
			("fail-over", self.failover_ms.to_string()),
			("delay", self.delay_ms.to_string()),
			(
				"stalls",
				format!("{}, of which {} windows never came", self.stalls, self.missing),
			),
			("origin", format!("{:.2} x the stream", self.origin_copies)),
			("encoder", format!("published late by {}", self.origin_late_ms)),
			("foreign", format!("{} windows that were not broadcast", self.foreign)),
			("control", self.control.to_string()),
		] {
			writeln!(f, "{what:<12}{value}")?;
		}
		for hop in &self.hops {
			writeln!(f, "{:<12}{hop}", "hop")?;
		}
		if let Some(earnings) = &self.earnings {
			writeln!(f, "{:<12}{earnings}", "earnings")?;
		}
		for aim in &self.aims {
			writeln!(f, "{:<12}{aim}", "aim")?;
		}
		if let Some(sharing) = &self.sharing {
			writeln!(f, "{:<12}{sharing}", "sharing")?;
		}
		Ok(())
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	/// Windows of 2 s: segment, when it was playable, from whom.
	fn log(windows: &[(u64, u64, &str)]) -> Vec<Window> {
		windows
			.iter()
			.map(|(segment, playable, relayer)| Window {
				segment: *segment,
				part: 0,
				bytes: 1,
				root: Hash([0; 32]),
				start_ms: segment * WINDOW_MS,
				published_ms: None,
				playable_ms: Some(*playable),
				relayer: Some((*relayer).to_owned()),
			})
			.collect()
	}

	fn killed(peer: &str, at_ms: u64) -> Killed {
		Killed {
			peer: peer.to_owned(),
			at_ms,
			back_ms: None,
		}
	}

	#[test]
	fn failover_counts_from_when_the_first_window_that_did_not_come_was_due() {
		// 2.5 s from capture to playable; killed at 7 s, when windows 0 and 1 are there, and 2, due at 6.5 + 2 s, is not.
		let log = log(&[
			(0, 2_500, "a"),
			(1, 4_500, "a"),
			(2, 6_500, "a"),
			(3, 12_000, "b"),
			(4, 12_100, "b"),
		]);
		assert_eq!(failover_ms(&log, &killed("a", 7_000), WINDOW_MS), Some(Some(3_500)));
		assert_eq!(
			failover_ms(&log, &killed("b", 7_000), WINDOW_MS),
			None,
			"it had nothing from that one"
		);
		assert_eq!(
			failover_ms(&log[..3], &killed("a", 7_000), WINDOW_MS),
			Some(None),
			"nothing came any more"
		);
		assert_eq!(
			failover_ms(&log, &killed("a", 1_000), WINDOW_MS),
			None,
			"it had not begun"
		);
	}

	#[test]
	fn who_waits_until_its_relayer_is_back_has_waited_so_long() {
		let log = log(&[(0, 2_500, "a"), (1, 4_500, "a"), (2, 14_000, "a")]);
		let killed = Killed {
			back_ms: Some(13_000),
			..killed("a", 5_000)
		};
		assert_eq!(failover_ms(&log, &killed, WINDOW_MS), Some(Some(7_500)));
	}

	#[test]
	fn what_was_under_way_is_no_failover_and_nobody_waits_before_the_kill() {
		let under_way = log(&[(0, 2_500, "a"), (1, 4_600, "a"), (2, 6_500, "b")]);
		assert_eq!(failover_ms(&under_way, &killed("a", 4_550), WINDOW_MS), Some(Some(0)));
		// It was late already.
		let late = log(&[(0, 2_500, "a"), (1, 9_500, "b")]);
		assert_eq!(failover_ms(&late, &killed("a", 9_000), WINDOW_MS), Some(Some(500)));
	}

	#[test]
	fn windows_that_are_late_or_missing_are_stalls() {
		let mut windows = log(&[(5, 12_500, "a"), (6, 14_500, "a"), (8, 22_700, "a"), (9, 22_800, "b")]);
		let published = log(&[(4, 0, ""), (5, 0, ""), (6, 0, ""), (7, 0, ""), (8, 0, ""), (9, 0, "")]);
		windows[3].root = Hash([7; 32]);
		let watched = Watched {
			name: "viewer".into(),
			started_ms: 11_000,
			stopped_ms: 23_000,
			log: windows,
			summary: Value::Null,
		};
		let viewer = Viewer::of(&watched, &[], &published);
		assert_eq!((viewer.startup_ms, viewer.windows), (Some(1_500), 4));
		assert_eq!((viewer.missing, viewer.stalls, viewer.latest_ms), (1, 2, 700));
		assert_eq!(viewer.foreign, 1);
		let mut origin = log(&[(5, 0, ""), (6, 0, "")]);
		for window in &mut origin {
			window.published_ms = Some(window.start_ms + WINDOW_MS + LATEST_ORIGIN_MS + 1);
		}
		let report = Report::of(("it", 1), Verdict::default(), 1.0, &origin, vec![viewer], &[watched]);
		assert_eq!((report.stalls, report.missing, report.foreign), (2, 1, 1));
		assert_eq!(report.delay_ms.max, Some(6_700));
		assert!(report.void().is_some(), "nobody measured");
		let quick = Verdict {
			samples: 1,
			..Verdict::default()
		};
		let with = |late_ms: u64| {
			let origin_late_ms = Spread::of(&[late_ms]);
			let control = quick;
			Report {
				control,
				origin_late_ms,
				..report.clone()
			}
		};
		assert_eq!(with(LATEST_ORIGIN_MS).void(), None);
		assert!(with(LATEST_ORIGIN_MS + 1)
			.void()
			.is_some_and(|why| why.contains("501 ms")));
		assert_eq!(report.origin_late_ms.max, Some(501));
	}

	#[test]
	fn who_gets_nothing_any_more_misses_all_that_was_due_before_it_stopped() {
		let published: Vec<_> = (0..10).map(|segment| (segment, 0, "")).collect();
		let mut watched = Watched {
			name: "viewer".into(),
			started_ms: 0,
			// Windows up to 6, captured from 12 s on, are due.
			stopped_ms: 12_000 + PLAYHEAD_MS,
			log: log(&[(2, 6_500, "a"), (3, 8_500, "a")]),
			summary: Value::Null,
		};
		assert_eq!(Viewer::of(&watched, &[], &log(&published)).missing, 3);
		watched.stopped_ms -= 1;
		assert_eq!(Viewer::of(&watched, &[], &log(&published)).missing, 2);
		watched.log.clear();
		assert_eq!(Viewer::of(&watched, &[], &log(&published)).missing, 0, "it never began");
	}

	#[test]
	fn parts_that_never_came_are_missing_and_late_by_their_own_length() {
		let parts = |of: &[u16]| -> Vec<Window> {
			let part = |part: &u16| Window {
				part: *part,
				start_ms: u64::from(*part) * 200,
				published_ms: Some(u64::from(*part) * 200 + 200 + LATEST_ORIGIN_MS + 1),
				..log(&[(0, 1_000, "a")]).remove(0)
			};
			of.iter().map(part).collect()
		};
		let watched = Watched {
			name: "viewer".into(),
			started_ms: 0,
			stopped_ms: 2_000,
			log: parts(&[0, 1, 4]),
			summary: Value::Null,
		};
		let published = parts(&[0, 1, 2, 3, 4]);
		let viewer = Viewer::of(&watched, &[], &published);
		assert_eq!(viewer.missing, 2);
		let report = Report::of(("it", 1), Verdict::default(), 1.0, &published, vec![viewer], &[watched]);
		assert_eq!(report.origin_late_ms.p50, Some(LATEST_ORIGIN_MS + 1));
	}

	#[test]
	fn aims_are_met_or_not_and_what_was_not_measured_is_not() {
		let aims = Aims {
			startup_ms: Some(2_000),
			failover_ms: Some(1_000),
			delay_ms: None,
			no_stall: true,
			origin_copies: Some(3.2),
			earns: true,
		};
		let report = Report::of(("it", 1), Verdict::default(), 3.2, &[], Vec::new(), &[]);
		let met = |report: &Report| -> Vec<bool> {
			let judged = report.clone().judged(&aims);
			judged.aims.iter().map(|aim| aim.met).collect()
		};
		assert_eq!(met(&report), [true, true, false, false, true, false]);
		let mut good = report.clone();
		(good.startup_ms, good.failover_ms) = (Spread::of(&[1_999]), Spread::of(&[999]));
		assert_eq!(met(&good), [true, true, true, true, true, false]);
		(good.startup_ms, good.failover_ms) = (Spread::of(&[2_000]), Spread::of(&[1_000]));
		(good.foreign, good.stalls, good.origin_copies) = (1, 1, 3.21);
		assert_eq!(met(&good), [false; 6]);
		(good.failover_ms, good.lost_for_good) = (Spread::of(&[1]), 1);
		assert!(!met(&good)[3], "somebody waits for good");
	}
}
