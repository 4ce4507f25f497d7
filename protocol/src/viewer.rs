//! Receiving side of a subscription: verifies while bytes arrive, hands out only what verified, says what is owed.
//!
//! Order of checks for a window: header fields and signature, place and chain, initialisation segment, leaves against
//! the signed root, each chunk against its leaf in the call that brings its last byte, then the relayer's receipt. The first one
//! that fails ends the session with a [`Fault`]: nothing more is emitted, sent or paid.

use crate::{
	evidence::{Evidence, Pursuit},
	window::EncodedWindow,
	wire::{
		Delivery, DeliveryDecoder, EndReason, Kind, Payer, PaymentMode, Start, Subscribe, Terms, ToRelayer, ToViewer,
		WireError,
	},
};
use bytes::Bytes;
use clustercast_primitives::{
	amount,
	crypto::SignatureError,
	merkle,
	receipt::{Receipt, SignedReceipt},
	window::{flags, HeaderError, SignedHeader},
	AccountId, Balance, Hash, PublicKey, SignedTicket, SignedVoucher, StreamId, Voucher, WindowHeader, WindowId,
};
use std::collections::VecDeque;

/// What a viewer wants, from whom, and what it is ready to pay.
#[derive(Clone, Debug)]
pub struct ViewerConfig {
	/// Genesis hash of the chain: part of every signature.
	pub genesis: Hash,
	/// Stream key on the chain.
	pub stream: StreamId,
	/// Rendition of the stream; 0 is 480p.
	pub rendition: u8,
	/// Signs the stream's headers, as the chain says.
	pub signing_key: PublicKey,
	/// Signs the relayer's receipts, as the chain says.
	pub relayer_key: PublicKey,
	/// How it pays; `None` asks to be served for nothing.
	pub payment: Option<PaymentTerms>,
	/// Goes on behind this window; `None` begins live.
	pub resume: Option<Resume>,
}

/// Who pays, and the most that is accepted.
#[derive(Clone, Debug)]
pub struct PaymentTerms {
	/// Whose deposit and session key.
	pub payer: Payer,
	/// Micro-USDC per 10^9 bytes.
	pub max_price_per_gb: u64,
	/// Micro-USDC a single ticket may be worth when it wins.
	pub max_face_value: Balance,
}

/// The window that was received last: the next one must follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
	/// Its place.
	pub id: WindowId,
	/// [`WindowHeader::hash`].
	pub header_hash: Hash,
	/// Whether it was the last part of its segment.
	pub last_part: bool,
}

impl Resume {
	/// Behind the window with this header.
	pub fn after(header: &WindowHeader) -> Self {
		Self {
			id: header.id,
			header_hash: header.hash(),
			last_part: header.has(flags::LAST_PART),
		}
	}

	/// Place of the one window that can follow; `None` at the end of all numbers.
	pub fn successor(&self) -> Option<WindowId> {
		let (segment, part) = match self.last_part {
			true => (self.id.segment.checked_add(1)?, 0),
			false => (self.id.segment, self.id.part.checked_add(1)?),
		};
		Some(WindowId {
			segment,
			part,
			..self.id
		})
	}
}

/// What a verified window costs: what [`crate::Purse::pay`] signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
	/// The relayer's account.
	pub recipient: AccountId,
	/// The window.
	pub window: WindowId,
	/// Verified bytes.
	pub bytes: u32,
	/// Micro-USDC per 10^9 bytes.
	pub price_per_gb: u64,
	/// From the relayer's receipt.
	pub commitment: Hash,
	/// What to pay it with.
	pub share: Share,
}

/// What one window is paid with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
	/// A ticket.
	Ticket {
		/// Micro-USDC paid when it wins.
		face_value: Balance,
		/// Of 2^64; makes the ticket worth `bytes x price`.
		win_probability: u64,
	},
	/// A voucher.
	Voucher {
		/// Micro-USDC by which it exceeds the one before: `bytes x price` rounded down, so that no run of vouchers
		/// ever exceeds the price of its bytes.
		amount: Balance,
	},
}

