//! One encoder after the other on one track: what it was fed, what came out, whether it hangs.

use crate::{
	flv::{Content, FlvError},
	mux::AccessUnit,
	picture::{PICTURES_PER_SEGMENT, SAMPLES_PER_FRAME},
};
use bytes::Bytes;
use std::{collections::VecDeque, time::Duration};

/// Most that an encoder may have written of what is not out yet, bytes: 7 s at 1.5 Mb/s take less than half.
pub const MOST_ENCODED: usize = 3 << 20;

/// An encoder that has something to write and wrote nothing for so long hangs. Not shorter: a busy machine is no hang.
pub const STALL_LIMIT: Duration = Duration::from_secs(3);

/// The same before its first output: it has to be loaded first, perhaps from a slow disk.
pub const START_LIMIT: Duration = Duration::from_secs(10);

/// An encoder that owes and wrote nothing for so long may hang: what comes meanwhile is held, not refused.
const SILENT: Duration = Duration::from_millis(300);

/// Frames that a sound's encoder may write beyond what it was fed: its priming, and a last one that it fills up.
const SURPLUS: u64 = 2;

/// Pictures that an encoder may keep without owing anything: lookahead and pipes take less than half of it.
pub(super) const OWED: u64 = 15;

/// Before an encoder that replaces one that did nothing useful; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// At most.
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// Why an encoder is of no more use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
	/// It has something to write and does not.
	#[error("wrote nothing for {} s", .0.as_secs())]
	Hangs(Duration),
	/// What it writes is no FLV.
	#[error("wrote nonsense: {0}")]
	Flv(#[from] FlvError),
	/// Another codec, or a picture that is to be shown at another time than it is decoded.
	#[error("wrote what was not asked for")]
	Codec,
	/// Nothing decodes by what it says of itself, or it says two things.
	#[error("described its output wrongly")]
	Header,
	/// A picture before its header, or more than was fed.
	#[error("wrote more than it was fed")]
	Surplus,
	/// A key frame where none belongs, or none where one does.
	#[error("put a key frame in the wrong place")]
	Key,
	/// Lengths of NAL units that do not add up.
	#[error("wrote a damaged picture")]
	Damaged,
	/// Above [`MOST_ENCODED`].
	#[error("wrote far more than its bit rate")]
	TooMuch,
	/// What it was fed is skipped.
	#[error("was fed what is too old by now")]
	Old,
}

/// An encoder that runs.
#[derive(Debug)]
struct Run {
	/// Number of its first unit that counts.
	begins: u64,
	/// Units before that one, which are thrown away.
	skip: u64,
	/// Where its input begins: number of a picture, or of a sample.
	fed_from: u64,
	/// Where it goes on.
	fed: u64,
	/// Its input ends, and these units do not count any more.
	until: Option<u64>,
	/// The end was fed.
	closed: bool,
	/// Units that came.
	came: u64,
	/// Since when it owes something, or last wrote.
	owes_since: Option<Duration>,
	/// What it was fed is none of what it is to make any more.
	old: bool,
}

/// See the module's own words. `T` is what the encoder makes: access units, frames.
#[derive(Debug)]
pub(super) struct Lane<T> {
	run: Option<Run>,
	/// No other one is started before.
	pause_until: Duration,
	failures: u32,
	/// What the newest one said of itself.
	header: Option<Bytes>,
	/// From the open part's first one on.
	units: VecDeque<T>,
	bytes: usize,
}

impl<T> Default for Lane<T> {
	fn default() -> Self {
		Self {
			run: None,
			pause_until: Duration::ZERO,
			failures: 0,
			header: None,
			units: VecDeque::new(),
			bytes: 0,
		}
	}
}

/// What is common to both kinds of unit.
pub(super) trait Unit {
	fn bytes(&self) -> usize;
}

impl Unit for AccessUnit {
	fn bytes(&self) -> usize {
		self.data.len()
	}
}

impl Unit for Bytes {
	fn bytes(&self) -> usize {
		self.len()
	}
}

