//! Whatever a relayer sends, in whatever pieces: a viewer's session ends in a typed fault, never a panic, and hands
//! out nothing that was not signed.

#![no_main]

use clustercast_primitives::{amount::USDC, crypto::KeyPair, AccountId, Hash, StreamId};
use clustercast_protocol::{viewer::Event, Payer, PaymentTerms, ViewerConfig, ViewerSession};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|pieces: Vec<Vec<u8>>| {
	let key = |seed| KeyPair::from_seed([seed; 32]).public();
	let mut session = ViewerSession::new(ViewerConfig {
		genesis: Hash([1; 32]),
		stream: StreamId(1),
		rendition: 0,
		signing_key: key(1),
		relayer_key: key(2),
		payment: Some(PaymentTerms {
			payer: Payer {
				account: AccountId([3; 32]),
				session: key(3),
				vouchers: true,
			},
			max_price_per_gb: 10_000_000,
			max_face_value: USDC,
		}),
		resume: None,
	});
	for piece in pieces {
		let ended = session.handle(&piece).is_err();
		while let Some(event) = session.poll_event() {
			assert!(!matches!(event, Event::Window(_)), "nobody signed a window");
		}
		if ended {
			break;
		}
	}
});