impl Share {
	/// What a window of this many bytes takes; `None` where no payment of this mode can be worth that.
	pub fn of(bytes: u32, price_per_gb: u64, mode: &PaymentMode) -> Option<Self> {
		match *mode {
			PaymentMode::Tickets { face_value } => {
				let win_probability = amount::win_probability(bytes, price_per_gb, face_value)?;
				Some(Self::Ticket {
					face_value,
					win_probability,
				})
			},
			PaymentMode::Vouchers { .. } => {
				let amount = u128::from(bytes) * u128::from(price_per_gb) / 1_000_000;
				(amount > 0).then_some(Self::Voucher { amount })
			},
		}
	}

	/// Expected value, micro-USDC times 2^64; `None` when it does not fit.
	pub fn worth_q64(&self) -> Option<u128> {
		match *self {
			Self::Ticket {
				face_value,
				win_probability,
			} => amount::expected_value_q64(face_value, win_probability),
			Self::Voucher { amount } => amount.checked_mul(1 << 64),
		}
	}
}

/// What pays a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payment {
	/// For one window.
	Ticket(SignedTicket),
	/// For all windows so far.
	Voucher(SignedVoucher),
}

/// What a session tells its driver. In order; a window comes right behind its initialisation segment where that is new.
#[derive(Clone, Debug)]
pub enum Event {
	/// The relayer serves, on these terms; `None` for nothing. Comes again when the mode of payment changes.
	Terms(Option<Terms>),
	/// Initialisation segment of the windows that follow. Verified.
	Init(Bytes),
	/// Every byte verified, and the direct successor of the one before.
	Window(EncodedWindow),
	/// The receipt for a window verified: pay it.
	PaymentDue(Due),
	/// The relayer has the payment for this window.
	Paid(WindowId),
	/// The relayer ended the subscription.
	Ended(EndReason),
}

/// Why a session ended: what the relayer did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
	/// Bytes that are no message.
	#[error(transparent)]
	Wire(#[from] WireError),
	/// A message out of turn.
	#[error("{0} out of turn")]
	Unexpected(Kind),
	/// Terms dearer than the viewer accepts.
	#[error("asks {asked} micro-USDC per GB; at most {max} is accepted")]
	PriceTooHigh {
		/// Accepted, micro-USDC per GB.
		max: u64,
		/// Asked.
		asked: u64,
	},
	/// Tickets worth more than the viewer accepts, or nothing at all.
	#[error("asks tickets of {asked} micro-USDC; at most {max} is accepted")]
	FaceValue {
		/// Accepted, micro-USDC.
		max: Balance,
		/// Asked.
		asked: Balance,
	},
	/// Asks for vouchers of a viewer who offered none.
	#[error("asks for vouchers of a viewer who pays by tickets")]
	VouchersAsked,
	/// The voucher in its terms is not one that this session signed for this relayer and stream.
	#[error("shows a voucher that is not this session's")]
	BadVoucher,
	/// Asks money of a viewer who offered none.
	#[error("asks to be paid by a viewer who offered no payment")]
	PaymentAsked,
	/// Terms without credit can never be served.
	#[error("terms without credit")]
	NoCredit,
	/// More windows unpaid than its own terms allow.
	#[error("sends beyond its own credit of {0}")]
	CreditExceeded(u8),
	/// The window costs as much as a ticket's face value or more, or less than the smallest voucher.
	#[error("window {0} costs what no payment of these terms can be worth")]
	Unpayable(WindowId),
	/// Header fields or signature.
	#[error(transparent)]
	Header(#[from] HeaderError),
	/// A signed window of another stream or rendition.
	#[error("window {0} of a stream that was not asked for")]
	WrongStream(WindowId),
	/// The first window cannot be decoded by itself.
	#[error("begins with window {0}, which cannot be decoded by itself")]
	NotIndependent(WindowId),
	/// A window at or before the last one.
	#[error("window {0} again")]
	Replayed(WindowId),
	/// A later window than the next one.
	#[error("window {got} in place of {expected}")]
	Omitted {
		/// Direct successor of the last one.
		expected: WindowId,
		/// Sent instead.
		got: WindowId,
	},
	/// The right place, and another chain of headers.
	#[error("window {0} does not follow the one before it")]
	BrokenChain(WindowId),
	/// The initialisation segment missing or not the one that the header names.
	#[error("wrong initialisation segment for window {0}")]
	BadInit(WindowId),
	/// Leaf hashes do not make the signed root.
	#[error("leaves of window {0} do not make its root")]
	BadLeaves(WindowId),
	/// A chunk does not make its leaf hash.
	#[error("chunk {index} of window {window} is not what the broadcaster signed")]
	BadChunk {
		/// Its window.
		window: WindowId,
		/// From 0.
		index: u16,
	},
	/// A receipt for something else than was delivered.
	#[error("receipt for window {window}: {reason}")]
	BadReceipt {
		/// The window it should be for.
		window: WindowId,
		/// What is wrong with it.
		reason: ReceiptFault,
	},
}

/// What is wrong with a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptFault {
	/// For another session key.
	#[error("names another session")]
	Session,
	/// For another window.
	#[error("names another window")]
	Window,
	/// Not the header's root.
	#[error("names another root")]
	Root,
	/// Says that something else was delivered.
	#[error("admits to other leaves than the root's")]
	Delivered,
	/// Not the window's length.
	#[error("states another length")]
	Bytes,
	/// Not the price of the terms.
	#[error("states another price than the terms")]
	Price,
	/// The commitment of the receipt before: its secret may be known.
	#[error("repeats a commitment")]
	Commitment,
	/// Not signed by the relayer's key.
	#[error(transparent)]
	Signature(#[from] SignatureError),
}

/// Why a payment is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDue {
	/// The relayer was caught: nothing is paid any more.
	#[error("the relayer was caught at a fault")]
	Faulted,
	/// The relayer ended the subscription: it takes no payments any more.
	#[error("the subscription has ended")]
	Ended,
	/// No receipt awaits this payment for this window, or it was paid before.
	#[error("nothing is due for window {0}")]
	Window(WindowId),
}

