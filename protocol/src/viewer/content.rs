//! What is announced, and what becomes of it: chunks that come by themselves or were asked for, windows that leave in order.

use super::{
	body::{Bad, Body},
	BodyId, Event, Fault, Resume, Taken,
};
use crate::{
	assembly::{Announced, Assembly, Chunks},
	ledger::Piece,
	open::Verified,
	window::Setting,
	wire::{Kind, Range, WireError, MAX_FETCHES},
};
use alloc::{
	boxed::Box,
	collections::{BTreeMap, VecDeque},
	sync::Arc,
	vec::Vec,
};
use clustercast_primitives::{window::MAX_WINDOW_BYTES, Hash, WindowId};

/// Announced windows that are remembered: two minutes of them. What comes of older ones is not taken.
pub(super) const MAX_KNOWN: usize = 64;

/// With those that are to come, are coming, or came and are in no receipt: as many as one can name, and some.
pub(super) const MAX_PINNED: usize = 320;

/// Whole windows that wait for one before them that is still coming: more is no use to a playout buffer, so behind more of them it is
/// given up.
pub(super) const MAX_WAITING: usize = 2;

/// But not sooner after the first of them was whole: what a line lost comes again within this, while windows that are small, or come
/// all at once, are whole in no time. Milliseconds.
pub(super) const AGAIN_MS: u64 = 1_000;

/// Nor do more bytes wait, however soon: two windows of the largest kind.
pub(super) const MAX_WAITING_BYTES: u64 = 2 * MAX_WINDOW_BYTES as u64;

/// Bytes that windows may take in memory that are not whole yet, unless it is said otherwise: eight of the largest kind, or 45 s at
/// 12 Mb/s.
pub const BUDGET: u64 = 64 << 20;

/// The least that this can be set to: a window of the largest kind, and what comes of it beside.
pub const MIN_BUDGET: u64 = 2 * MAX_WINDOW_BYTES as u64;

/// First chunk, and the one behind the last, of several runs that do not overlap.
type Runs = Vec<(u32, u32)>;

/// A window that was announced. Most are remembered for what they are: 24 bytes each.
#[derive(Debug)]
struct Known {
	of: Arc<Announced>,
	/// What becomes of it, as long as something does.
	open: Option<Box<Open>>,
	/// Where nothing does: all of it came, and is paid if it is to be; else none of it.
	whole: bool,
	/// It was announced to come by itself.
	pushed: bool,
}

/// A window that is to come, is coming, or is not paid.
#[derive(Debug, Default)]
struct Open {
	/// It is to come by itself, and has not begun to.
	comes: bool,
	/// What is here of it; `None` where it is out, skipped, or none of what comes by itself.
	assembly: Option<Assembly>,
	/// When it was found to be whole, and had to wait.
	whole_ms: Option<u64>,
	/// What this relayer sent or sends.
	begun: Runs,
	/// What of it is in a receipt.
	billed: Runs,
}

impl Known {
	/// What becomes of it, to be changed.
	fn open(&mut self) -> &mut Open {
		let all = || match self.whole {
			true => Vec::from([(0, self.of.header().chunks)]),
			false => Runs::new(),
		};
		self.open.get_or_insert_with(|| {
			Box::new(Open {
				begun: all(),
				billed: all(),
				..Open::default()
			})
		})
	}

	/// Remembers no more than what it is, where nothing becomes of it and nothing of it is under way.
	fn close(&mut self, pays: bool) {
		let Some(open) = &self.open else { return };
		let (begun, billed) = (count(&open.begun), count(&open.billed));
		let whole = begun == self.of.header().chunks && (billed == begun || !pays);
		let untouched = begun == 0 && billed == 0;
		if !open.comes && open.assembly.is_none() && (whole || untouched) {
			(self.open, self.whole) = (None, whole);
		}
	}

	/// What is here of it.
	fn assembly(&self) -> Option<&Assembly> {
		self.open.as_ref()?.assembly.as_ref()
	}

	/// Puts it together no more; whether it was.
	fn drop_assembly(&mut self) -> bool {
		self.open.as_mut().is_some_and(|open| open.assembly.take().is_some())
	}

	/// Whether it is to come by itself, and has not begun to.
	fn comes(&self) -> bool {
		self.open.as_ref().is_some_and(|open| open.comes)
	}

	/// Whether none of these chunks was sent.
	fn is_unsent(&self, range: &Range) -> bool {
		match &self.open {
			Some(open) => is_new(&open.begun, range),
			None => !self.whole,
		}
	}

