//! A publisher's stamps on one axis that only grows.
//!
//! A *line* says where on the axis the stamps of a track stand; both tracks of a publisher are on one line unless
//! their stamps have nothing to do with each other. Where a track's stamps leave its line it goes to the line of the
//! other track, or to one that it was on before, if its frame fits there, or else begins a line of its own at the
//! real time that has passed. So a jump of both tracks, at once or one after the other, leaves sound with its
//! picture, whatever its size.

use std::{fmt, time::Duration};

/// Which of a publisher's two tracks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Track {
	/// H.264.
	Picture,
	/// AAC.
	Sound,
}

impl Track {
	pub(crate) const BOTH: [Self; 2] = [Self::Picture, Self::Sound];

	pub(crate) fn other(self) -> Self {
		match self {
			Self::Picture => Self::Sound,
			Self::Sound => Self::Picture,
		}
	}
}

impl fmt::Display for Track {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(match self {
			Self::Picture => "pictures",
			Self::Sound => "sound",
		})
	}
}

/// Where a frame stands on the axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
	/// Never less than for the frame before it of the same track. Whole milliseconds; the first frame of a publisher
	/// is at [`Timeline::START`]. Composition times (in the tag's body) count from here.
	pub at: Duration,
	/// With this frame its track left the line of stamps that it was on.
	pub began: bool,
	/// To be logged: one a minute at most.
	pub notice: Option<Notice>,
}

/// What was wrong with the stamps, for the broadcaster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notice {
	/// What was seen now.
	pub fault: Fault,
	/// So many others of any kind were passed over since the notice before.
	pub unsaid: u64,
}

/// Kinds of trouble with stamps. All are mended; nothing is lost but what the publisher left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
	/// A track's stamps jumped by so many milliseconds; real time goes on.
	Jump(Track, i64),
	/// A track's stamps are so many milliseconds from those of the other that came at the same time: they are put
	/// together.
	Apart(Track, i64),
	/// Stamps do not run with time; the time of arrival is taken instead.
	Useless(Track),
	/// They do again, and are taken again.
	Mended,
}

impl fmt::Display for Notice {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let seconds = |ms: i64| ms as f64 / 1000.0;
		match self.fault {
			Fault::Jump(track, by) => {
				let by = seconds(by);
				write!(
					f,
					"the publisher's time stamps of {track} jumped by {by:+.1} s; real time goes on"
				)?
			},
			Fault::Apart(track, by) => {
				let by = seconds(by);
				write!(
					f,
					"the publisher's time stamps of {track} are off the other track's by {by:+.1} s; "
				)?;
				f.write_str("both are taken as they arrive")?
			},
			Fault::Useless(track) => {
				write!(f, "the publisher's time stamps of {track} do not run with time; ")?;
				f.write_str("the time of arrival is taken instead")?
			},
			Fault::Mended => f.write_str("the publisher's time stamps run with time again and are taken again")?,
		}
		match self.unsaid {
			0 => Ok(()),
			n => write!(f, " ({n} more like this since the last line)"),
		}
	}
}

/// Stamps count modulo this: RTMP's wrap at 2^32, FFmpeg's FLV writer's at 2^31, and this divides both.
const MODULUS: i64 = 1 << 31;

/// Stamps of a track may go back so far without being a jump, ms: writers that stamp in the order of display.
const DISORDER: i64 = 500;

/// Stamps may be so much earlier than any before were for the time at which they came, ms; what is more is a jump.
/// Encoders that leave out pictures and then send what was queued come to some hundred.
const AHEAD: i64 = 1_000;

/// A step forward of no more than that, behind the usual one, is none, ms.
const SMOOTH: i64 = 200;

/// A step back of no more than that is none, ms: stamps are rounded.
const ROUNDING: i64 = 50;

/// A track fits on another line if its frame comes to stand so near to where it is expected, ms. Also how far the
/// tracks of a publisher may be apart at one time of arrival: more would not fit into the mixer's buffer.
const APART: i64 = 700;

/// A frame that comes no later than that behind the quickest goes on in the rhythm of those before it, ms.
const PUNCTUAL: i64 = 200;

