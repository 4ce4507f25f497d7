//! Whatever a relayer sends, in whatever pieces: a viewer's session ends in a typed fault, never a panic, and hands
//! out nothing that was not signed.

#![no_main]

use clustercast_primitives::{amount::USDC, crypto::KeyPair, subscribe::Binding, AccountId, Hash, StreamId};
use clustercast_protocol::{viewer::Event, PaymentTerms, SessionKey, ViewerConfig, ViewerSession};
use libfuzzer_sys::fuzz_target;

const GENESIS: Hash = Hash([1; 32]);

fuzz_target!(|pieces: Vec<Vec<u8>>| {
	let key = |seed| KeyPair::from_seed([seed; 32]);
	let mut session = ViewerSession::new(ViewerConfig {
		genesis: GENESIS,
		stream: StreamId(1),
		track: 0,
		signing_key: key(1).public(),
		relayer_key: key(2).public(),
		binding: Binding::PeerKey([4; 32]),
		payment: Some(PaymentTerms {
			session: SessionKey {
				account: AccountId([3; 32]),
				key: key(3).public(),
			},
			vouchers: true,
			head: 100,
			max_price_per_gb: 10_000_000,
			max_face_value: USDC,
		}),
		resume: None,
	});
	for piece in pieces {
		let ended = session.handle(&piece).is_err();
		while let Some(event) = session.poll_event() {
			match event {
				Event::Challenged(subscription) => session.subscribe(key(3).sign(subscription, &GENESIS)),
				Event::Window(_) | Event::Status(_) => panic!("nobody signed it"),
				_ => (),
			}
		}
		if ended {
			break;
		}
	}
});