	/// Whether something of it was sent, or is, that is in no receipt.
	fn is_unbilled(&self) -> bool {
		self.open
			.as_ref()
			.is_some_and(|open| count(&open.begun) > count(&open.billed))
	}

	/// Whether it waits for one before it.
	fn waits(&self) -> bool {
		self.assembly().is_some_and(Assembly::is_whole)
	}
}

/// How many chunks these are.
fn count(runs: &[(u32, u32)]) -> u32 {
	runs.iter().map(|(from, to)| to - from).sum()
}

/// Whether none of these chunks is among those.
fn is_new(ranges: &[(u32, u32)], range: &Range) -> bool {
	let end = range.first.saturating_add(range.count);
	!ranges.iter().any(|(from, to)| range.first < *to && *from < end)
}

/// See the module.
#[derive(Debug)]
pub(super) struct Content {
	/// In their order.
	known: VecDeque<Known>,
	bodies: BTreeMap<BodyId, Body>,
	next_body: u64,
	/// Was fetched, and has not come.
	wanted: Vec<Range>,
	/// Behind the last window that is out.
	last: Option<Resume>,
	/// What that one was decoded with.
	shown: Option<Setting>,
	/// What was given up, and need not be sent.
	given_up: Vec<Range>,
	/// Nothing is given up but for its bytes.
	patient: bool,
	/// Bytes that may be held of windows that are not whole.
	budget: u64,
	/// Unix time, milliseconds, by whatever clock.
	now_ms: u64,
	events: VecDeque<Event>,
}

impl Content {
	/// Goes on behind this window, at this time.
	pub(super) fn new(last: Option<Resume>, now_ms: u64) -> Self {
		Self {
			known: VecDeque::new(),
			bodies: BTreeMap::new(),
			next_body: 0,
			wanted: Vec::new(),
			last,
			shown: None,
			given_up: Vec::new(),
			patient: false,
			budget: BUDGET,
			now_ms,
			events: VecDeque::new(),
		}
	}

	/// Holds so many bytes at most of windows that are not whole; [`MIN_BUDGET`] where that is more.
	pub(super) fn hold_at_most(&mut self, budget: u64) {
		self.budget = budget.max(MIN_BUDGET);
		self.keep_to_budget();
	}

	/// Behind the last window that is out.
	pub(super) fn last(&self) -> Option<&Resume> {
		self.last.as_ref()
	}

	/// It is so late.
	pub(super) fn set_now(&mut self, now_ms: u64) {
		self.now_ms = now_ms;
	}

	/// Waits for as long as bytes allow.
	pub(super) fn wait_for_all(&mut self) {
		self.patient = true;
	}

	/// What need not be sent any more.
	pub(super) fn take_given_up(&mut self) -> Vec<Range> {
		core::mem::take(&mut self.given_up)
	}

	/// What happened.
	pub(super) fn poll_event(&mut self) -> Option<Event> {
		super::next(&mut self.events)
	}

	/// The next window; whether it comes by itself, whether it is to leave whole, and whether what comes is paid.
	pub(super) fn announce(&mut self, of: Arc<Announced>, comes: bool, collects: bool, pays: bool) {
		self.events.push_back(Event::Announced(of.clone()));
		let Self { known, bodies, .. } = self;
		for known in known.iter_mut().filter(|known| known.open.is_some()) {
			let hash = known.of.hash();
			if !bodies.values().any(|body| body.range().header == hash) {
				known.close(pays);
			}
		}
		// Before there is one more: room is made twice what there was.
		while self.known.len() >= MAX_KNOWN {
			let pinned = self.known.front().is_some_and(|oldest| self.is_pinned(oldest, pays));
			if pinned && self.known.len() < MAX_PINNED {
				break;
			}
			let oldest = self.known.pop_front();
			if let Some(skipped) = oldest.filter(|known| known.assembly().is_some()) {
				self.events.push_back(Event::Skipped(skipped.of.id()));
			}
		}
		let mut known = Known {
			of,
			open: None,
			whole: false,
			pushed: comes,
		};
		if comes || collects {
			let assembly = collects.then(|| Assembly::new(known.of.clone()));
			(known.open().comes, known.open().assembly) = (comes, assembly);
		}
		self.known.push_back(known);
	}