/// Then it is expected to be so near, ms, and a line on which it is further away fits by chance.
const NEAR: i64 = 250;
const _: () = assert!(NEAR > PUNCTUAL);

/// A track that sent nothing for so long when something was due is looked at anew, ms.
const PAUSE: i64 = 1_000;

/// The other track says where we are if it came no longer ago, ms.
const RECENT: i64 = 500;

/// How far back "earlier than any before" looks: one to two times that, ms.
const MEMORY: i64 = 10_000;

/// Stamps are held against time in steps of that, ms.
const CHECK: i64 = 3_000;

/// So many points make stamps useless: 2 for a check that was off by [`GROSS`] and more, 1 by [`OFF`].
const USELESS: i32 = 4;

/// Fractions of real time.
const GROSS: f64 = 0.3;
const OFF: f64 = 0.05;

/// So many jumps within [`MEMORY`] make stamps useless as well.
const JUMPS: u32 = 6;

/// So many good checks in a row, and stamps are taken again.
const GOOD: i32 = 2;

/// Two tracks, and what a stray frame left.
const LINES: usize = 4;

/// Between two notices, ms.
const NOTICES: i64 = 60_000;

/// The largest value of the last 10 to 20 s, in spans that are the same for all. After a pause what was known before
/// it counts as seen anew: stamps are held against that while they may catch up.
#[derive(Clone, Copy, Debug)]
struct Peak {
	span: i64,
	newer: i64,
	older: i64,
}

impl Peak {
	fn new(now: i64, value: i64) -> Self {
		Self {
			span: now / MEMORY,
			newer: value,
			older: value,
		}
	}

	fn see(&mut self, now: i64, value: i64) {
		let span = now / MEMORY;
		(self.newer, self.older) = match span - self.span {
			0 => (self.newer.max(value), self.older),
			1 => (value, self.newer),
			_ => (self.newer.max(value), self.newer),
		};
		self.span = span;
	}

	fn get(&self, now: i64) -> i64 {
		match now / MEMORY - self.span {
			0 => self.newer.max(self.older),
			_ => self.newer,
		}
	}
}

/// `stamp` stands at `at` on the axis.
#[derive(Clone, Copy, Debug)]
struct Line {
	id: u32,
	stamp: u32,
	at: i64,
}

impl Line {
	fn project(&self, stamp: u32) -> i64 {
		self.at + difference(stamp, self.stamp)
	}
}

/// From `before` to `stamp`, the short way round, ms.
fn difference(stamp: u32, before: u32) -> i64 {
	let forward = (i64::from(stamp) - i64::from(before)).rem_euclid(MODULUS);
	if forward >= MODULUS / 2 {
		forward - MODULUS
	} else {
		forward
	}
}

/// A track that has sent something. Times are ms.
#[derive(Clone, Debug)]
struct State {
	/// Which line it is on.
	line: u32,
	/// Its last stamp, where that is on its line, and what was given out.
	stamp: u32,
	raw: i64,
	out: i64,
	/// When it came.
	came: i64,
	/// From a frame to the next, lately.
	interval: i64,
	/// How far stamps are ahead of time at most, and behind that at most.
	lead: Peak,
	late: Peak,
	/// When it came to its line.
	since: i64,
	/// It came back after a pause that its stamps did not count, and has not caught up: since when, and how far stamps
	/// have been ahead of time at most since then.
	doubt: Option<(i64, i64)>,
	/// The last step that was odd and kept: when, and how large.
	step: Option<(i64, i64)>,
	/// The last jump: when, how large, and from which line.
	left: Option<(i64, i64, u32)>,
	/// Stamps held against time.
	check: Check,
}

/// What stamps gained on time, at most in one span against at most in the span before: what comes in lumps is late but
/// for a lump's last frame. Times are ms.
#[derive(Clone, Copy, Debug)]
struct Check {
	/// When this span began.
	since: i64,
	/// When the last frame came.
	came: i64,
	/// Gained from the first frame to the last one.
	gain: i64,
	/// The most of that, in this span and in the one before.
	most: i64,
	before: i64,
	/// How far stamps were ahead of time at most when this span began.
	lead: i64,
	/// Above 0: too fast, below: too slow.
	points: i32,
	good: i32,
}