/// Chunks hashed at a time when they come faster than one by one; what [`merkle::leaf_hashes`] does best.
const BATCH: u16 = 8;

/// The window that is arriving.
#[derive(Debug)]
struct Arriving {
	header: SignedHeader,
	leaves: Vec<Hash>,
	/// Chunks here.
	complete: u16,
	/// Chunks found to be right.
	verified: u16,
}

#[derive(Debug)]
struct Owed {
	window: WindowId,
	commitment: Hash,
	sent: bool,
}

/// One subscription at one relayer, seen by the viewer.
#[derive(Debug)]
pub struct ViewerSession {
	config: ViewerConfig,
	decoder: DeliveryDecoder,
	/// Outer `None`: not told yet.
	terms: Option<Option<Terms>>,
	/// Sent, and not yet named by a verified header.
	pending_init: Option<Bytes>,
	/// Named by the last verified header.
	init: Option<(Hash, Bytes)>,
	last: Option<Resume>,
	arriving: Option<Arriving>,
	/// Verified, and its receipt comes next.
	unreceipted: Option<WindowHeader>,
	/// Receipts that the relayer has not acknowledged a payment for; at most its credit.
	owed: VecDeque<Owed>,
	last_commitment: Option<Hash>,
	ended: bool,
	fault: Option<Fault>,
	/// The failed window whose receipt may convict the relayer.
	pursuit: Option<Pursuit>,
	evidence: Option<Evidence>,
	/// The last header whose signature verified, whatever else is wrong with it.
	header: Option<SignedHeader>,
	/// Received and not yet part of a whole message that verified.
	unverified: u64,
	events: VecDeque<Event>,
	transmit: VecDeque<Bytes>,
}

