//! How much may be on its way: quinn's BBR, within what was of use of late.
//!
//! CUBIC takes each lost packet for congestion: over 80 ms with 1 % of loss it carries 1 Mb/s, less than one stream. BBR goes by the
//! rate that arrives. But quinn's adds all that is acknowledged to its window as long as it has not seen the line full, which a live
//! stream never fills (quinn#2798); after an hour a line that becomes slower would get all of that in one burst. Here the window is at
//! most twice what was on its way at a time in the last [`MEMORY`].
//!
//! And as quinn's BBR does not go by loss at all, it overruns the short queue of a home for as long as its start takes, and whenever
//! it looks for more: at three times a line's rate two of three packets are sent for nothing. So a round trip that loses more than
//! [`LOSS`] puts a [`Ceiling`] to the window, as BBRv2's `inflight_hi` does (draft-cardwell-iccrg-bbr-congestion-control-02, 4.6.4.3).

use quinn_proto::{
	congestion::{Bbr, BbrConfig, Controller, ControllerFactory, ControllerMetrics},
	RttEstimator,
};
use std::{
	any::Any,
	sync::Arc,
	time::{Duration, Instant},
};

/// What a connection begins with: 32 packets, a tenth of a window of video. quinn's BBR would begin with 240 kB, which a home's uplink
/// drops.
const INITIAL: u64 = 32 * 1_200;

/// How long it is remembered what was on its way: some windows of video.
const MEMORY: Duration = Duration::from_secs(10);

/// Of a round trip's bytes, parts of a hundred: more than lines lose by chance, less than a queue that runs over.
const LOSS: u64 = 5;

/// Fewer lost bytes say nothing of a share.
const FEW: u64 = 8 * 1_200;

/// For so long nothing more is tried behind a loss: a window of video.
const HOLD: Duration = Duration::from_secs(2);

/// Makes them.
#[derive(Clone, Debug)]
pub struct Bounded {
	inner: Arc<BbrConfig>,
}

impl Default for Bounded {
	fn default() -> Self {
		let mut inner = BbrConfig::default();
		inner.initial_window(INITIAL);
		Self { inner: Arc::new(inner) }
	}
}

impl ControllerFactory for Bounded {
	fn build(self: Arc<Self>, now: Instant, current_mtu: u16) -> Box<dyn Controller> {
		Box::new(Window {
			inner: Bbr::new(self.inner.clone(), current_mtu),
			peak: Peak::new(now),
			acknowledged: 0,
			ceiling: Ceiling::default(),
		})
	}
}

/// What may be on its way on a line that lost too much of it.
#[derive(Clone, Copy, Debug, Default)]
struct Ceiling {
	/// Bytes, and since when; none while nothing was lost.
	at: Option<(u64, Instant)>,
	/// What the last round trip added.
	step: u64,
	/// Number of the last packet that was sent.
	sent: u64,
	/// The round trip is over with the acknowledgement of this packet.
	ends: u64,
	/// Bytes of the round trip.
	acknowledged: u64,
	lost: u64,
	/// The most that was on its way at a time.
	most: u64,
}

impl Ceiling {
	/// `before` bytes were on their way when `acknowledged` of them were.
	fn acknowledge(&mut self, now: Instant, before: u64, acknowledged: u64, largest: Option<u64>) {
		self.acknowledged += acknowledged;
		self.most = self.most.max(before);
		if largest.is_some_and(|largest| largest >= self.ends) {
			self.judge(now);
			(self.ends, self.acknowledged, self.lost, self.most) = (self.sent + 1, 0, 0, 0);
		}
	}

	/// At the end of a round trip.
	fn judge(&mut self, now: Instant) {
		if self.lost >= FEW && self.lost * 100 > (self.lost + self.acknowledged) * LOSS {
			self.at = Some(((self.most * 7 / 10).max(INITIAL), now));
			self.step = 0;
		} else if let Some((at, since)) = &mut self.at {
			// Only what was made use of can be too little.
			let is_used = self.most * 10 >= *at * 8;
			if is_used && now.saturating_duration_since(*since) >= HOLD {
				self.step = (self.step * 2).max(1_200);
				*at += self.step;
			}
		}
	}

	fn bytes(&self) -> u64 {
		self.at.map_or(u64::MAX, |(at, _)| at)
	}
}

/// The most of something in the last [`MEMORY`], to half of that.
#[derive(Clone, Copy, Debug)]
struct Peak {
	/// Of the half that runs, and of the one before.
	most: [u64; 2],
	since: Instant,
}

