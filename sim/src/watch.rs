//! One session at a source: its streams of chunks, what is paid through it, and what a receiver with a bug does with it.

use crate::{
	bugs::Bug,
	chain::{unix_ms, GENESIS},
	desk::{STREAM, TERMS},
	intake::Source,
	net::{BodyNo, ConnId, NodeId},
	node::{Conduct, Io},
	roster::Ending,
	wallet::Wallet,
};
use bytes::Bytes;
use clustercast_primitives::{
	amount::TICKET_BYTES, subscribe::Binding, window::MAX_AHEAD_OF_VIEWER_MS, PublicKey, WindowId,
};
use clustercast_protocol::{
	viewer::{BodyId, Due, Taken},
	wire::{read_range, AnswerDecoder, Kind, ToRelayer, ToViewer, PREFIX_BYTES, RANGE_BYTES},
	Fault, Follow, Meter, Payment, PaymentTerms, Resume, Share, Terms, ViewerConfig, ViewerSession,
};
use std::collections::BTreeMap;

/// Streams of chunks of one connection.
const MAX_BODIES: usize = 32;

/// See the module.
#[derive(Debug)]
pub struct Watch {
	/// Its connection.
	pub conn: ConnId,
	/// To whom.
	pub peer: NodeId,
	/// The machine.
	pub session: ViewerSession,
	/// What a node with a bug remembers.
	pub terms: Option<Terms>,
	bodies: BTreeMap<BodyNo, BodyId>,
	/// Of windows that are not announced yet.
	waiting: Vec<Waiting>,
	meter: Meter,
	played: BTreeMap<BodyNo, u32>,
}

#[derive(Debug)]
struct Waiting {
	body: BodyNo,
	prefix: Bytes,
	chunks: Vec<(Bytes, bool)>,
}

/// A session that subscribes to a source.
pub fn session(
	source: Source,
	stream_key: PublicKey,
	wallet: Option<&Wallet>,
	resume: Option<Resume>,
	follow: Follow,
	io: &Io<'_>,
) -> ViewerSession {
	let payment = wallet.filter(|_| source.account.is_some());
	ViewerSession::new(ViewerConfig {
		genesis: GENESIS,
		stream: STREAM,
		track: 0,
		keys: stream_key.into(),
		relayer_key: source.key,
		relayer_account: source.account,
		binding: Binding::PeerKey(source.key.0),
		payment: payment.map(|wallet| PaymentTerms {
			session: wallet.session(),
			vouchers: true,
			terms: TERMS,
			max_price_per_gb: 10_000_000,
			max_face_value: 1_000_000,
		}),
		head: io.block(),
		latest_start_ms: unix_ms(io.now()) + MAX_AHEAD_OF_VIEWER_MS,
		resume,
		follow,
	})
}

/// What follows from a fault.
pub fn ending(fault: &Fault) -> Ending {
	let refused = matches!(
		fault,
		Fault::PriceTooHigh { .. }
			| Fault::FaceValue { .. }
			| Fault::PaymentAsked
			| Fault::VouchersAsked
			| Fault::WrongRecipient { .. }
			| Fault::Unpayable(_)
	);
	match (refused, fault.may_be_honest()) {
		(true, _) => Ending::Refused,
		(false, true) => Ending::Failed,
		(false, false) => Ending::Fault,
	}
}

impl Watch {
	/// Over this connection.
	pub fn new(conn: ConnId, peer: NodeId, session: ViewerSession) -> Self {
		Self {
			conn,
			peer,
			session,
			terms: None,
			bodies: BTreeMap::new(),
			waiting: Vec::new(),
			meter: Meter::default(),
			played: BTreeMap::new(),
		}
	}

	/// What the chain and the clock say by now.
	pub fn refresh(&mut self, io: &Io<'_>) {
		self.session.set_head(io.block());
		self.session
			.set_latest_start(unix_ms(io.now()) + MAX_AHEAD_OF_VIEWER_MS);
	}

	/// The source says something.
	pub fn frame(&mut self, frame: &Bytes, wallet: Option<&mut Wallet>, io: &mut Io<'_>) -> Result<(), Fault> {
		if io.has(Bug::PayUnchecked) {
			pay_unchecked(self, wallet, frame, io);
		}
		self.session.handle(frame)?;
		self.begin_waiting()
	}

	/// It sends a chunk.
	pub fn arrive(
		&mut self,
		body: BodyNo,
		prefix: Bytes,
		data: Bytes,
		last: bool,
		io: &mut Io<'_>,
	) -> Result<(), Fault> {
		if io.has(Bug::PlayUnverified) {
			play_unverified(self, body, &prefix, &data, io);
		}
		let took = self.chunk(body, prefix, data, last);
		io.audit.bound(io.node, "streams wait", self.waiting.len(), MAX_BODIES);
		took
	}

