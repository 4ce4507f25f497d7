//! What a relayer earned: the expected value of the tickets that it was given and that it gave, by the books of both sides, and what the
//! chain took.

use super::{relayer_name, Stage, Watched};
use crate::scene::settle;
use anyhow::{Context, Result};
use serde::Serialize;
use std::fmt;

/// Parts per million of what is paid: the broadcaster's share, as `mint` sets it, and the treasury's.
const SHARES_PPM: f64 = 220_000.0;

/// The dearest that redeeming a ticket is, alone in its batch (`docs/economics.md`), micro-USDC.
const REDEEMING_ALONE: f64 = 273.0;

/// The usual face value (`docs/economics.md`), micro-USDC.
const USUAL_FACE: f64 = 20_000.0;

/// Books of a relayer, micro-USDC.
#[derive(Clone, Debug, Serialize)]
pub struct Earnings {
	/// Whose.
	pub relayer: String,
	/// Viewers that it served.
	pub viewers: usize,
	/// How long.
	pub seconds: f64,
	/// Bytes that these took, and that it took.
	pub sold_bytes: f64,
	/// See `sold_bytes`.
	pub bought_bytes: f64,
	/// Expected value of the tickets that viewers signed for it.
	pub sold: f64,
	/// And of those that it signed for its upstream meanwhile.
	pub bought: f64,
	/// What it keeps of the difference: shares are paid once over all hops.
	pub kept: f64,
	/// Tickets that the chain redeemed for all relayers of the run, and what the fees of that were.
	pub redeemed: usize,
	/// See `redeemed`.
	pub redemption_fees: f64,
	/// Of a ticket: as was paid here, or, where nothing was redeemed, alone in its batch by `docs/economics.md`.
	pub fee: f64,
	/// What all that it sold costs to redeem in tickets of the face value that it had here.
	pub fees: f64,
	/// And in tickets of the usual face value.
	pub usual_fees: f64,
	/// What is left of what it keeps, with tickets of the usual face value.
	pub net: f64,
}

impl Earnings {
	/// What is left at this face value, for each GB that was sold.
	fn per_gb(&self, fees: f64) -> f64 {
		(self.kept - fees) / (self.sold_bytes.max(1.0) / 1e9)
	}
}

impl fmt::Display for Earnings {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		writeln!(
			f,
			"{} served {} viewers for {:.0} s: {:.1} MB bought for {:.0} micro-USDC, {:.1} MB sold for {:.0} (expected values)",
			self.relayer,
			self.viewers,
			self.seconds,
			self.bought_bytes / 1e6,
			self.bought,
			self.sold_bytes / 1e6,
			self.sold
		)?;
		writeln!(
			f,
			"            it keeps {:.0} net of upstream and shares; {} tickets were redeemed here for fees of {:.0}, so one is {:.0}{}",
			self.kept,
			self.redeemed,
			self.redemption_fees,
			self.fee,
			if self.redeemed == 0 { " (docs/economics.md)" } else { "" }
		)?;
		write!(
			f,
			"            redeeming what it sold costs {:.0} at the face value of this run, {:.1} at 0.02 USDC: left are {:.0} and {:.0}, {:.0} and {:.0} per GB sold",
			self.fees,
			self.usual_fees,
			self.kept - self.fees,
			self.net,
			self.per_gb(self.fees),
			self.per_gb(self.usual_fees)
		)
	}
}

/// What its program had counted of what it bought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bought {
	micro_usdc: f64,
	bytes: f64,
}

impl Stage<'_> {
	/// What this relayer has bought by now.
	pub(super) fn bought(&self, number: usize) -> Result<Bought> {
		Ok(Bought {
			micro_usdc: self.figure(number, "bought_micro_usdc_total")?,
			bytes: self.figure(number, "bytes_received_total")?,
		})
	}

	/// Ends all relayers, the last one first, since who buys pays as it ends, waits until the chain has paid their winners, and closes
	/// the books of this one.
	pub(super) async fn close_books(
		&mut self,
		number: usize,
		(before, after): (Bought, Bought),
		seconds: f64,
		watched: &[Watched],
	) -> Result<Earnings> {
		for relayer in self.relayers.iter_mut().rev() {
			relayer.stop().await?;
		}
		let relayers: Vec<_> = self.relayers.iter().collect();
		let viewers: Vec<_> = self.viewers.iter().map(|viewer| viewer.account).collect();
		let activity = settle(&self.network, &self.before, &relayers, &viewers).await?.activity;
		let (peer, terms) = (self.relayers[number].peer(), self.relayers[number].terms());
		let (mut sold, mut sold_bytes, mut viewers) = (0.0, 0.0, 0);
		for watched in watched {
			let figures = &watched.summary["relayers"];
			// Its own and nobody else's: all of what it spent went there.
			let all = figures.as_object().context("the player names no relayers")?;
			if all
				.iter()
				.all(|(other, figures)| other == peer || figures["tickets"] == 0)
			{
				let spent = watched.summary["spentExpectedMicroUsdc"].as_f64();
				sold += spent.context("the player spent nothing")?;
				sold_bytes += figures[peer]["takenBytes"].as_f64().unwrap_or(0.0);
				viewers += 1;
			}
		}
		let bought = after.micro_usdc - before.micro_usdc;
		let kept = (sold - bought) * (1.0 - SHARES_PPM / 1e6);
		let (redeemed, redemption_fees) = (activity.redeemed.len(), activity.redemption_fees as f64);
		let fee = match redeemed {
			0 => REDEEMING_ALONE,
			_ => redemption_fees / redeemed as f64,
		};
		let usual_fees = sold / USUAL_FACE * fee;
		Ok(Earnings {
			relayer: relayer_name(number),
			viewers,
			seconds,
			sold_bytes,
			bought_bytes: after.bytes - before.bytes,
			sold,
			bought,
			kept,
			redeemed,
			redemption_fees,
			fee,
			fees: sold / terms.face_value as f64 * fee,
			usual_fees,
			net: kept - usual_fees,
		})
	}
}