/// The axis of one publisher, from its first frame to its last.
#[derive(Debug, Default)]
pub struct Timeline {
	/// The clock at the first frame.
	began: Option<Duration>,
	lines: Vec<Line>,
	next_line: u32,
	tracks: [Option<State>; 2],
	/// Stamps are useless, as this track showed: axis minus time since the first frame.
	arrival: Option<(Track, i64)>,
	jumps: (i64, u32),
	said: Option<i64>,
	unsaid: u64,
}

impl Timeline {
	/// Where the first frame is put: what comes later with an earlier stamp has room before it.
	pub const START: Duration = Duration::from_secs(1);

	/// Of a publisher that has sent nothing yet.
	pub fn new() -> Self {
		Self::default()
	}

	/// Where the last frame of `track` was placed, or where the first one will be.
	pub fn last(&self, track: Track) -> Duration {
		let first = self.tracks.iter().flatten().next();
		self.tracks[track as usize]
			.as_ref()
			.or(first)
			.map_or(Self::START, |t| axis(t.out))
	}

	/// Places the next frame of `track`, stamped `stamp` (milliseconds, modulo 2^32 or 2^31), that arrived at `now`
	/// (any monotone clock). Codec headers are not frames: their stamps mean nothing, and they go to the decoder with
	/// [`Timeline::last`].
	pub fn place(&mut self, track: Track, stamp: u32, now: Duration) -> Placed {
		let began = *self.began.get_or_insert(now);
		let now = i64::try_from(now.saturating_sub(began).as_millis()).unwrap_or(i64::MAX);
		let (at, began, fault) = match self.arrival {
			Some((culprit, lead)) => self.by_arrival(track, stamp, now, culprit, lead),
			None => self.by_stamp(track, stamp, now),
		};
		Placed {
			at: axis(at),
			began,
			notice: fault.and_then(|fault| self.notice(fault, now)),
		}
	}

	fn notice(&mut self, fault: Fault, now: i64) -> Option<Notice> {
		if self.said.is_some_and(|said| now - said < NOTICES) {
			self.unsaid += 1;
			return None;
		}
		self.said = Some(now);
		Some(Notice {
			fault,
			unsaid: std::mem::take(&mut self.unsaid),
		})
	}

	fn by_stamp(&mut self, track: Track, stamp: u32, now: i64) -> (i64, bool, Option<Fault>) {
		let own = self.tracks[track as usize].take();
		let other = self.tracks[track.other() as usize].clone();
		let (mut own, raw, began, fault) = match (own, other) {
			(None, None) => {
				let at = Self::START.as_millis() as i64;
				let line = self.line(stamp, at);
				(State::new(line, stamp, at, now), at, false, None)
			},
			(None, Some(other)) => {
				let (line, at, fault) = self.join(track, stamp, now, &other);
				(State::new(line, stamp, at, now), at, fault.is_some(), fault)
			},
			(Some(mut own), other) => {
				let (line, at, fault) = self.follow(track, stamp, now, &mut own, other.as_ref());
				let began = line != own.line;
				own.moved(line, stamp, at, now);
				(own, at, began, fault)
			},
		};
		own.out = own.out.max(raw);
		let out = own.out;
		if let Some(line) = self.lines.iter_mut().find(|l| l.id == own.line) {
			(line.stamp, line.at) = (stamp, raw);
		}
		let useless = own.useless(now) || began && self.jumps(now);
		let lead = own.lead.get(now);
		self.tracks[track as usize] = Some(own);
		if useless {
			let lead = self
				.tracks
				.iter()
				.flatten()
				.map(|t| t.lead.get(now))
				.max()
				.unwrap_or(lead);
			self.arrival = Some((track, lead));
			return (out, true, Some(Fault::Useless(track)));
		}
		(out, began, fault)
	}

	/// The first frame of a track while the other is there.
	fn join(&mut self, track: Track, stamp: u32, now: i64, other: &State) -> (u32, i64, Option<Fault>) {
		let expected = other.expected(now);
		let at = self.project(other.line, stamp).unwrap_or(expected);
		if (at - expected).abs() <= APART {
			return (other.line, at, None);
		}
		(
			self.line(stamp, expected),
			expected,
			Some(Fault::Apart(track, at - expected)),
		)
	}