impl<T: Unit> Lane<T> {
	/// None runs, or it has written nothing so far.
	pub(super) fn starts(&self) -> bool {
		self.run.as_ref().is_none_or(|run| run.came == 0)
	}

	pub(super) fn startable(&self, now: Duration) -> bool {
		self.run.is_none() && now >= self.pause_until
	}

	/// Why it is to be ended.
	pub(super) fn overdue(&self, now: Duration) -> Option<Fault> {
		if self.run.as_ref()?.old {
			return Some(Fault::Old);
		}
		let (at, limit) = self.due()?;
		(now >= at).then_some(Fault::Hangs(limit))
	}

	/// If one runs, it has to be replaced: what it was fed is skipped.
	pub(super) fn skip(&mut self) {
		self.units.clear();
		self.bytes = 0;
		if let Some(run) = &mut self.run {
			run.old = true;
		}
	}

	fn due(&self) -> Option<(Duration, Duration)> {
		let run = self.run.as_ref()?;
		let limit = if run.came == 0 { START_LIMIT } else { STALL_LIMIT };
		run.owes_since.map(|since| (since + limit, limit))
	}

	/// When it will hang, or another one may be started.
	pub(super) fn deadline(&self, work: bool) -> Option<Duration> {
		match &self.run {
			Some(run) if run.old => Some(Duration::ZERO),
			Some(_) => self.due().map(|(at, _)| at),
			None => work.then_some(self.pause_until),
		}
	}

	pub(super) fn start(&mut self, begins: u64, fed_from: u64, skip: u64) {
		self.units.clear();
		self.bytes = 0;
		self.header = None;
		self.run = Some(Run {
			begins,
			skip,
			fed_from,
			fed: fed_from,
			until: None,
			closed: false,
			came: 0,
			owes_since: None,
			old: false,
		});
	}

	/// It is gone. Where it was to end and wrote all, what it wrote stays, and this is true.
	pub(super) fn stop(&mut self, now: Duration) -> bool {
		let run = self.run.take();
		let old = run.as_ref().is_some_and(|run| run.old);
		if run.is_some_and(|run| {
			run.until
				.is_some_and(|until| !run.old && run.begins + run.came.saturating_sub(run.skip) >= until)
		}) {
			return true;
		}
		self.units.clear();
		self.bytes = 0;
		if old {
			return false;
		}
		let doublings = self.failures.saturating_sub(1).min(8);
		let pause = if self.failures == 0 {
			Duration::ZERO
		} else {
			FIRST_PAUSE * (1 << doublings)
		};
		self.failures = self.failures.saturating_add(1);
		self.pause_until = now + pause.min(LONGEST_PAUSE);
		false
	}

	/// Whether it owes something and is silent: it may hang.
	pub(super) fn silent(&self, now: Duration) -> bool {
		let owes_since = self.run.as_ref().and_then(|run| run.owes_since);
		owes_since.is_some_and(|since| now >= since + SILENT)
	}

	pub(super) fn failures(&self) -> u32 {
		self.failures
	}

	/// Where its input goes on; `None` where none runs, or the end was fed.
	pub(super) fn fed(&self) -> Option<u64> {
		self.run
			.as_ref()
			.filter(|run| !run.closed && !run.old)
			.map(|run| run.fed)
	}

	pub(super) fn advance(&mut self, by: u64) {
		if let Some(run) = &mut self.run {
			run.fed += by;
		}
	}

	/// Its input ends: units from this number on are none of what it was fed.
	pub(super) fn finish(&mut self, until: u64) {
		if let Some(run) = &mut self.run {
			run.until.get_or_insert(until);
		}
	}

	pub(super) fn finishing(&self) -> bool {
		self.run.as_ref().is_some_and(|run| run.until.is_some())
	}

	/// Nothing more is fed.
	pub(super) fn close(&mut self) {
		if let Some(run) = &mut self.run {
			run.closed = true;
		}
	}