impl ViewerSession {
	/// Begins with a subscription to be transmitted.
	pub fn new(config: ViewerConfig) -> Self {
		let start = config.resume.map_or(Start::Live, |last| Start::After {
			segment: last.id.segment,
			part: last.id.part,
		});
		let subscribe = ToRelayer::Subscribe(Subscribe {
			genesis: config.genesis,
			stream: config.stream,
			rendition: config.rendition,
			start,
			payer: config.payment.as_ref().map(|p| p.payer),
		});
		Self {
			last: config.resume,
			config,
			decoder: DeliveryDecoder::default(),
			terms: None,
			pending_init: None,
			init: None,
			arriving: None,
			unreceipted: None,
			owed: VecDeque::new(),
			last_commitment: None,
			ended: false,
			fault: None,
			pursuit: None,
			evidence: None,
			header: None,
			unverified: 0,
			events: VecDeque::new(),
			transmit: VecDeque::from([subscribe.to_frame()]),
		}
	}

	/// Takes bytes from the relayer, in any fragments. After a fault every call returns it again; events of windows
	/// that verified before it can still be polled, nothing can be paid.
	pub fn handle(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
		if let Some(fault) = &self.fault {
			return Err(fault.clone());
		}
		self.unverified += bytes.len() as u64;
		self.read(&mut bytes).map_err(|fault| {
			let fault = self.fail(fault);
			self.pursue(bytes);
			fault
		})
	}

	/// Takes what the relayer sends behind a bad chunk or bad leaves, up to the receipt for that window. Whether more is
	/// wanted: at most the rest of one window and a receipt. Does nothing in any other state.
	pub fn pursue(&mut self, mut bytes: &[u8]) -> bool {
		while let Some(mut pursuit) = self.pursuit.take() {
			match self.decoder.poll(&mut bytes) {
				Ok(Some(Delivery::Chunk(index))) if !pursuit.complete => {
					// Chunks before the one that failed are hashed already.
					if usize::from(index) == pursuit.delivered.len() {
						pursuit.delivered.push(merkle::leaf_hash(self.decoder.chunk(index)));
					}
				},
				Ok(Some(Delivery::Window(_))) if !pursuit.complete => pursuit.complete = true,
				Ok(Some(Delivery::Message(ToViewer::Receipt(receipt)))) if pursuit.complete => {
					self.evidence = pursuit.close(receipt, &self.config.relayer_key, &self.config.genesis);
					return false;
				},
				Ok(None) => {
					self.pursuit = Some(pursuit);
					return true;
				},
				// Whatever else it says: no receipt, no evidence.
				Ok(Some(_)) | Err(_) => return false,
			}
			self.pursuit = Some(pursuit);
		}
		false
	}

	/// What was found against the relayer, once.
	pub fn take_evidence(&mut self) -> Option<Evidence> {
		self.evidence.take()
	}

	/// The last header that the stream's key signed, also one that was refused: for [`crate::Witness::note`].
	pub fn header(&self) -> Option<&SignedHeader> {
		self.header.as_ref()
	}

	/// The relayer's stream ended: a fault when it did so inside a message.
	pub fn finish(&mut self) -> Result<(), Fault> {
		if let Some(fault) = &self.fault {
			return Err(fault.clone());
		}
		self.decoder.finish().map_err(|e| self.fail(e.into()))
	}

	/// Next thing that happened.
	pub fn poll_event(&mut self) -> Option<Event> {
		self.events.pop_front()
	}

	/// Next bytes for the relayer; a whole frame.
	pub fn poll_transmit(&mut self) -> Option<Bytes> {
		self.transmit.pop_front()
	}

	/// Sends what pays a window that is due, as [`crate::Purse::pay`] signed it. Each is paid once.
	pub fn pay(&mut self, due: &Due, payment: Payment) -> Result<(), NotDue> {
		if self.fault.is_some() {
			return Err(NotDue::Faulted);
		}
		if self.ended {
			return Err(NotDue::Ended);
		}
		let window = due.window;
		let owed = self
			.owed
			.iter_mut()
			.find(|o| o.window == window && o.commitment == due.commitment && !o.sent)
			.ok_or(NotDue::Window(window))?;
		owed.sent = true;
		let message = match payment {
			Payment::Ticket(ticket) => ToRelayer::Ticket(ticket),
			Payment::Voucher(voucher) => ToRelayer::Voucher(window, voucher),
		};
		self.transmit.push_back(message.to_frame());
		Ok(())
	}