	/// The next frame of a track: its line, its place there, and what is odd about it.
	fn follow(
		&mut self,
		track: Track,
		stamp: u32,
		now: i64,
		own: &mut State,
		other: Option<&State>,
	) -> (u32, i64, Option<Fault>) {
		let at = self.project(own.line, stamp).unwrap_or(own.raw);
		let by = at - own.raw;
		let early = at - now - own.lead.get(now);
		let paused = now - own.came > PAUSE + own.interval;
		// Back after a pause that its stamps did not count, but the other track's did. If neither's did, both stay:
		// it may be a stall, behind which they catch up.
		let returns = paused || own.doubt.is_some();
		let left = other.filter(|o| {
			let off = if early > 0 { at - o.raw } else { o.raw - at };
			returns && early.abs() > APART && off > APART && now - o.came <= RECENT
		});
		let lost = left.is_some();
		let (expected, near) = left.map_or_else(|| own.next(now), |o| (own.beside(o, now), APART));
		own.doubt(paused, early, at - now, now);
		let smooth = (-ROUNDING..=own.interval + SMOOTH).contains(&by);
		// A picture a second takes large steps, and may come with the one before it.
		let beside = other.is_some_and(|o| now - o.came <= RECENT && (at - o.raw).abs() <= APART);
		// Of a slow track a step back is as far from where the next frame is due.
		let slow = by < 0 && own.interval >= DISORDER;
		let back = if slow { by - own.interval } else { by };
		let possible = back >= -DISORDER && (smooth || early <= AHEAD || beside) && !lost;
		if possible && smooth {
			return match other.and_then(|other| own.apart(other, at, now)) {
				None => (own.line, at, None),
				Some(by) => (self.line(stamp, at + by), at + by, Some(Fault::Apart(track, -by))),
			};
		}
		// The other track made the same step a moment ago, and stayed.
		let step = at - expected;
		let followed = other
			.filter(|o| o.line == own.line)
			.and_then(|o| o.step)
			.is_some_and(|(when, size)| now - when <= 10 * RECENT && (size - step).abs() <= ROUNDING + SMOOTH);
		if let Some((line, there)) = other
			.and_then(|other| self.together(stamp, now, step, own, other))
			.filter(|_| !possible)
		{
			if (there - expected).abs() <= APART && there >= own.out - DISORDER {
				own.left = Some((now, step, own.line));
				let line = line.unwrap_or_else(|| self.line(stamp, there));
				return (line, there, Some(Fault::Jump(track, step)));
			}
		}
		let mut best = ((possible || followed) && !lost).then_some((own.line, at));
		let other_line = other.map(|o| o.line).filter(|line| *line != own.line);
		for line in &self.lines {
			let known = Some(line.id) == other_line || best.is_none_or(|(id, _)| id != own.line);
			let there = line.project(stamp);
			let fits = (there - expected).abs() <= near && there >= own.out - DISORDER;
			if known
				&& fits && line.id != own.line
				&& best.is_none_or(|(_, b)| (there - expected).abs() < (b - expected).abs())
			{
				best = Some((line.id, there));
			}
		}
		match best {
			Some((line, at)) if line == own.line => {
				own.step = Some((now, step));
				(line, at, None)
			},
			Some((line, there)) => {
				own.left = Some((now, step, own.line));
				(line, there, Some(Fault::Jump(track, step)))
			},
			None => {
				own.left = Some((now, step, own.line));
				let there = expected.max(own.out);
				(self.line(stamp, there), there, Some(Fault::Jump(track, step)))
			},
		}
	}

	/// Where a frame stands whose track makes the jump that the other one made a moment ago: beside it as before, on the
	/// same line if it was on the same.
	fn together(&self, stamp: u32, now: i64, step: i64, own: &State, other: &State) -> Option<(Option<u32>, i64)> {
		let (when, size, from) = other.left?;
		// Neither is known better than where a frame was expected.
		if now - when > 10 * RECENT || (size - step).abs() > APART {
			return None;
		}
		let beside = self.project(own.line, stamp)? - self.project(from, stamp)?;
		let there = self.project(other.line, stamp)? + beside;
		Some(((from == own.line).then_some(other.line), there))
	}