impl Peak {
	fn new(now: Instant) -> Self {
		Self {
			most: [0; 2],
			since: now,
		}
	}

	fn see(&mut self, value: u64, now: Instant) {
		let half = MEMORY / 2;
		let elapsed = now.saturating_duration_since(self.since);
		if elapsed >= half {
			let before = if elapsed < MEMORY { self.most[0] } else { 0 };
			(self.most, self.since) = ([0, before], now);
		}
		self.most[0] = self.most[0].max(value);
	}

	fn most(&self) -> u64 {
		self.most[0].max(self.most[1])
	}
}

#[derive(Clone)]
struct Window<C> {
	inner: C,
	/// Bytes on their way.
	peak: Peak,
	/// Of the acknowledgements that are being read.
	acknowledged: u64,
	ceiling: Ceiling,
}

impl<C: Controller + Clone + 'static> Controller for Window<C> {
	fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
		self.ceiling.sent = last_packet_number;
		self.inner.on_sent(now, bytes, last_packet_number);
	}

	fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
		self.acknowledged += bytes;
		self.inner.on_ack(now, sent, bytes, app_limited, rtt);
	}

	fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest: Option<u64>) {
		let acknowledged = std::mem::take(&mut self.acknowledged);
		let before = in_flight + acknowledged;
		self.peak.see(before, now);
		self.ceiling.acknowledge(now, before, acknowledged, largest);
		self.inner.on_end_acks(now, in_flight, app_limited, largest);
	}

	fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent_congestion: bool, lost_bytes: u64) {
		self.ceiling.lost += lost_bytes;
		self.inner
			.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
	}

	fn on_mtu_update(&mut self, new_mtu: u16) {
		self.inner.on_mtu_update(new_mtu);
	}

	fn window(&self) -> u64 {
		let most = self.peak.most().saturating_mul(2).max(INITIAL);
		self.inner.window().min(most).min(self.ceiling.bytes())
	}

	fn metrics(&self) -> ControllerMetrics {
		let mut metrics = self.inner.metrics();
		metrics.congestion_window = self.window();
		metrics
	}

	fn clone_box(&self) -> Box<dyn Controller> {
		Box::new(self.clone())
	}

	fn initial_window(&self) -> u64 {
		self.inner.initial_window()
	}

	fn into_any(self: Box<Self>) -> Box<dyn Any> {
		self
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::quic::tls::{Credentials, SERVER_NAME};
	use clustercast_primitives::crypto::KeyPair;
	use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};

	/// As quinn's BBR where nothing ever fills the line: everything that is acknowledged is added.
	#[derive(Clone)]
	struct Endless(u64);

	impl Controller for Endless {
		fn on_end_acks(&mut self, _: Instant, _: u64, _: bool, _: Option<u64>) {
			self.0 += 375_000;
		}

		fn on_congestion_event(&mut self, _: Instant, _: Instant, _: bool, _: u64) {}

		fn on_mtu_update(&mut self, _: u16) {}

		fn window(&self) -> u64 {
			self.0
		}

		fn clone_box(&self) -> Box<dyn Controller> {
			Box::new(self.clone())
		}

		fn initial_window(&self) -> u64 {
			INITIAL
		}

		fn into_any(self: Box<Self>) -> Box<dyn Any> {
			self
		}
	}

	fn bounded(now: Instant) -> Window<Endless> {
		Window {
			inner: Endless(INITIAL),
			peak: Peak::new(now),
			acknowledged: 0,
			ceiling: Ceiling::default(),
		}
	}

	/// A round trip with so many packets of 1,200 bytes on their way, of which so many are lost.
	fn round_trip(window: &mut Window<Endless>, now: Instant, packets: u64, lost: u64) {
		let last = window.ceiling.sent + packets;
		window.on_sent(now, packets * 1_200, last);
		window.on_congestion_event(now, now, false, lost * 1_200);
		window.acknowledged += (packets - lost) * 1_200;
		window.on_end_acks(now, lost * 1_200, false, Some(last));
	}

	#[test]
	fn a_queue_that_runs_over_puts_a_ceiling_that_rises_where_it_is_made_use_of() {
		let begin = Instant::now();
		let mut window = bounded(begin);
		let at = |ms| begin + Duration::from_millis(ms);
		round_trip(&mut window, at(0), 300, 3);
		assert_eq!(
			window.ceiling.bytes(),
			u64::MAX,
			"lines lose one in a hundred by chance"
		);
		round_trip(&mut window, at(100), 32, 7);
		assert_eq!(window.ceiling.bytes(), u64::MAX, "so few say nothing");
		round_trip(&mut window, at(200), 300, 30);
		let ceiling = 300 * 1_200 * 7 / 10;
		assert_eq!(window.window(), ceiling);
		// Not at once, and not where it is not made use of.
		round_trip(&mut window, at(300), 210, 0);
		round_trip(&mut window, at(2_300), 100, 0);
		assert_eq!(window.window(), ceiling);
		for (trip, more) in [(24, 1), (25, 3), (26, 7)] {
			round_trip(&mut window, at(100 * trip), 200, 0);
			assert_eq!(window.window(), ceiling + more * 1_200);
		}
		// It goes down to what a connection begins with, and no further.
		for trip in 27..40 {
			let packets = window.window() / 1_200;
			round_trip(&mut window, at(100 * trip), packets, packets / 2);
		}
		assert_eq!(window.window(), INITIAL);
	}

	#[test]
	fn an_hour_of_live_video_leaves_the_window_at_twice_a_burst() {
		let begin = Instant::now();
		let mut window = bounded(begin);
		for burst in 0..1_800 {
			let now = begin + Duration::from_secs(2 * burst);
			window.on_end_acks(now, 375_000, true, None);
			assert!(window.window() <= 750_000);
		}
		assert!(window.inner.window() > 600_000_000, "{}", window.inner.window());
		// What is smaller for a while makes it smaller.
		let later = begin + Duration::from_secs(3_600);
		for part in 0..60 {
			window.on_end_acks(later + Duration::from_millis(200 * part), 40_000, true, None);
		}
		assert_eq!(window.window(), 80_000);
		let silence = later + Duration::from_secs(600);
		window.on_end_acks(silence, 1_000, true, None);
		assert_eq!(window.window(), INITIAL);
	}

	#[test]
	fn a_line_that_carries_more_is_found_in_a_few_round_trips() {
		let begin = Instant::now();
		let (mut window, mut trips) = (bounded(begin), 0);
		while window.window() < 2_000_000 {
			let all = window.window();
			window.on_end_acks(begin + Duration::from_millis(80 * trips), all, false, None);
			trips += 1;
		}
		assert!(trips <= 7, "{trips}");
	}

	/// With the real one, over loopback: what is acknowledged is not added up.
	#[tokio::test]
	async fn live_bursts_leave_the_window_of_a_connection_where_it_was_of_use() {
		let burst = vec![0; 100_000];
		let ours = after_bursts(Arc::new(Bounded::default()), &burst).await;
		assert!(ours <= 250_000, "{ours} bytes; bare BBR's is above 2,000,000 as a rule");
	}

	/// The window behind a hundred bursts with pauses between them.
	async fn after_bursts(factory: Arc<dyn ControllerFactory + Send + Sync>, burst: &[u8]) -> u64 {
		let credentials = Credentials::new(&KeyPair::from_seed([1; 32]), b"test").unwrap();
		let crypto = QuicServerConfig::try_from(credentials.server().unwrap()).unwrap();
		let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
		let mut transport = quinn::TransportConfig::default();
		transport.congestion_controller_factory(factory);
		server.transport_config(Arc::new(transport));
		let server = quinn::Endpoint::server(server, "127.0.0.1:0".parse().unwrap()).unwrap();
		let client = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
		let crypto = credentials.client(credentials.peer_id(), Arc::default()).unwrap();
		let crypto = QuicClientConfig::try_from(crypto).unwrap();
		let config = quinn::ClientConfig::new(Arc::new(crypto));
		let called = client
			.connect_with(config, server.local_addr().unwrap(), SERVER_NAME)
			.unwrap();
		let (accepted, called) = tokio::join!(async { server.accept().await.unwrap().await.unwrap() }, called);
		let called = called.unwrap();
		for _ in 0..100 {
			let mut stream = accepted.open_uni().await.unwrap();
			stream.write_all(burst).await.unwrap();
			stream.finish().unwrap();
			let mut came = called.accept_uni().await.unwrap();
			assert_eq!(came.read_to_end(burst.len()).await.unwrap().len(), burst.len());
			tokio::time::sleep(Duration::from_millis(2)).await;
		}
		accepted.stats().path.cwnd
	}
}
