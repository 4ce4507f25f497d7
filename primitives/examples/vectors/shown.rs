//! How values are written in the files: bytes as `0x` hex, `u64` and wider as decimal strings, smaller numbers as
//! numbers, text as text, structures by their fields in camelCase.

use bounded_collections::BoundedVec;
use clustercast_primitives::{
	catalog::{Catalog, CatalogSeal, Protection, Track},
	channel::{Close, Release, Reservation},
	ext::{Item, Items},
	fraud::{ChunkFraud, Leaf},
	history::History,
	merkle::Proof,
	notice::{RelayerNotice, RelayerProof},
	receipt::{Kind, PayerOpening},
	report::{Quality, Report},
	session::SessionProof,
	status::{State, Status, TrackState},
	subscribe::{Binding, Subscription},
	text::Text,
	AccountId, Delivery, Hash, PublicKey, Receipt, Signature, Signed, StreamId, Ticket, Tip, Voucher, WindowHeader,
	WindowId,
};
use serde_json::{json, Map, Value};

/// Something that a file holds.
pub trait Shown {
	/// As the file has it.
	fn shown(&self) -> Value;
}

macro_rules! shown {
	($($type:ty => $show:expr;)*) => {
		$(impl Shown for $type {
			fn shown(&self) -> Value {
				let show: fn(&Self) -> Value = $show;
				show(self)
			}
		})*
	};
}

/// All fields of a structure: one that is left out does not compile.
macro_rules! fields {
	($($type:ident { $($field:ident),* $(,)? })*) => {
		$(impl Shown for $type {
			fn shown(&self) -> Value {
				let Self { $($field),* } = self;
				Map::from_iter([$((camel(stringify!($field)), $field.shown())),*]).into()
			}
		})*
	};
}

fn camel(name: &str) -> String {
	let (first, rest) = name.split_once('_').unwrap_or((name, ""));
	let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
	let rest = rest.split('_').filter(|word| !word.is_empty()).map(capital);
	first.to_owned() + &rest.collect::<String>()
}

/// `0x` hex.
pub fn bytes(raw: impl AsRef<[u8]>) -> String {
	format!("0x{}", hex::encode(raw))
}

shown! {
	u8 => |n| json!(n);
	u16 => |n| json!(n);
	u32 => |n| json!(n);
	u64 => |n| json!(n.to_string());
	u128 => |n| json!(n.to_string());
	Hash => |h| json!(h.to_string());
	AccountId => |a| json!(a.to_string());
	PublicKey => |k| json!(k.to_string());
	Signature => |s| json!(s.to_string());
	[u8; 16] => |raw| json!(bytes(raw));
	StreamId => |stream| stream.0.shown();
	Kind => |kind| kind.0.shown();
	State => |state| json!(*state as u8);
	Binding => |binding| match binding {
		Binding::PeerKey(key) => json!({ "kind": 0, "end": bytes(key) }),
		Binding::Certificate(hash) => json!({ "kind": 1, "end": bytes(hash) }),
	};
	Item => |item| json!({ "kind": item.kind, "data": bytes(&item.data) });
	Items => |items| items.iter().map(Shown::shown).collect();
	History => |history| json!({ "count": history.count().shown(), "peaks": history.peaks().shown() });
}

impl<const N: u32> Shown for Text<N> {
	fn shown(&self) -> Value {
		json!(self.as_str())
	}
}

impl<T: Shown> Shown for [T] {
	fn shown(&self) -> Value {
		self.iter().map(Shown::shown).collect()
	}
}

impl<T: Shown, S> Shown for BoundedVec<T, S> {
	fn shown(&self) -> Value {
		self.as_slice().shown()
	}
}

fields! {
	WindowId { stream, track, epoch, segment, part }
	WindowHeader {
		id, number, history, flags, start_ms, duration_ms, bytes, chunks, chunk_log2, root, catalog, ext,
	}
	Track { id, kind, role, language, codecs, bitrate, width, height, rate, timescale, init }
	Protection { scheme, key_id, tracks }
	Catalog { stream, epoch, number, title, tracks, protection, mirrors }
	CatalogSeal { stream, epoch, number, hash }
	Status { stream, epoch, number, state, at_ms, valid_ms, after, tracks }
	TrackState { track, count, last, history }
	Subscription { account, session, stream, tracks, challenge, binding }
	Delivery { header, first, count, delivered }
	Receipt { kind, context, payer, payee, key, stream, root, bytes, price, commitment, block }
	PayerOpening { salt, account, session }
	Ticket {
		sender, session, recipient, stream, kind, context, bytes, face_value, win_probability, commitment, nonce, expiry,
	}
	Voucher { sender, session, recipient, stream, kind, context, terms, amount, bytes, expiry }
	Reservation { sender, session, recipient, counter, cap, reward, submit_by }
	Close { sender, session, recipient, counter, submit_by }
	Release { recipient, session, registered, counter, kept }
	Tip { sender, session, stream, amount, reward, nonce, expiry }
	SessionProof { account }
	RelayerProof { account }
	RelayerNotice {
		account, key, number, stream, addresses, transports, certificates, price_per_gb, free_seats, path, lag_ms, contact,
		reports, until_ms,
	}
	Report { session, window, header, reason, text, at_ms }
	Quality {
		session, stream, relayer, from_ms, duration_ms, bytes, start_up_ms, stalls, stalled_ms, latency_ms, refused,
		commitments,
	}
	Proof { index, width, path }
	Leaf { hash, path }
	ChunkFraud { receipt, payer, delivery, place, header, index, delivered, signed }
}

impl<T: Shown> Shown for Signed<T> {
	fn shown(&self) -> Value {
		json!({ "message": self.message.shown(), "signature": self.signature.shown() })
	}
}
