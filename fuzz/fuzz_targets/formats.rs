//! Whatever bytes come: each decoder of the formats ends in an error or in a value that has these very bytes, and whatever
//! is asked of the value has an answer. The first byte says which.

#![no_main]

use clustercast_primitives::{
	channel::{Release, Reservation, SignedClose, SignedRelease, SignedReservation},
	crypto::SignedMessage,
	ext::Items,
	fraud::{ChunkFraud, Equivocation},
	merkle::Proof,
	notice::{RelayerProof, SignedRelayerNotice},
	receipt::{deliveries_root, Deliveries, PayerOpening, SignedReceipt},
	report::{SignedQuality, SignedReport},
	session::SessionProof,
	subscribe::{Binding, SignedSubscription},
	window::SignedHeader,
	Hash, History, PublicKey, Signed, SignedCatalog, SignedStatus, SignedTip, SignedVoucher, WindowHeader,
	WinningTicket,
};
use codec::{DecodeAll, Encode};
use libfuzzer_sys::fuzz_target;

const GENESIS: Hash = Hash([1; 32]);
const KEY: PublicKey = PublicKey([2; 32]);

fn value<T: DecodeAll + Encode>(raw: &[u8]) -> Option<T> {
	let value = T::decode_all(&mut &raw[..]).ok()?;
	assert_eq!(value.encode(), raw, "another encoding of the same value");
	Some(value)
}

fn message<T>(raw: &[u8]) -> Option<bool>
where
	T: SignedMessage,
	Signed<T>: DecodeAll,
{
	value::<Signed<T>>(raw).map(|signed| signed.verify(&KEY, &GENESIS).is_ok())
}

/// Whether it holds, where there is a value. Nobody signed any.
type Decoder = fn(&[u8]) -> Option<bool>;

const SIGNED: [Decoder; 16] = [
	|raw| value::<SignedHeader>(raw).map(|header| header.check(&KEY, &GENESIS).is_ok()),
	|raw| value::<SignedCatalog>(raw).map(|catalog| catalog.check(&KEY, &GENESIS).is_ok()),
	|raw| value::<SignedStatus>(raw).map(|status| status.check(&KEY, &GENESIS).is_ok()),
	|raw| value::<SignedSubscription>(raw).map(|s| s.check(&GENESIS, &Binding::PeerKey([0; 32]), &GENESIS).is_ok()),
	|raw| value::<SignedReceipt>(raw).map(|receipt| receipt.verify(&KEY, &receipt.message.hash()).is_ok()),
	|raw| {
		value::<WinningTicket>(raw).map(|ticket| ticket.is_winner() && ticket.signed.verify(&KEY, &ticket.id()).is_ok())
	},
	|raw| value::<SignedVoucher>(raw).map(|v| v.message.place().terms == 0 && v.verify(&KEY, &GENESIS).is_ok()),
	|raw| value::<SignedReservation>(raw).map(|signed| signed.verify(&KEY, &GENESIS).is_ok()),
	|raw| value::<SignedClose>(raw).map(|signed| signed.verify(&KEY, &GENESIS).is_ok()),
	|raw| value::<SignedRelease>(raw).map(|signed| signed.verify(&KEY, &GENESIS).is_ok()),
	|raw| value::<SignedTip>(raw).map(|signed| signed.verify(&KEY, &GENESIS).is_ok()),
	message::<SessionProof>,
	message::<RelayerProof>,
	|raw| value::<SignedRelayerNotice>(raw).map(|signed| signed.verify(&KEY, &GENESIS).is_ok()),
	|raw| value::<SignedReport>(raw).map(|signed| signed.verify(&KEY, &GENESIS).is_ok()),
	|raw| value::<SignedQuality>(raw).map(|signed| signed.verify(&KEY, &GENESIS).is_ok()),
];

const PARTS: [Decoder; 11] = [
	|raw| value::<Items>(raw).map(|items| items.get(1).is_some() || items.root() == GENESIS),
	|raw| {
		value::<History>(raw)
			.map(|mut history| history.root() == GENESIS || (history.is_well_formed() && history.append(GENESIS)))
	},
	|raw| value::<Deliveries>(raw).map(|deliveries| deliveries_root(&deliveries) == GENESIS),
	|raw| value::<PayerOpening>(raw).map(|opening| opening.hash() == GENESIS),
	|raw| value::<(Hash, Hash, Proof)>(raw).map(|(root, leaf, proof)| proof.verify(&root, &leaf)),
	|raw| {
		value::<(WindowHeader, WindowHeader, Proof)>(raw).map(|(later, earlier, proof)| later.proves(&earlier, &proof))
	},
	|raw| value::<(WindowHeader, History)>(raw).map(|(header, history)| header.follows(&history)),
	|raw| {
		value::<(SignedStatus, WindowHeader, Proof)>(raw).map(|(status, header, proof)| status.proves(&header, &proof))
	},
	|raw| value::<(SignedStatus, Vec<SignedStatus>)>(raw).map(|(today, earlier)| today.reaches(&earlier).is_some()),
	|raw| value::<(Release, Reservation, u32)>(raw).map(|(release, of, block)| release.is_for(&of, block)),
	|raw| value::<(Reservation, Reservation)>(raw).map(|(later, earlier)| later.succeeds(&earlier)),
];

const EVIDENCE: [Decoder; 2] = [
	|raw| value::<ChunkFraud>(raw).map(|evidence| evidence.check().is_ok()),
	|raw| {
		value::<Equivocation>(raw).map(|evidence| {
			let signed = evidence
				.signed(&GENESIS)
				.iter()
				.all(|(payload, by)| KEY.verify(payload, by).is_ok());
			evidence.stream().0 == 0 && evidence.check().is_ok() && signed
		})
	},
];

fuzz_target!(|data: &[u8]| {
	let Some((kind, raw)) = data.split_first() else { return };
	let kind = usize::from(*kind) % (SIGNED.len() + PARTS.len() + EVIDENCE.len());
	match SIGNED.get(kind) {
		Some(decoder) => assert_ne!(decoder(raw), Some(true), "nobody signed it"),
		None => {
			PARTS
				.iter()
				.chain(&EVIDENCE)
				.nth(kind - SIGNED.len())
				.and_then(|decoder| decoder(raw));
		},
	}
});