	/// Keeps this in place of what was announced here of the same window, where it says the same.
	pub(super) fn share(&mut self, of: &Arc<Announced>) {
		let known = self.known.iter_mut().rev().find(|known| known.of.hash() == of.hash());
		let Some(known) = known.filter(|known| !Arc::ptr_eq(&known.of, of) && known.of == *of) else {
			return;
		};
		known.of = of.clone();
		let open = known.open.as_mut();
		if let Some(assembly) = open.and_then(|open| open.assembly.as_mut()) {
			assembly.share(of);
		}
	}

	/// Whether it cannot be forgotten.
	fn is_pinned(&self, known: &Known, pays: bool) -> bool {
		let hash = known.of.hash();
		let comes = known.comes() || self.bodies.values().any(|body| body.range().header == hash);
		comes || pays && known.is_unbilled()
	}

	fn find(&mut self, header: &Hash) -> Option<&mut Known> {
		self.known.iter_mut().find(|known| known.of.hash() == *header)
	}

	/// Which window has this header, if it is remembered.
	pub(super) fn window(&self, header: &Hash) -> Option<WindowId> {
		let known = self.known.iter().find(|known| known.of.hash() == *header);
		known.map(|known| known.of.id())
	}

	/// Takes note that these are in a receipt; whether that may be: they are announced, and in none.
	pub(super) fn bill(&mut self, range: &Range) -> bool {
		let Some(known) = self.known.iter_mut().find(|known| known.of.has(range)) else {
			return false;
		};
		let billed = &mut known.open().billed;
		let new = is_new(billed, range);
		if new {
			billed.push((range.first, range.first + range.count));
		}
		new
	}

	/// Asks for these chunks; whether that makes sense.
	pub(super) fn fetch(&mut self, range: Range) -> bool {
		let known = self.known.iter().find(|known| known.of.has(&range));
		let new = known.is_some_and(|known| known.is_unsent(&range) && !known.comes());
		let wanted = |other: &Range| {
			other.header == range.header && !is_new(&[(other.first, other.first + other.count)], &range)
		};
		if !new || self.wanted.len() >= MAX_FETCHES || self.wanted.iter().any(wanted) {
			return false;
		}
		// What we ask for is not given up, so there must be room for all of it.
		let asked: u64 = self.wanted.iter().chain([&range]).map(|range| self.bytes(range)).sum();
		if asked > self.budget {
			return false;
		}
		self.wanted.push(range);
		true
	}

	/// Takes chunks from elsewhere; whether they help.
	pub(super) fn supply(&mut self, chunks: &Chunks) -> bool {
		let opened = self.known.iter_mut().filter_map(|known| known.open.as_mut());
		let mut assemblies = opened.filter_map(|open| open.assembly.as_mut());
		let taken = assemblies.any(|assembly| assembly.put(chunks));
		self.emit();
		self.keep_to_budget();
		taken
	}

	/// A name for a stream.
	pub(super) fn name(&mut self) -> BodyId {
		let id = BodyId(self.next_body);
		self.next_body += 1;
		id
	}

	/// A stream begins with this.
	pub(super) fn begin(&mut self, range: Range) -> Result<Taken, Fault> {
		let wanted = self.wanted.contains(&range);
		let Some(known) = self.find(&range.header) else {
			return Ok(Taken::NotYet);
		};
		if !known.of.has(&range) {
			return Err(WireError::NoSuchChunks(range).into());
		}
		if !known.is_unsent(&range) {
			return Err(Fault::Again(range));
		}
		let comes = known.comes() && range == known.of.range();
		if !comes && !wanted {
			return Err(Fault::Unasked(range));
		}
		let open = known.open();
		open.comes &= !comes;
		open.begun.push((range.first, range.first + range.count));
		let of = known.of.clone();
		let id = self.name();
		self.bodies.insert(id, Body::new(of, range));
		self.keep_to_budget();
		Ok(Taken::As(id))
	}

	/// The next bytes of a stream; which chunks that makes whole. What is wrong with them comes with its window and the first chunk of
	/// the stream.
	pub(super) fn push(&mut self, id: BodyId, bytes: &[u8]) -> Result<Option<Range>, (Bad, Arc<Announced>, u32)> {
		let Some(body) = self.bodies.get_mut(&id) else {
			return Ok(None);
		};
		let fresh = body.push(bytes);
		let fresh = fresh.map_err(|bad| (bad, body.of().clone(), body.range().first))?;
		self.keep_to_budget();
		Ok(fresh)
	}