	/// Sends what the session has to say.
	pub fn flush(&mut self, io: &mut Io<'_>) {
		while let Some(frame) = self.session.poll_transmit() {
			let kind = frame.get(PREFIX_BYTES - 1).copied();
			if io.has(Bug::PayTwice) && kind == Some(Kind::Ticket as u8) {
				io.frame(self.conn, frame.clone());
			}
			io.frame(self.conn, frame);
		}
	}

	fn chunk(&mut self, body: BodyNo, prefix: Bytes, data: Bytes, last: bool) -> Result<(), Fault> {
		if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.body == body) {
			waiting.chunks.push((data, last));
			return Ok(());
		}
		let id = match self.bodies.get(&body) {
			Some(id) => *id,
			None => match self.session.begin_chunks(&begin(&prefix))? {
				Taken::As(id) => {
					self.bodies.insert(body, id);
					id
				},
				Taken::NotYet => {
					let chunks = vec![(data, last)];
					self.waiting.push(Waiting { body, prefix, chunks });
					return Ok(());
				},
			},
		};
		self.session.chunks(id, &data)?;
		if last {
			self.bodies.remove(&body);
			self.session.end_chunks(id, true)?;
		}
		Ok(())
	}

	/// Some may be announced by now.
	fn begin_waiting(&mut self) -> Result<(), Fault> {
		for Waiting { body, prefix, chunks } in std::mem::take(&mut self.waiting) {
			for (data, last) in chunks {
				self.chunk(body, prefix.clone(), data, last)?;
			}
		}
		Ok(())
	}
}

fn begin(prefix: &Bytes) -> [u8; RANGE_BYTES] {
	let mut begin = [0; RANGE_BYTES];
	let length = prefix.len().min(RANGE_BYTES);
	begin[..length].copy_from_slice(&prefix[..length]);
	begin
}

/// Pays what is due, as this node does; `false` where it cannot.
pub fn pay(
	watch: &mut Watch,
	wallet: Option<&mut Wallet>,
	before: &mut Option<Payment>,
	conduct: Conduct,
	due: &Due,
	io: &Io<'_>,
) -> bool {
	let Some(wallet) = wallet else { return false };
	if conduct == Conduct::NeverPays {
		return true;
	}
	let mut ahead = due.clone();
	if io.has(Bug::PayAhead) {
		match &mut ahead.share {
			Share::Ticket {
				bytes, win_probability, ..
			} => {
				*win_probability = win_probability.saturating_add(*win_probability / (*bytes / TICKET_BYTES).max(1));
				*bytes += TICKET_BYTES;
			},
			Share::Voucher { bytes, .. } => *bytes += TICKET_BYTES,
		}
	}
	let Ok(payment) = wallet.pay(&ahead, io) else {
		return false;
	};
	let payment = match (conduct, payment) {
		(Conduct::Forges, Payment::Ticket(mut ticket)) => {
			ticket.message.win_probability /= 2;
			Payment::Ticket(ticket)
		},
		(Conduct::Forges, Payment::Voucher(mut voucher)) => {
			voucher.message.amount += 1;
			Payment::Voucher(voucher)
		},
		(Conduct::Replays, payment) => before.replace(payment.clone()).unwrap_or(payment),
		(_, payment) => payment,
	};
	// Refused only where a fault was found meanwhile.
	let _ = watch.session.pay(due, payment);
	true
}

/// The bug: a receipt is paid as it comes.
fn pay_unchecked(watch: &mut Watch, wallet: Option<&mut Wallet>, frame: &[u8], io: &mut Io<'_>) {
	let (Some(terms), Some(wallet)) = (&watch.terms, wallet) else {
		return;
	};
	let Ok(Some(ToViewer::Receipt(signed, _))) = AnswerDecoder::default().poll(&mut &frame[..]) else {
		return;
	};
	let receipt = signed.message;
	let Ok(Some(share)) = watch.meter.charge(receipt.bytes, receipt.price, &terms.mode) else {
		return;
	};
	let due = Due {
		recipient: terms.recipient,
		window: WindowId {
			stream: receipt.stream,
			..WindowId::default()
		},
		kind: receipt.kind,
		context: receipt.context,
		terms: terms.counter,
		price_per_gb: receipt.price,
		commitment: receipt.commitment,
		share,
	};
	if let Ok(payment) = wallet.pay(&due, io) {
		let message = match payment {
			Payment::Ticket(ticket) => ToRelayer::Ticket(ticket),
			Payment::Voucher(voucher) => ToRelayer::Voucher(due.commitment, voucher),
		};
		io.frame(watch.conn, message.to_frame());
	}
}

/// The bug: chunks are played as they come.
fn play_unverified(watch: &mut Watch, body: BodyNo, prefix: &Bytes, data: &[u8], io: &mut Io<'_>) {
	let played = watch.played.entry(body).or_default();
	let mut range = read_range(&begin(prefix));
	(range.first, range.count) = (range.first + *played, 1);
	*played += 1;
	if !data.is_empty() {
		io.audit.sampled(io.node, &range, data);
	}
}