	/// Where the next session goes on: behind the last window emitted, or behind the one this session began after.
	pub fn resume(&self) -> Option<Resume> {
		self.last
	}

	/// Bytes thrown away by a fault: those received behind the last whole message that verified. 0 without a fault.
	pub fn rejected_bytes(&self) -> u64 {
		self.fault.as_ref().map_or(0, |_| self.unverified)
	}

	/// What ended the session, if something did.
	pub fn fault(&self) -> Option<&Fault> {
		self.fault.as_ref()
	}

	fn fail(&mut self, fault: Fault) -> Fault {
		self.fault = Some(fault.clone());
		self.arriving = None;
		self.owed.clear();
		self.transmit.clear();
		self.events.retain(|event| !matches!(event, Event::PaymentDue(_)));
		fault
	}

	fn read(&mut self, bytes: &mut &[u8]) -> Result<(), Fault> {
		while let Some(delivery) = self.decoder.poll(bytes)? {
			let whole = matches!(delivery, Delivery::Message(_) | Delivery::Window(_));
			match delivery {
				Delivery::Message(message) => self.on_message(message)?,
				Delivery::Header(header) => self.on_header(header)?,
				Delivery::Leaves(leaves) => self.on_leaves(leaves)?,
				Delivery::Chunk(index) => self.on_chunk(index)?,
				Delivery::Window(frame) => self.on_window(frame)?,
			}
			if whole {
				self.unverified = bytes.len() as u64;
			}
		}
		self.check_chunks()
	}

	fn on_message(&mut self, message: ToViewer) -> Result<(), Fault> {
		let kind = message.kind();
		if self.ended || (self.terms.is_none() && !matches!(kind, Kind::Terms | Kind::End)) {
			return Err(Fault::Unexpected(kind));
		}
		match message {
			ToViewer::Terms(terms) if self.may_state(terms.as_ref()) => self.on_terms(terms),
			ToViewer::Init(init) if self.unreceipted.is_none() && self.pending_init.is_none() => {
				self.pending_init = Some(init);
				Ok(())
			},
			ToViewer::Receipt(receipt) => self.on_receipt(receipt),
			ToViewer::Paid(window) => match self.owed.iter().position(|o| o.window == window && o.sent) {
				Some(at) => {
					self.owed.remove(at);
					self.events.push_back(Event::Paid(window));
					Ok(())
				},
				None => Err(Fault::Unexpected(kind)),
			},
			ToViewer::End(reason) => {
				self.ended = true;
				self.events.push_back(Event::Ended(reason));
				Ok(())
			},
			ToViewer::Terms(_) | ToViewer::Init(_) => Err(Fault::Unexpected(kind)),
		}
	}

	/// Terms come first; later ones differ from them by the mode of payment at most, and cut into no window.
	fn may_state(&self, terms: Option<&Terms>) -> bool {
		match (&self.terms, terms) {
			(None, _) => true,
			(Some(Some(agreed)), Some(terms)) => {
				let Terms {
					recipient,
					price_per_gb,
					mode: _,
					credit,
				} = agreed;
				self.unreceipted.is_none()
					&& (*recipient, *price_per_gb, *credit) == (terms.recipient, terms.price_per_gb, terms.credit)
			},
			_ => false,
		}
	}

	fn on_terms(&mut self, terms: Option<Terms>) -> Result<(), Fault> {
		if let Some(asked) = &terms {
			let Some(accepted) = &self.config.payment else {
				return Err(Fault::PaymentAsked);
			};
			if asked.price_per_gb > accepted.max_price_per_gb {
				return Err(Fault::PriceTooHigh {
					max: accepted.max_price_per_gb,
					asked: asked.price_per_gb,
				});
			}
			match &asked.mode {
				PaymentMode::Tickets { face_value } if *face_value == 0 || *face_value > accepted.max_face_value => {
					return Err(Fault::FaceValue {
						max: accepted.max_face_value,
						asked: *face_value,
					});
				},
				PaymentMode::Vouchers { .. } if !accepted.payer.vouchers => return Err(Fault::VouchersAsked),
				PaymentMode::Vouchers { newest: Some(newest) } if !self.is_ours(newest, asked, &accepted.payer) => {
					return Err(Fault::BadVoucher);
				},
				_ => {},
			}
			if asked.credit == 0 {
				return Err(Fault::NoCredit);
			}
		}
		self.terms = Some(terms.clone());
		self.events.push_back(Event::Terms(terms));
		Ok(())
	}

