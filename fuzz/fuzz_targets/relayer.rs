//! Whatever a viewer sends, in whatever pieces: a relayer's session ends in a typed error, never a panic.

#![no_main]

use clustercast_primitives::{subscribe::Binding, Hash};
use clustercast_protocol::RelayerSession;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|pieces: Vec<Vec<u8>>| {
	let mut session = RelayerSession::new(Hash([1; 32]), Hash([2; 32]), vec![Binding::PeerKey([3; 32])]);
	for piece in pieces {
		if session.handle(&piece).is_err() {
			break;
		}
		while session.poll_event().is_some() {}
		while session.poll_transmit().is_some() {}
	}
	let _ = session.finish();
});
