//! Whatever bytes come: each decoder of the formats ends in an error or in a value that has these very bytes, and whatever
//! is asked of the value has an answer. The first byte says which.

#![no_main]

use clustercast_primitives::{
	catalog::CatalogSeal,
	channel::{Close, Release, Reservation},
	crypto::SignedMessage,
	ext::Items,
	fraud::{ChunkFraud, Equivocation},
	merkle::Proof,
	notice::{RelayerNotice, RelayerProof},
	receipt::{deliveries_root, Deliveries, PayerOpening},
	report::{Quality, Report},
	session::SessionProof,
	subscribe::{Binding, SignedSubscription, Subscription},
	window::SignedHeader,
	Hash, History, PublicKey, Receipt, Signed, SignedCatalog, SignedStatus, Status, Ticket, Tip, Voucher, WindowHeader,
	WinningTicket,
};
use clustercast_protocol::wire::{range_prefix, read_range, AnswerDecoder, RequestDecoder, RANGE_BYTES};
use codec::{DecodeAll, Encode};
use libfuzzer_sys::fuzz_target;

const GENESIS: Hash = Hash([1; 32]);

/// Of the seed that is 32 times 1.
const KEY: PublicKey = PublicKey([
	0x8a, 0x88, 0xe3, 0xdd, 0x74, 0x09, 0xf1, 0x95, 0xfd, 0x52, 0xdb, 0x2d, 0x3c, 0xba, 0x5d, 0x72, 0xca, 0x67, 0x09,
	0xbf, 0x1d, 0x94, 0x12, 0x1b, 0xf3, 0x74, 0x88, 0x01, 0xb4, 0x0f, 0x6f, 0x5c,
]);

fn value<T: DecodeAll + Encode>(raw: &[u8]) -> Option<T> {
	let value = T::decode_all(&mut &raw[..]).ok()?;
	assert_eq!(value.encode(), raw, "another encoding of the same value");
	Some(value)
}

/// Asks something of the value, where there is one; the answer may be any.
fn ask<T: DecodeAll + Encode, A>(raw: &[u8], question: fn(T) -> A) {
	let _ = value(raw).map(question);
}

fn message<T: SignedMessage>(raw: &[u8])
where
	Signed<T>: DecodeAll,
{
	if let Some(signed) = value::<Signed<T>>(raw) {
		assert!(signed.verify(&KEY, &GENESIS).is_err(), "nobody signed it");
	}
}

const DECODERS: [fn(&[u8]); 37] = [
	|raw| {
		let mut rest = raw;
		if let Ok(Some(request)) = RequestDecoder::default().poll(&mut rest) {
			assert_eq!(request.to_frame(), raw[..raw.len() - rest.len()]);
		}
	},
	|raw| {
		let mut rest = raw;
		if let Ok(Some(answer)) = AnswerDecoder::default().poll(&mut rest) {
			assert_eq!(answer.to_frame(), raw[..raw.len() - rest.len()]);
		}
	},
	|raw| {
		if let Some(prefix) = raw.first_chunk::<RANGE_BYTES>() {
			assert_eq!(range_prefix(&read_range(prefix)), prefix[..]);
		}
	},
	message::<WindowHeader>,
	message::<CatalogSeal>,
	message::<Status>,
	message::<Subscription>,
	message::<Receipt>,
	message::<Ticket>,
	message::<Voucher>,
	message::<Reservation>,
	message::<Close>,
	message::<Release>,
	message::<Tip>,
	message::<SessionProof>,
	message::<RelayerProof>,
	message::<RelayerNotice>,
	message::<Report>,
	message::<Quality>,
	|raw| ask(raw, |header: SignedHeader| header.check(&KEY, &GENESIS)),
	|raw| {
		ask(raw, |header: WindowHeader| {
			(0..9).map(|chunk| header.chunk_len(chunk)).sum::<usize>()
		})
	},
	|raw| ask(raw, |catalog: SignedCatalog| catalog.check(&KEY, &GENESIS)),
	|raw| ask(raw, |status: SignedStatus| status.check(&KEY, &GENESIS)),
	|raw| {
		ask(raw, |s: SignedSubscription| {
			s.check(&GENESIS, &Binding::PeerKey(KEY.0), &GENESIS)
		})
	},
	|raw| ask(raw, |ticket: WinningTicket| (ticket.is_winner(), ticket.id())),
	|raw| ask(raw, |items: Items| (items.get(1).is_some(), items.root())),
	|raw| ask(raw, |mut history: History| (history.append(GENESIS), history.root())),
	|raw| ask(raw, |deliveries: Deliveries| deliveries_root(&deliveries)),
	|raw| ask(raw, |opening: PayerOpening| opening.hash()),
	|raw| {
		ask(raw, |(root, leaf, proof): (Hash, Hash, Proof)| {
			proof.verify(&root, &leaf)
		})
	},
	|raw| {
		ask(raw, |(later, earlier, proof): (WindowHeader, WindowHeader, Proof)| {
			later.proves(&earlier, &proof)
		})
	},
	|raw| {
		ask(raw, |(header, history): (WindowHeader, History)| {
			header.follows(&history)
		})
	},
	|raw| {
		ask(raw, |(status, header, proof): (SignedStatus, WindowHeader, Proof)| {
			status.proves(&header, &proof)
		})
	},
	|raw| {
		ask(raw, |(today, earlier): (SignedStatus, Vec<SignedStatus>)| {
			today.reaches(&earlier).is_some()
		})
	},
	|raw| {
		ask(raw, |(release, of, block): (Release, Reservation, u32)| {
			release.is_for(&of, block)
		})
	},
	|raw| ask(raw, |evidence: ChunkFraud| evidence.check()),
	|raw| {
		ask(raw, |evidence: Equivocation| {
			(evidence.check(), evidence.stream(), evidence.signed(&GENESIS))
		})
	},
];

fuzz_target!(|data: &[u8]| {
	if let Some((kind, raw)) = data.split_first() {
		DECODERS[usize::from(*kind) % DECODERS.len()](raw);
	}
});
