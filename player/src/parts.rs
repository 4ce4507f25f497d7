//! Windows as segments: what playlists list. A broadcaster that is after low latency signs a segment in parts, each a window of its own;
//! players that know parts are shown those of the segment that is open, all others the segment once it is whole. Pure.
//!
//! A part whose predecessor is missing cannot be decoded: what came of its segment is listed as far as it goes, and the rest is not.

use crate::{
	segment::Segment,
	timeline::{init_file, File, Timeline},
};
use bytes::BytesMut;
use clustercast_primitives::{catalog::init_hash, crypto::sha256, window::flags, Hash, WindowId};
use clustercast_protocol::EncodedWindow;
use std::{collections::VecDeque, time::Duration};

/// Parts of a segment, more of which begin another entry: 20 of 100 ms are usual. And what they may play together.
const MOST_PARTS: usize = 64;
const LONGEST_MS: u32 = 2_499;

/// Segments, the newest, whose parts are listed beside them (Apple's rules: those of the last three targets).
const WITH_PARTS: usize = 3;

/// A part as players are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
	/// Name of its file.
	pub uri: String,
	/// How long it plays.
	pub duration: Duration,
	/// Decodes without what came before.
	pub independent: bool,
}

/// The segment whose parts still come.
#[derive(Debug)]
struct Open {
	whole: Segment,
	hashes: Vec<Hash>,
	data: BytesMut,
	parts: Vec<Part>,
	/// It joins what is listed.
	joins: bool,
}

/// How far a list is that a player asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
	/// It is there.
	There,
	/// It will be soon.
	NotYet,
	/// Nobody can know of that.
	TooFar,
}

/// What is served from now on.
#[derive(Debug, Default)]
pub struct Served {
	/// Initialisation segment of all of them.
	pub init: Option<File>,
	/// With how long each takes of the list; a part takes none, its segment does.
	pub files: Vec<(File, Duration)>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Parts {
	open: Option<Open>,
	/// Of segments that are listed: number of the entry, and its parts.
	listed: VecDeque<(u64, Vec<Part>)>,
	/// The longest there was; zero where there was none.
	longest: Duration,
	/// The one after the newest.
	next: Option<WindowId>,
}

impl Parts {
	/// Adds the next window to the list.
	pub fn push(&mut self, window: &EncodedWindow, timeline: &mut Timeline) -> Served {
		let header = window.header();
		let (id, last) = (header.id, header.has(flags::LAST_PART));
		let goes_on = self.open.as_ref().is_some_and(|open| open.is_followed_by(window));
		// A segment without an end is none: what is too long for an entry is not listed.
		let goes_on = goes_on && !self.open.as_ref().is_some_and(|open| open.is_full(window));
		let mut served = Served::default();
		if !goes_on {
			if let Some(open) = self.open.take() {
				open.close(timeline, &mut served);
			}
			if id.part == 0 && last {
				self.next = None;
				served.add(window.into(), timeline);
				return served;
			}
			if id.part > 0 {
				// Its beginning is missing.
				self.next = None;
				return served;
			}
			let whole = Segment::from(window);
			self.open = Some(Open {
				joins: timeline.joins(header, &init_hash(window.init())),
				whole,
				hashes: Vec::new(),
				data: BytesMut::new(),
				parts: Vec::new(),
			});
		}
		self.next = Some(match last {
			true => WindowId {
				segment: id.segment.saturating_add(1),
				part: 0,
				..id
			},
			false => WindowId {
				part: id.part.saturating_add(1),
				..id
			},
		});
		self.longest = self.longest.max(Duration::from_millis(header.duration_ms.into()));
		let Some(open) = &mut self.open else {
			return served;
		};
		open.add(window);
		served.init = Some(init_file(window.init()));
		served.files.push((
			File {
				name: name(&id),
				bytes: window.data(),
			},
			Duration::ZERO,
		));
		if last {
			if let Some(open) = self.open.take() {
				let (parts, joins) = (open.parts.clone(), open.joins);
				open.close(timeline, &mut served);
				if let Some(newest) = timeline.entries().next_back().filter(|_| joins) {
					self.listed.push_back((newest.sequence, parts));
					if self.listed.len() > WITH_PARTS {
						self.listed.pop_front();
					}
				}
			}
		}
		served
	}