	/// Whether this session signed the voucher, for the relayer of these terms and the stream.
	fn is_ours(&self, voucher: &SignedVoucher, terms: &Terms, payer: &Payer) -> bool {
		let Voucher {
			sender,
			session,
			recipient,
			stream,
			..
		} = voucher.message;
		(sender, session, recipient, stream) == (payer.account, payer.session, terms.recipient, self.config.stream)
			&& voucher.verify(&payer.session, &self.config.genesis).is_ok()
	}

	fn on_header(&mut self, header: SignedHeader) -> Result<(), Fault> {
		let Some(terms) = &self.terms else {
			return Err(Fault::Unexpected(Kind::Window));
		};
		if self.ended || self.unreceipted.is_some() {
			return Err(Fault::Unexpected(Kind::Window));
		}
		header.check(&self.config.signing_key, &self.config.genesis)?;
		self.header = Some(header.clone());
		let id = header.message.id;
		if id.stream != self.config.stream || id.rendition != self.config.rendition {
			return Err(Fault::WrongStream(id));
		}
		match &self.last {
			None if !header.message.has(flags::INDEPENDENT) => return Err(Fault::NotIndependent(id)),
			None => {},
			Some(last) if id <= last.id => return Err(Fault::Replayed(id)),
			Some(last) => match last.successor() {
				Some(expected) if id == expected => {
					if header.message.previous != last.header_hash {
						return Err(Fault::BrokenChain(id));
					}
				},
				Some(expected) => return Err(Fault::Omitted { expected, got: id }),
				None => return Err(Fault::BrokenChain(id)),
			},
		}
		if let Some(terms) = terms {
			if self.owed.len() >= usize::from(terms.credit) {
				return Err(Fault::CreditExceeded(terms.credit));
			}
			if Share::of(header.message.bytes, terms.price_per_gb, &terms.mode).is_none() {
				return Err(Fault::Unpayable(id));
			}
		}
		let named = match (&self.pending_init, &self.init) {
			(Some(init), _) => merkle::leaf_hash(init) == header.message.init,
			(None, Some((hash, _))) => *hash == header.message.init,
			(None, None) => false,
		};
		if !named {
			return Err(Fault::BadInit(id));
		}
		self.arriving = Some(Arriving {
			header,
			leaves: Vec::new(),
			complete: 0,
			verified: 0,
		});
		Ok(())
	}

	fn on_leaves(&mut self, leaves: Vec<Hash>) -> Result<(), Fault> {
		let arriving = self.arriving.as_mut().ok_or(Fault::Unexpected(Kind::Window))?;
		let header = &arriving.header.message;
		if merkle::root(&leaves) != header.root {
			let fault = Fault::BadLeaves(header.id);
			self.begin_pursuit(None, Vec::new());
			return Err(fault);
		}
		arriving.leaves = leaves;
		Ok(())
	}

	fn on_chunk(&mut self, index: u16) -> Result<(), Fault> {
		let arriving = self.arriving.as_mut().ok_or(Fault::Unexpected(Kind::Window))?;
		arriving.complete = index + 1;
		match arriving.complete == arriving.header.message.chunks || arriving.complete - arriving.verified >= BATCH {
			true => self.check_chunks(),
			false => Ok(()),
		}
	}