	fn by_arrival(
		&mut self,
		track: Track,
		stamp: u32,
		now: i64,
		culprit: Track,
		lead: i64,
	) -> (i64, bool, Option<Fault>) {
		let at = now + lead;
		let Some(own) = &mut self.tracks[track as usize] else {
			self.tracks[track as usize] = Some(State::new(u32::MAX, stamp, at, now));
			return (at, false, None);
		};
		own.check.see(difference(stamp, own.stamp), now);
		(own.stamp, own.raw, own.came) = (stamp, at, now);
		own.out = own.out.max(at);
		let out = own.out;
		if track != culprit || !own.useful(now) {
			return (out, false, None);
		}
		// The other track joins with its next frame.
		self.arrival = None;
		self.lines.clear();
		self.jumps = (now, 0);
		let line = self.line(stamp, out);
		for other in self.tracks.iter_mut().flatten() {
			*other = State {
				out: other.out,
				..State::new(line, other.stamp, other.raw, now)
			};
		}
		if let Some(other) = self.tracks[track.other() as usize].as_ref() {
			let (stamp, raw) = (other.stamp, other.raw);
			let fits = self.project(line, stamp).is_some_and(|at| (at - raw).abs() <= APART);
			if !fits {
				let line = self.line(stamp, raw);
				if let Some(other) = self.tracks[track.other() as usize].as_mut() {
					other.line = line;
				}
			}
		}
		(out, true, Some(Fault::Mended))
	}

	fn project(&self, line: u32, stamp: u32) -> Option<i64> {
		self.lines.iter().find(|l| l.id == line).map(|l| l.project(stamp))
	}

	/// A new line. The oldest that no track is on goes.
	fn line(&mut self, stamp: u32, at: i64) -> u32 {
		let used: Vec<u32> = self.tracks.iter().flatten().map(|t| t.line).collect();
		let spare = self.lines.iter().position(|l| !used.contains(&l.id));
		if let Some(old) = spare.filter(|_| self.lines.len() >= LINES) {
			self.lines.remove(old);
		}
		let id = self.next_line;
		self.next_line = (self.next_line + 1) % u32::MAX;
		self.lines.push(Line { id, stamp, at });
		id
	}

	/// Counts a jump: whether there were too many.
	fn jumps(&mut self, now: i64) -> bool {
		if now - self.jumps.0 > MEMORY {
			self.jumps = (now, 0);
		}
		self.jumps.1 += 1;
		self.jumps.1 >= JUMPS
	}
}