	/// `waiting`: pictures whose units have not come.
	pub(super) fn watch(&mut self, waiting: u64, now: Duration) {
		let Some(run) = &mut self.run else {
			return;
		};
		let owes = !run.old && (waiting > OWED || (run.closed && waiting > 0));
		match (owes, run.owes_since) {
			(true, None) => run.owes_since = Some(now),
			(false, Some(_)) => run.owes_since = None,
			_ => {},
		}
	}

	pub(super) fn header(&self) -> Option<Bytes> {
		self.header.clone()
	}

	pub(super) fn len(&self) -> usize {
		self.units.len()
	}

	/// The first `count` units, when they are here.
	pub(super) fn first(&mut self, count: usize) -> Option<&[T]> {
		(self.units.len() >= count).then(|| &self.units.make_contiguous()[..count])
	}

	/// They are out.
	pub(super) fn release(&mut self, count: usize) {
		self.bytes -= self.units.drain(..count).map(|unit| unit.bytes()).sum::<usize>();
		self.failures = 0;
	}

	/// `limit`: how many units can have come of so much input.
	fn unit(&mut self, unit: T, limit: impl Fn(u64) -> u64, now: Duration) -> Result<(), Fault> {
		let run = self.run.as_mut().ok_or(Fault::Surplus)?;
		if self.header.is_none() || run.came >= limit(run.fed - run.fed_from) {
			return Err(Fault::Surplus);
		}
		run.came += 1;
		run.owes_since = run.owes_since.map(|_| now);
		if run.old {
			return Ok(());
		}
		// Of the first one that counts: `begins`.
		let number = (run.begins + run.came)
			.checked_sub(run.skip + 1)
			.filter(|number| *number >= run.begins);
		if number.is_some_and(|number| run.until.is_none_or(|until| number < until)) {
			self.bytes += unit.bytes();
			self.units.push_back(unit);
		}
		if self.bytes > MOST_ENCODED {
			return Err(Fault::TooMuch);
		}
		Ok(())
	}

	fn say(&mut self, header: Bytes) -> Result<(), Fault> {
		match &self.header {
			Some(before) if *before != header => Err(Fault::Header),
			_ => {
				self.header = Some(header);
				Ok(())
			},
		}
	}
}

impl Lane<AccessUnit> {
	/// From the picture's encoder.
	pub(super) fn picture(&mut self, content: Content, now: Duration) -> Result<(), Fault> {
		match content {
			Content::PictureHeader(header) => self.say(header),
			Content::Frame { key, offset: 0, data } => {
				let run = self.run.as_ref().ok_or(Fault::Surplus)?;
				let number = run.begins + run.came;
				if key != (run.came == 0 || number % u64::from(PICTURES_PER_SEGMENT) == 0) {
					return Err(Fault::Key);
				}
				if !whole(&data) {
					return Err(Fault::Damaged);
				}
				self.unit(AccessUnit { key, data }, |pictures| pictures, now)
			},
			Content::Script | Content::Nothing | Content::EndOfPictures => Ok(()),
			_ => Err(Fault::Codec),
		}
	}
}

impl Lane<Bytes> {
	/// From the sound's encoder.
	pub(super) fn sound(&mut self, content: Content, now: Duration) -> Result<(), Fault> {
		match content {
			Content::SoundHeader(header) => self.say(header),
			Content::Sound(frame) if !frame.is_empty() => {
				let frames = |samples: u64| samples.div_ceil(SAMPLES_PER_FRAME.into()) + SURPLUS;
				self.unit(frame, frames, now)
			},
			Content::Script | Content::Nothing => Ok(()),
			_ => Err(Fault::Codec),
		}
	}
}

/// Whether it is NAL units, each behind its length of four bytes.
fn whole(mut data: &[u8]) -> bool {
	let mut units = 0;
	while let Some((length, rest)) = data.split_first_chunk::<4>() {
		let length = u32::from_be_bytes(*length) as usize;
		let Some(rest) = (length > 0).then(|| rest.get(length..)).flatten() else {
			return false;
		};
		(data, units) = (rest, units + 1);
	}
	data.is_empty() && units > 0
}