	/// What is here of a window that is not whole.
	pub(super) fn partial(&self, header: &Hash) -> Vec<Chunks> {
		let known = self.known.iter().find(|known| known.of.hash() == *header);
		let assembly = known.and_then(Known::assembly);
		let bodies = self.bodies.values().filter(|body| body.range().header == *header);
		let here = assembly.into_iter().flat_map(Assembly::here);
		here.chain(bodies.filter_map(Body::verified)).collect()
	}

	/// The same from this chunk on, without a gap, as far as one stream brought it; not copied.
	pub(super) fn verified(&self, header: &Hash, from: u32) -> Option<Verified<'_>> {
		let known = self.known.iter().find(|known| known.of.hash() == *header);
		let assembly = known.and_then(Known::assembly);
		let bodies = self.bodies.values().filter(|body| body.range().header == *header);
		let here = assembly.and_then(|assembly| assembly.verified(from)).into_iter();
		let here = here.chain(bodies.filter_map(|body| body.verified_from(from)));
		here.max_by_key(|verified| verified.bytes().len())
	}

	/// Whether this window was announced to come by itself.
	pub(super) fn pushes(&self, header: &Hash) -> bool {
		let mut known = self.known.iter().rev();
		known.any(|known| known.pushed && known.of.hash() == *header)
	}

	/// Puts this window together no more.
	pub(super) fn forgo(&mut self, header: &Hash) {
		self.find(header).map(Known::drop_assembly);
		self.emit();
	}

	/// A stream is over; what of it is owed.
	pub(super) fn end(&mut self, id: BodyId, ended: bool) -> Result<Option<Piece>, Fault> {
		let Some(body) = self.bodies.remove(&id) else {
			return Ok(None);
		};
		let range = body.range();
		let (chunks, piece) = match ended {
			true => body.end().map(|(chunks, piece)| (chunks, Some(piece)))?,
			false => (body.broke(), None),
		};
		let sent = piece.map_or(range.count, |piece| piece.delivery.count);
		let asked = self.wanted.iter().position(|wanted| *wanted == range);
		asked.map(|at| self.wanted.swap_remove(at));
		if let Some(known) = self.find(&range.header) {
			let open = known.open();
			// The rest may be asked for.
			open.begun.retain(|(first, _)| *first != range.first);
			open.begun.push((range.first, range.first + sent));
			if let (Some(assembly), Some(chunks)) = (&mut open.assembly, &chunks) {
				assembly.put(chunks);
			}
		}
		match (asked, chunks) {
			(Some(_), Some(chunks)) => self.events.push_back(Event::Chunks(chunks)),
			(Some(_), None) => self.events.push_back(Event::Lacks(range)),
			// Its window may not leave here, and others bring the rest.
			(None, Some(chunks)) if chunks.range().count < range.count => self.events.push_back(Event::Chunks(chunks)),
			(None, _) => {},
		}
		self.emit();
		self.keep_to_budget();
		Ok(piece)
	}

	/// These do not come.
	pub(super) fn lack(&mut self, range: Range) -> Result<(), Fault> {
		if let Some(at) = self.wanted.iter().position(|wanted| *wanted == range) {
			self.wanted.swap_remove(at);
			self.events.push_back(Event::Lacks(range));
		} else {
			let mut known = self.known.iter_mut();
			let known = known.find(|known| known.comes() && known.of.range() == range);
			known.ok_or(Fault::Unexpected(Kind::Lacks))?.open().comes = false;
		}
		self.emit();
		Ok(())
	}

	/// Whether something is on its way, or is to come by itself.
	pub(super) fn is_coming(&self) -> bool {
		!self.bodies.is_empty() || self.known.iter().any(Known::comes)
	}

	/// Nothing more is taken; bytes that came and did not verify. What did is [kept](Content::partial).
	pub(super) fn stop(&mut self) -> u64 {
		let bodies = core::mem::take(&mut self.bodies);
		let unverified = bodies.values().map(Body::unverified).sum();
		for body in bodies.into_values() {
			let chunks = body.broke();
			let known = chunks.as_ref().and_then(|chunks| self.find(&chunks.range().header));
			if let (Some(chunks), Some(known)) = (&chunks, known) {
				let of = known.of.clone();
				let assembly = &mut known.open().assembly;
				assembly.get_or_insert_with(|| Assembly::new(of)).put(chunks);
			}
		}
		unverified
	}

	/// Hands out windows that are whole, in their order.
	fn emit(&mut self) {
		let Some(last) = self.known.iter().rposition(Known::waits) else {
			return;
		};
		let now_ms = self.now_ms;
		for at in 0..=last {
			let Some(open) = &mut self.known[at].open else {
				continue;
			};
			let Some(assembly) = &mut open.assembly else {
				continue;
			};
			if let Some(window) = assembly.finish() {
				open.assembly = None;
				let setting = window.setting();
				if self.shown.as_ref().is_none_or(|shown| shown.init != setting.init) {
					self.events.push_back(Event::Init(setting.init.clone()));
				}
				self.shown = Some(setting.clone());
				self.last = Some(Resume::after(&window));
				self.events.push_back(Event::Window(window));
				continue;
			}
			if !self.coming(at).is_empty() && !self.is_too_late(at) {
				let waiting = self.known.iter_mut().skip(at).filter(|known| known.waits());
				let waiting = waiting.filter_map(|known| known.open.as_mut());
				waiting.for_each(|open| open.whole_ms = open.whole_ms.or(Some(now_ms)));
				return;
			}
			let coming = self.coming(at);
			self.give_up(at, coming);
		}
	}

	/// This one does not leave whole, and these chunks of it are wanted no more.
	fn give_up(&mut self, at: usize, unwanted: Vec<Range>) {
		self.given_up.extend(unwanted);
		let known = &mut self.known[at];
		known.drop_assembly();
		self.events.push_back(Event::Skipped(known.of.id()));
	}

	/// Bytes that are held of windows that are not whole.
	pub(super) fn held(&self) -> u64 {
		let assemblies = self.known.iter().filter_map(Known::assembly);
		let open = assemblies.filter(|assembly| !assembly.is_whole()).map(Assembly::held);
		open.chain(self.bodies.values().map(Body::held)).sum()
	}

	/// Holds no more of windows that are not whole than is allowed. Nobody is blamed for what goes, and all that comes of it is verified
	/// and paid: first what came of windows that are given up, then the oldest window, so that those behind it can leave.
	fn keep_to_budget(&mut self) {
		while self.held() > self.budget {
			if self.forget_one() {
				continue;
			}
			let open = |known: &Known| known.assembly().is_some_and(|assembly| !assembly.is_whole());
			let Some(oldest) = self.known.iter().position(open) else {
				return;
			};
			let mut unasked = self.coming(oldest);
			unasked.retain(|range| !self.wanted.contains(range));
			self.give_up(oldest, unasked);
			self.emit();
		}
	}

	/// Whether there was something that is of no use any more: a window's chunks that were not asked for.
	fn forget_one(&mut self) -> bool {
		let needed: Vec<Hash> = {
			let known = self.known.iter().filter(|known| known.assembly().is_some());
			known.map(|known| known.of.hash()).collect()
		};
		let wanted = &self.wanted;
		let useless = |body: &&mut Body| {
			let range = body.range();
			body.keeps() && !needed.contains(&range.header) && !wanted.contains(&range)
		};
		let body = self.bodies.values_mut().find(useless);
		body.map(Body::forget).is_some()
	}

	/// Of chunks of a window that is remembered.
	fn bytes(&self, range: &Range) -> u64 {
		let known = self.known.iter().find(|known| known.of.has(range));
		known.map_or(0, |known| {
			let end = known.of.offset(range.first + range.count);
			(end - known.of.offset(range.first)) as u64
		})
	}

	/// What is coming of this one.
	fn coming(&self, at: usize) -> Vec<Range> {
		let known = &self.known[at];
		let bodies = self.bodies.values().map(Body::range);
		let under_way = bodies.chain(self.wanted.iter().copied());
		let mut coming: Vec<_> = under_way.filter(|range| range.header == known.of.hash()).collect();
		coming.extend(known.comes().then(|| known.of.range()));
		coming
	}

	/// Whether what waits for this one is more than is of use.
	fn is_too_late(&self, at: usize) -> bool {
		let waiting = || self.known.iter().skip(at + 1).filter(|known| known.waits());
		let bytes: u64 = waiting().map(|known| u64::from(known.of.header().bytes)).sum();
		let first_ms = waiting().filter_map(|known| known.open.as_ref()?.whole_ms).min();
		let since_ms = first_ms.map_or(0, |first_ms| self.now_ms.saturating_sub(first_ms));
		let enough = !self.patient && waiting().count() > MAX_WAITING && since_ms >= AGAIN_MS;
		bytes > MAX_WAITING_BYTES || enough
	}

	/// Announced windows that are remembered.
	#[cfg(test)]
	pub(super) fn len(&self) -> usize {
		self.known.len()
	}
}
