//! A window of which the beginning is here and verified, and the rest is coming: it is passed on in runs, as they come.

use crate::{
	assembly::{Announced, Chunks},
	swarm::offer::RUN_BYTES,
	window::EncodedWindow,
	wire::Range,
};
use alloc::{sync::Arc, vec::Vec};
use bytes::Bytes;
use core::{fmt, ops::Deref};

/// Bytes of whole chunks that a session has verified, in the order of their window; borrowed from there.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'a>(&'a [u8]);

impl<'a> Verified<'a> {
	/// These were found to be right. `None` where there are none.
	pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
		(!bytes.is_empty()).then_some(Self(bytes))
	}

	/// The bytes.
	pub fn bytes(&self) -> &'a [u8] {
		self.0
	}
}

/// The next run of a window, from this chunk on, copied: of the pieces that `here` has from a chunk on, one behind the other.
/// `None` as long as that is less than [`RUN_BYTES`].
pub fn run<'a>(of: &Announced, from: u32, here: impl Fn(u32) -> Option<Verified<'a>>) -> Option<Chunks> {
	let chunk_log2 = of.header().chunk_log2;
	let (mut pieces, mut next) = (Vec::new(), from);
	while let Some(Verified(piece)) = here(next).filter(|_| next < of.header().chunks) {
		next += piece.len().div_ceil(1 << chunk_log2) as u32;
		pieces.push(piece);
	}
	let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
	let range = Range {
		header: of.hash(),
		first: from,
		count: next - from,
	};
	(bytes as u64 >= RUN_BYTES).then(|| Chunks::verified(range, pieces.concat().into()))
}

/// See the module. Cloning shares the bytes.
#[derive(Clone)]
pub struct OpenWindow {
	of: Arc<Announced>,
	runs: Vec<Chunks>,
	/// Chunks of them.
	here: u32,
}

impl OpenWindow {
	/// With its first run. `None` where that is none of its beginning.
	pub fn new(of: Arc<Announced>, first: Chunks) -> Option<Self> {
		let (runs, here) = (Vec::new(), 0);
		let mut window = Self { of, runs, here };
		window.extend(first).then_some(window)
	}

	/// Takes the next run; whether it is.
	pub fn extend(&mut self, run: Chunks) -> bool {
		let range = run.range();
		let next = self.has(&range) && range.first == self.here;
		if next {
			self.here += range.count;
			self.runs.push(run);
		}
		next
	}

	/// What the broadcaster signed of it, to be shared.
	pub fn announced(&self) -> &Arc<Announced> {
		&self.of
	}

	/// Chunks from its beginning that are here.
	pub fn here(&self) -> u32 {
		self.here
	}

	/// What is here from this chunk on, shared.
	pub fn rest(&self, chunk: u32) -> Vec<Bytes> {
		let behind = self
			.runs
			.iter()
			.filter(|run| run.range().first + run.range().count > chunk);
		let bytes = |run: &Chunks| {
			let first = run.range().first;
			let skip = self.offset(chunk.max(first)) - self.offset(first);
			run.data().slice(skip..)
		};
		behind.map(bytes).collect()
	}
}

/// What the broadcaster signed of it.
impl Deref for OpenWindow {
	type Target = Announced;

	fn deref(&self) -> &Announced {
		&self.of
	}
}

impl fmt::Debug for OpenWindow {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		let chunks = self.header().chunks;
		write!(f, "OpenWindow({}, {} of {chunks} chunks)", self.id(), self.here)
	}
}

/// What is here of a window.
#[derive(Clone, Debug)]
pub enum Held {
	/// All of it.
	Whole(EncodedWindow),
	/// Its beginning.
	Open(OpenWindow),
}

impl Held {
	/// What the broadcaster signed of it.
	pub fn announced(&self) -> &Arc<Announced> {
		match self {
			Self::Whole(window) => window.announced(),
			Self::Open(window) => window.announced(),
		}
	}

	/// All of it, if that is here.
	pub fn whole(&self) -> Option<&EncodedWindow> {
		match self {
			Self::Whole(window) => Some(window),
			Self::Open(_) => None,
		}
	}

	/// What is here from this chunk on, shared.
	pub fn rest(&self, chunk: u32) -> Vec<Bytes> {
		match self {
			Self::Whole(window) => {
				let left = window.header().chunks.saturating_sub(chunk);
				window.chunks(chunk, left).into_iter().collect()
			},
			Self::Open(window) => window.rest(chunk),
		}
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::fixture::{self, Broadcast};

	/// Of 9 chunks, the last one shorter.
	fn window() -> EncodedWindow {
		Broadcast::default().segment(&fixture::media((8 << 14) + 100, 5))
	}

	fn chunks(window: &EncodedWindow, first: u32, count: u32) -> Chunks {
		let range = Range {
			first,
			count,
			..window.range()
		};
		Chunks::verified(range, window.chunks(first, count).unwrap())
	}

	#[test]
	fn run_has_64_kib_at_least_of_whatever_pieces_follow_each_other() {
		let window = window();
		let (of, data) = (window.announced(), window.data());
		// Chunks 0 and 1 here, 2 to 4 there.
		let (one, other) = (&data[..2 << 14], &data[2 << 14..5 << 14]);
		let here = |from: u32| match from {
			0 => Verified::new(one),
			2 => Verified::new(other),
			3 => Verified::new(&other[1 << 14..]),
			_ => None,
		};
		let first = run(of, 0, here).unwrap();
		assert_eq!((first.range().first, first.range().count), (0, 5));
		assert_eq!(first.data()[..], data[..5 << 14]);
		assert!(run(of, 2, here).is_none(), "48 KiB are too few");
		assert!(run(of, 5, here).is_none());
		let last = run(of, 4, |from| data.get((from as usize) << 14..).and_then(Verified::new));
		assert_eq!(last.unwrap().range().count, 5, "with the shorter one");
	}

	#[test]
	fn runs_follow_each_other_from_the_beginning() {
		let mut broadcast = Broadcast::default();
		let [window, other] = [1, 2].map(|seed| broadcast.segment(&fixture::media((8 << 14) + 100, seed)));
		let of = || window.announced().clone();
		assert!(OpenWindow::new(of(), chunks(&window, 1, 4)).is_none());
		assert!(OpenWindow::new(of(), chunks(&other, 0, 4)).is_none());
		let mut open = OpenWindow::new(of(), chunks(&window, 0, 4)).unwrap();
		for wrong in [chunks(&window, 0, 4), chunks(&window, 5, 4), chunks(&other, 4, 5)] {
			assert!(!open.extend(wrong));
		}
		assert_eq!(open.here(), 4);
		assert!(open.extend(chunks(&window, 4, 5)));
		for from in 0..9 {
			let rest = open.rest(from).concat();
			assert_eq!(rest, window.data()[(from as usize) << 14..], "from chunk {from}");
			assert_eq!(Held::Whole(window.clone()).rest(from).concat(), rest);
		}
		assert!(open.rest(9).is_empty() && Held::Whole(window).rest(9).is_empty());
	}
}
