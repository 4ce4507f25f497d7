//! Figures of a run: what `--json` writes.

use crate::{means, outlook::Broadcast};
use clustercast_primitives::{Balance, WindowId};
use clustercast_protocol::Quiet;
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// Different reasons kept per relayer: more only repeat that it does not work.
const MAX_REASONS: usize = 32;

/// Why the run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Ended {
	/// The number of windows asked for is there.
	Windows,
	/// The time asked for is over.
	Seconds,
	/// By a signal.
	Interrupted,
	/// The broadcast is over.
	Finished,
	/// The session key was revoked or expires: no relayer takes anything from it.
	CannotPay,
	/// Every relayer known was caught or is too dear.
	NoRelayerLeft,
	/// The broadcaster was caught signing two things of which one is untrue.
	Flagged,
}

/// One relayer's part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RelayerFigures {
	/// Windows that verified.
	pub windows: u64,
	/// Bytes of windows that it brought first.
	pub bytes: u64,
	/// Bytes that it brought in all: what keeps a standby warm comes twice.
	pub taken_bytes: u64,
	/// Bytes thrown away because something did not verify.
	pub rejected_bytes: u64,
	/// Tickets signed for it.
	pub tickets: u64,
	/// What it was caught at; it is not used again.
	pub faults: Vec<String>,
	/// Other reasons for leaving it, and how often.
	pub setbacks: BTreeMap<String, u64>,
}

/// Figures of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
	/// Windows that verified and were written.
	pub windows: u64,
	/// Their bytes.
	pub verified_bytes: u64,
	/// Bytes thrown away because something did not verify.
	pub rejected_bytes: u64,
	/// Tickets signed.
	pub tickets: u64,
	/// Expected value of these tickets, micro-USDC, rounded down.
	pub spent_expected_micro_usdc: Balance,
	/// Times that windows were left out because no relayer had them any more.
	pub gaps: u64,
	/// How the broadcast stood when these figures were taken.
	pub broadcast: Broadcast,
	/// Times that the broadcaster paused or was away.
	pub pauses: u64,
	/// How long these took together, milliseconds.
	pub paused_ms: u64,
	/// Reports of relayers or the broadcaster that the chain agreed with.
	pub reports: u64,
	/// First window.
	pub first: Option<WindowId>,
	/// Last window.
	pub last: Option<WindowId>,
	/// Why it ended; `None` while it runs.
	pub ended: Option<Ended>,
	/// By peer id.
	pub relayers: BTreeMap<String, RelayerFigures>,
	/// Expected value, micro-USDC times 2^64.
	#[serde(skip)]
	spent_q64: u128,
}

impl Summary {
	/// Why a relayer did not serve an account that has too little.
	pub fn lack(&self) -> Option<&str> {
		let reasons = self.relayers.values().flat_map(|figures| figures.setbacks.keys());
		reasons
			.map(String::as_str)
			.find(|reason| reason.starts_with(means::REASON))
	}

	/// A window verified and was written: so many bytes of it came from each. It counts for `peer`.
	pub fn window(&mut self, peer: &str, id: WindowId, by: &BTreeMap<String, u64>) {
		self.windows += 1;
		self.first.get_or_insert(id);
		self.last = Some(id);
		self.relayer(peer).windows += 1;
		for (peer, bytes) in by {
			self.verified_bytes += bytes;
			self.relayer(peer).bytes += bytes;
		}
	}

	/// Bytes came from this relayer and verified.
	pub fn taken(&mut self, peer: &str, bytes: u64) {
		self.relayer(peer).taken_bytes += bytes;
	}

	/// A ticket was signed for this relayer, worth `expected_q64` micro-USDC times 2^64.
	pub fn ticket(&mut self, peer: &str, expected_q64: u128) {
		self.tickets += 1;
		self.spent_q64 = self.spent_q64.saturating_add(expected_q64);
		self.spent_expected_micro_usdc = self.spent_q64 >> 64;
		self.relayer(peer).tickets += 1;
	}

	/// A relayer was caught; these bytes were thrown away.
	pub fn fault(&mut self, peer: &str, fault: String, rejected_bytes: u64) {
		self.rejected_bytes += rejected_bytes;
		let relayer = self.relayer(peer);
		relayer.rejected_bytes += rejected_bytes;
		relayer.faults.push(fault);
	}

	/// A relayer was left for another reason.
	pub fn setback(&mut self, peer: &str, reason: String) {
		let setbacks = &mut self.relayer(peer).setbacks;
		if setbacks.len() < MAX_REASONS || setbacks.contains_key(&reason) {
			*setbacks.entry(reason).or_default() += 1;
		}
	}

	/// What was told of the broadcaster's pauses.
	pub fn quiet(&mut self, quiet: &Quiet, now: Duration) {
		self.pauses = quiet.count();
		self.paused_ms = u64::try_from(quiet.total(now).as_millis()).unwrap_or(u64::MAX);
	}

	fn relayer(&mut self, peer: &str) -> &mut RelayerFigures {
		self.relayers.entry(peer.into()).or_default()
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_protocol::Silence;

	#[test]
	fn figures_add_up_under_their_documented_names() {
		let mut summary = Summary::default();
		summary.window("a", WindowId::default(), &[("a".into(), 60), ("b".into(), 40)].into());
		summary.ticket("a", 3 << 63);
		summary.ticket("a", 3 << 63);
		summary.fault("b", "chunk 0 of window 1/0/0.0".into(), 50);
		summary.setback("a", "stalled".into());
		summary.setback("a", "stalled".into());
		summary.ended = Some(Ended::Windows);
		let json = serde_json::to_value(&summary).unwrap();
		for (field, value) in [
			("windows", 1),
			("verifiedBytes", 100),
			("rejectedBytes", 50),
			("tickets", 2),
			("spentExpectedMicroUsdc", 3),
			("gaps", 0),
		] {
			assert_eq!(json[field], value, "{field}");
		}
		assert_eq!(json["ended"], "windows");
		assert_eq!(json["relayers"]["a"]["setbacks"]["stalled"], 2);
		assert_eq!(
			[&json["relayers"]["a"]["bytes"], &json["relayers"]["b"]["bytes"]],
			[60, 40]
		);
		assert_eq!(json["relayers"]["b"]["rejectedBytes"], 50);
		assert_eq!(json["relayers"]["b"]["faults"][0], "chunk 0 of window 1/0/0.0");
	}

	#[test]
	fn pauses_are_in_the_figures() {
		let (mut summary, mut quiet) = (Summary::default(), Quiet::default());
		let at = Duration::from_secs;
		quiet.note(Silence::Pause, at(5));
		summary.quiet(&quiet, at(12));
		summary.broadcast = Broadcast::Paused;
		let json = serde_json::to_value(&summary).unwrap();
		assert_eq!((&json["broadcast"], &json["pauses"]), (&"paused".into(), &1.into()));
		assert_eq!(json["pausedMs"], 7_000);
		quiet.window(at(25));
		summary.quiet(&quiet, at(99));
		assert_eq!((summary.pauses, summary.paused_ms), (1, 20_000));
	}

	#[test]
	fn reasons_are_bounded() {
		let mut summary = Summary::default();
		for n in 0..1_000 {
			summary.setback("a", n.to_string());
		}
		assert_eq!(summary.relayers["a"].setbacks.len(), MAX_REASONS);
	}
}