	/// Verifies the chunks that are complete and not verified yet.
	fn check_chunks(&mut self) -> Result<(), Fault> {
		let Some(arriving) = &mut self.arriving else {
			return Ok(());
		};
		let fresh = arriving.verified..arriving.complete;
		let chunks: Vec<&[u8]> = fresh.clone().map(|index| self.decoder.chunk(index)).collect();
		let verified = usize::from(arriving.verified);
		let hashes = merkle::leaf_hashes(&chunks);
		let bad = fresh
			.zip(&hashes)
			.find(|(index, hash)| arriving.leaves.get(usize::from(*index)) != Some(hash));
		if let Some((index, _)) = bad {
			let window = arriving.header.message.id;
			let signed = std::mem::take(&mut arriving.leaves);
			let delivered = [&signed[..verified], &hashes[..]].concat();
			self.begin_pursuit(Some(signed), delivered);
			return Err(Fault::BadChunk { window, index });
		}
		arriving.verified = arriving.complete;
		Ok(())
	}

	/// Only a relayer that is paid signs receipts.
	fn begin_pursuit(&mut self, signed: Option<Vec<Hash>>, delivered: Vec<Hash>) {
		if let (Some(arriving), Some(Some(_))) = (&self.arriving, &self.terms) {
			self.pursuit = Some(Pursuit {
				header: arriving.header.clone(),
				signed,
				delivered,
				complete: false,
			});
		}
	}

	/// Every chunk has verified: the decoder hands out the frame behind the last one.
	fn on_window(&mut self, frame: Bytes) -> Result<(), Fault> {
		let Arriving { header, .. } = self.arriving.take().ok_or(Fault::Unexpected(Kind::Window))?;
		if let Some(init) = self.pending_init.take() {
			self.init = Some((header.message.init, init.clone()));
			self.events.push_back(Event::Init(init));
		}
		let (_, init) = self.init.as_ref().ok_or(Fault::BadInit(header.message.id))?;
		let window = EncodedWindow::from_verified_frame(header, init.clone(), frame);
		self.last = Some(Resume {
			id: window.id(),
			header_hash: window.hash(),
			last_part: window.header().has(flags::LAST_PART),
		});
		if matches!(self.terms, Some(Some(_))) {
			self.unreceipted = Some(window.header().clone());
		}
		self.events.push_back(Event::Window(window));
		Ok(())
	}

	fn on_receipt(&mut self, signed: SignedReceipt) -> Result<(), Fault> {
		let (Some(Some(terms)), Some(payment), Some(header)) =
			(&self.terms, &self.config.payment, self.unreceipted.take())
		else {
			return Err(Fault::Unexpected(Kind::Receipt));
		};
		let window = header.id;
		let bad = |reason| Fault::BadReceipt { window, reason };
		let receipt: &Receipt = &signed.message;
		let wrong = [
			(receipt.session != payment.payer.session, ReceiptFault::Session),
			(receipt.window != window, ReceiptFault::Window),
			(receipt.root != header.root, ReceiptFault::Root),
			(receipt.delivered != header.root, ReceiptFault::Delivered),
			(receipt.bytes != header.bytes, ReceiptFault::Bytes),
			(receipt.price_per_gb != terms.price_per_gb, ReceiptFault::Price),
			(
				self.last_commitment == Some(receipt.commitment),
				ReceiptFault::Commitment,
			),
		];
		if let Some((_, reason)) = wrong.into_iter().find(|(is_wrong, _)| *is_wrong) {
			return Err(bad(reason));
		}
		signed
			.verify(&self.config.relayer_key, &self.config.genesis)
			.map_err(|e| bad(e.into()))?;
		let share = Share::of(receipt.bytes, receipt.price_per_gb, &terms.mode).ok_or(Fault::Unpayable(window))?;
		let commitment = receipt.commitment;
		self.last_commitment = Some(commitment);
		self.owed.push_back(Owed {
			window,
			commitment,
			sent: false,
		});
		self.events.push_back(Event::PaymentDue(Due {
			recipient: terms.recipient,
			window,
			bytes: receipt.bytes,
			price_per_gb: receipt.price_per_gb,
			commitment,
			share,
		}));
		Ok(())
	}
}

#[cfg(test)]
mod tests;
