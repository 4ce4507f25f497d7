//! Whatever a viewer sends, in whatever pieces: a relayer's session ends in a typed error, never a panic.

#![no_main]

use clustercast_primitives::Hash;
use clustercast_protocol::RelayerSession;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|pieces: Vec<Vec<u8>>| {
	let mut session = RelayerSession::new(Hash([1; 32]), [2; 16]);
	for piece in pieces {
		if session.handle(&piece).is_err() {
			break;
		}
		while session.poll_event().is_some() {}
		while session.poll_transmit().is_some() {}
	}
	let _ = session.finish();
});