fn axis(ms: i64) -> Duration {
	Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

impl State {
	fn new(line: u32, stamp: u32, at: i64, now: i64) -> Self {
		Self {
			line,
			stamp,
			raw: at,
			out: at.max(0),
			came: now,
			interval: 0,
			lead: Peak::new(now, at - now),
			late: Peak::new(now, 0),
			since: now,
			doubt: None,
			step: None,
			left: None,
			check: Check::new(now, at - now),
		}
	}

	/// Where a frame of this publisher that comes now is on the axis.
	fn expected(&self, now: i64) -> i64 {
		if now - self.came <= RECENT {
			self.raw
		} else {
			now + self.lead.get(now)
		}
	}

	/// Where the next frame of this track is, by its stamps' rhythm if that agrees with the time that has passed; and how
	/// near to that it is.
	fn next(&self, now: i64) -> (i64, i64) {
		let (by_stamp, by_time) = (self.raw + self.interval, now + self.lead.get(now));
		let passed = now - self.came;
		let rhythm = self.interval > 0 && passed <= self.interval + RECENT;
		if rhythm && by_stamp - by_time <= self.interval + ROUNDING {
			let punctual = by_time - by_stamp <= PUNCTUAL;
			(by_stamp, if punctual { NEAR } else { APART })
		} else {
			(by_time, APART)
		}
	}

	/// Where this track is if its stamps do not say it, and those of the other, that goes on, do.
	fn beside(&self, other: &Self, now: i64) -> i64 {
		let (own, theirs) = (self.lead.get(now), other.lead.get(now));
		let lead = if (own - theirs).abs() > APART { theirs } else { own };
		let behind = now + theirs - other.raw;
		now + lead - if behind > APART { behind } else { 0 }
	}

	/// A frame whose stamp is so `early`, and ahead of time by `lead`: whether it is still held against the time before
	/// the pause that it is `back` from.
	fn doubt(&mut self, back: bool, early: i64, lead: i64, now: i64) {
		if early >= -APART {
			self.doubt = None;
			return;
		}
		if back {
			self.doubt.get_or_insert((now, lead));
		}
		let Some((since, most)) = &mut self.doubt else { return };
		*most = lead.max(*most);
		if now - *since > CHECK {
			(self.lead, self.late) = (Peak::new(now, *most), Peak::new(now, 0));
			self.doubt = None;
		}
	}

	/// How far the other track has run ahead of this one, if they can no longer be played together.
	fn apart(&self, other: &Self, at: i64, now: i64) -> Option<i64> {
		let settled = |t: &Self| now - t.since > CHECK && t.doubt.is_none();
		let settled = settled(self) && settled(other) && now - other.came <= RECENT;
		let by = other.lead.get(now) - self.lead.get(now).max(at - now);
		(settled && by > APART).then_some(by)
	}

	/// A frame was put at `at`.
	fn moved(&mut self, line: u32, stamp: u32, at: i64, now: i64) {
		let by = at - self.raw;
		if line == self.line {
			if by > 0 && by <= PAUSE {
				self.interval = by;
			}
			self.lead.see(now, at - now);
			self.late.see(now, self.lead.get(now) - (at - now));
			self.check.see(by, now);
		} else {
			// Lines are made so that the lead stays; what is earlier than that is seen here.
			let lead = self.lead.get(now).min(at - now + self.late.get(now)).max(at - now);
			self.lead = Peak::new(now, lead);
			self.since = now;
			self.doubt = None;
			self.step = None;
			self.check = Check::new(now, lead);
		}
		(self.line, self.stamp, self.raw, self.came) = (line, stamp, at, now);
	}

	/// Holds stamps against time: whether they are to be taken no longer.
	fn useless(&mut self, now: i64) -> bool {
		let lead = self.lead.get(now);
		let Some(ratio) = self.check.ratio(now, Some(lead)) else {
			return false;
		};
		let points = match (ratio - 1.0).abs() {
			off if off > GROSS => 2,
			off if off > OFF => 1,
			_ => 0,
		};
		let check = &mut self.check;
		let same = (ratio > 1.0) == (check.points > 0);
		let before = if points > 0 && same { check.points.abs() } else { 0 };
		check.points = if ratio > 1.0 {
			before + points
		} else {
			-(before + points)
		};
		check.points.abs() >= USELESS
	}

	/// The same the other way round.
	fn useful(&mut self, now: i64) -> bool {
		let Some(ratio) = self.check.ratio(now, None) else {
			return false;
		};
		self.check.good = if (ratio - 1.0).abs() <= OFF {
			self.check.good + 1
		} else {
			0
		};
		self.check.good >= GOOD
	}
}

impl Check {
	fn new(now: i64, lead: i64) -> Self {
		Self {
			since: now,
			came: now,
			gain: 0,
			most: 0,
			before: 0,
			lead,
			points: 0,
			good: 0,
		}
	}

	/// The next frame, `by` after the one before it.
	fn see(&mut self, by: i64, now: i64) {
		self.gain += by - (now - self.came);
		self.came = now;
		self.most = self.most.max(self.gain);
	}

	/// How fast stamps ran since the last check, and begins the next. They are not too fast while they only catch up.
	fn ratio(&mut self, now: i64, lead: Option<i64>) -> Option<f64> {
		let passed = now - self.since;
		if passed < CHECK {
			return None;
		}
		let gained = self.most - self.before;
		let catches_up = gained > 0 && lead.is_some_and(|lead| lead - self.lead < gained / 2);
		let gained = if catches_up { 0 } else { gained };
		(self.since, self.before, self.most) = (now, self.most, self.gain);
		self.lead = lead.unwrap_or(self.lead);
		Some(1.0 + gained as f64 / passed as f64)
	}
}