	/// The longest part, where the broadcast comes in parts: what a list announces for ever.
	pub fn target(&self) -> Option<Duration> {
		(!self.longest.is_zero()).then_some(self.longest)
	}

	/// Parts of the listed entry of this number.
	pub fn of(&self, sequence: u64) -> &[Part] {
		let found = self.listed.iter().find(|(listed, _)| *listed == sequence);
		found.map_or(&[], |(_, parts)| parts)
	}

	/// Parts of the segment that is open, where it joins what is listed.
	pub fn open(&self) -> &[Part] {
		self.open
			.as_ref()
			.filter(|open| open.joins)
			.map_or(&[], |open| &open.parts)
	}

	/// The name under which the next part will be.
	pub fn hint(&self) -> Option<String> {
		let joins = self.open.as_ref().is_none_or(|open| open.joins);
		self.next.as_ref().filter(|_| joins).map(name)
	}

	/// Whether the list has the part (or with none, the whole) of the entry with this number.
	pub fn reach(&self, timeline: &Timeline, sequence: u64, part: Option<u64>) -> Reach {
		let open = timeline.next();
		match part {
			_ if sequence < open => Reach::There,
			Some(part) if sequence == open && part < self.open().len() as u64 => Reach::There,
			_ if sequence <= open.saturating_add(1) => Reach::NotYet,
			_ => Reach::TooFar,
		}
	}
}

impl Served {
	/// A segment that is whole goes into the list.
	fn add(&mut self, segment: Segment, timeline: &mut Timeline) {
		let plays = Duration::from_millis(segment.header.duration_ms.into());
		let mut files = timeline.push(segment).into_iter();
		let Some(init) = files.next() else {
			return;
		};
		self.init = Some(init);
		let each = plays / u32::try_from(files.len()).unwrap_or(1).max(1);
		self.files.extend(files.map(|file| (file, each)));
	}
}

impl Open {
	fn is_followed_by(&self, window: &EncodedWindow) -> bool {
		let (header, first) = (window.header(), &self.whole.header);
		let next = WindowId {
			part: u16::try_from(self.parts.len()).unwrap_or(u16::MAX),
			..first.id
		};
		header.id == next && !header.has(flags::DISCONTINUITY) && *window.init() == self.whole.init
	}

	fn is_full(&self, window: &EncodedWindow) -> bool {
		let plays = self
			.whole
			.header
			.duration_ms
			.saturating_add(window.header().duration_ms);
		self.parts.len() >= MOST_PARTS || plays > LONGEST_MS
	}

	fn add(&mut self, window: &EncodedWindow) {
		let header = window.header();
		if !self.parts.is_empty() {
			self.whole.header.duration_ms = self.whole.header.duration_ms.saturating_add(header.duration_ms);
		}
		self.hashes.push(window.hash());
		self.data.extend_from_slice(&window.data());
		self.parts.push(Part {
			uri: name(&header.id),
			duration: Duration::from_millis(header.duration_ms.into()),
			independent: header.has(flags::INDEPENDENT),
		});
	}

	fn close(mut self, timeline: &mut Timeline, served: &mut Served) {
		let hashes: Vec<&[u8]> = self.hashes.iter().map(|hash| &hash.0[..]).collect();
		self.whole.hash = sha256(&hashes);
		self.whole.data = self.data.freeze();
		served.add(self.whole, timeline);
	}
}

/// A place is signed once, so its name is known before it comes.
fn name(id: &WindowId) -> String {
	let WindowId {
		stream,
		epoch,
		segment,
		part,
		..
	} = id;
	format!("part-{stream}-{epoch}-{segment}-{part}.m4s")
}

#[cfg(test)]
mod tests;
