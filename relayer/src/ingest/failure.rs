//! Why a connection to upstream was over, and what follows from that. Sans-IO.

use crate::{
	buying::Refused,
	upstream::{NothingNewer, Verdict, AT_ONCE, LATER, MUCH_LATER, SOON},
};
use clustercast_network::{client, node::ConnectError, AddressError};
use clustercast_pay::{
	refusal::{Act, Refusals},
	registration::Unfit,
};
use clustercast_primitives::{catalog::CatalogError, crypto::SignatureError, window::HeaderError, WindowId};
use clustercast_protocol::{routes::Detour, EndReason, Failing, Fault};

/// Why a connection was over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
	#[error("cannot connect: {0}")]
	Connect(#[from] ConnectError),
	#[error(transparent)]
	Subscription(#[from] client::Error),
	#[error("ended by upstream: {0:?}")]
	Ended(EndReason),
	#[error(transparent)]
	Failing(#[from] Failing),
	#[error("upstream: {0}")]
	Address(#[from] AddressError),
	#[error("the chain names another signing key for the stream: the origin that has it is looked for")]
	Replaced,
	#[error(transparent)]
	NothingNewer(#[from] NothingNewer),
	#[error("window {0} was passed over: upstream, or the way to it, is too slow")]
	Skipped(WindowId),
	#[error("window {0} is not whole, and what came behind it takes more memory than is allowed")]
	Crowded(WindowId),
	#[error("it began with a window from before the pause")]
	Old,
	#[error("not bought: {0}")]
	Refused(#[from] Refused),
	#[error("what is bought is paid with another session key from now on")]
	Renewed,
	#[error("nobody waits for the stream any more")]
	Unneeded,
	#[error("another upstream sends from now on")]
	Handed,
	#[error("it does not bring what it announces")]
	Short,
	#[error(transparent)]
	Detour(#[from] Detour),
}

impl From<Unfit> for Failure {
	fn from(unfit: Unfit) -> Self {
		Self::Refused(unfit.into())
	}
}

impl Failure {
	/// Why there is no connection.
	pub(super) fn into_connect(self) -> ConnectError {
		match self {
			Self::Connect(error) => error,
			other => ConnectError::Unreachable(other.to_string()),
		}
	}

	fn fault(&self) -> Option<&Fault> {
		match self {
			Self::Subscription(client::Error::Fault(fault)) => Some(fault),
			_ => None,
		}
	}

	/// Whether upstream broke the protocol.
	pub(super) fn broke(&self) -> bool {
		self.fault().is_some()
	}

	/// Whether upstream broke it in a way that no honest relayer does.
	pub(super) fn lied(&self) -> bool {
		self.fault().is_some_and(|fault| of_fault(fault) == Verdict::Out)
	}

	/// Whether upstream says that the broadcast is over.
	pub(super) fn says_it_is_over(&self) -> bool {
		matches!(self, Self::Ended(EndReason::Finished))
	}

	/// Whether upstream has nothing that follows our place: what it has is behind it, or was signed too late by a key that was
	/// replaced.
	pub(super) fn gone(&self) -> bool {
		matches!(self, Self::Ended(EndReason::WindowGone)) || matches!(self.fault(), Some(Fault::FormerKey(_)))
	}

	/// Whether there is nobody to settle with.
	pub(super) fn is_sudden(&self) -> bool {
		matches!(self, Self::Subscription(_) | Self::Failing(_) | Self::Ended(_))
	}

	/// Whether somebody says that we cannot pay.
	pub(super) fn doubts_our_means(&self) -> bool {
		match self {
			Self::Refused(Refused::Pay(_)) => true,
			Self::Ended(reason) => matches!(
				reason,
				EndReason::TicketRefused(_) | EndReason::ReservationRefused(_) | EndReason::ReservationNeeded
			),
			_ => false,
		}
	}

	/// What becomes of one that stood by, of which this is said beside: who has no room now is not asked again in the next moment, though
	/// nobody else is there to be asked; `overdue`: nobody brings anything, and it may have room as soon as it knows of that.
	pub(super) fn of_standby(&self, verdict: Verdict, overdue: bool) -> Verdict {
		match (self, verdict) {
			(Self::Ended(_), Verdict::Pass) if overdue => Verdict::Rest(AT_ONCE),
			(Self::Ended(_), Verdict::Pass) => Verdict::Rest(SOON),
			_ => verdict,
		}
	}

	/// What becomes of a relayer that is bought from.
	pub(super) fn verdict(&self, refusals: &mut Refusals) -> Verdict {
		match self {
			Self::Renewed | Self::Replaced | Self::Unneeded | Self::Handed => Verdict::Stay,
			Self::Short => Verdict::Rest(LATER),
			// Its own upstream may fail as ours does: then it turns to another one.
			Self::Detour(Detour::Circle) => Verdict::Pass,
			Self::Detour(Detour::TooLong) => Verdict::Rest(LATER),
			Self::Detour(_) => Verdict::Rest(MUCH_LATER),
			Self::Subscription(client::Error::Fault(fault)) => of_fault(fault),
			Self::Ended(EndReason::Finished) => Verdict::Pass,
			Self::Ended(reason) => match refusals.note(*reason) {
				Act::Leave => Verdict::Rest(MUCH_LATER),
				Act::Wait => Verdict::Rest(LATER),
				Act::Rest | Act::GoLive | Act::End | Act::ReadStream | Act::ReadAccount => Verdict::Pass,
			},
			// By then there is another session key, or more in the deposit, if there can be.
			Self::Refused(Refused::Pay(_)) => Verdict::Rest(LATER),
			Self::Refused(_) => Verdict::Rest(MUCH_LATER),
			Self::Connect(_)
			| Self::Subscription(_)
			| Self::Failing(_)
			| Self::Address(_)
			| Self::NothingNewer(_)
			| Self::Old
			| Self::Skipped(_)
			// Which of several did not bring it is not known.
			| Self::Crowded(_) => Verdict::Pass,
		}
	}
}

/// Terms that are too dear are no fraud, nor is what one of two does not know yet of the chain; and a signature that does not
/// verify is no relayer's fault where the broadcaster has just changed its key.
fn of_fault(fault: &Fault) -> Verdict {
	match fault {
		Fault::PriceTooHigh { .. }
		| Fault::FaceValue { .. }
		| Fault::PaymentAsked
		| Fault::VouchersAsked
		| Fault::WrongRecipient { .. }
		| Fault::Unpayable(_) => Verdict::Rest(MUCH_LATER),
		Fault::FormerKey(_) => Verdict::Pass,
		Fault::Header(HeaderError::Signature(SignatureError::Invalid))
		| Fault::Catalog(CatalogError::Signature(SignatureError::Invalid)) => Verdict::Rest(LATER),
		fault if fault.may_be_honest() => Verdict::Pass,
		_ => Verdict::Out,
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::chain::TicketRefusal;
	use clustercast_protocol::TicketError;

	fn verdict(failure: &Failure) -> Verdict {
		failure.verdict(&mut Refusals::default())
	}

	fn fault(fault: Fault) -> Failure {
		Failure::Subscription(client::Error::Fault(fault))
	}

	#[test]
	fn who_lies_is_out_and_who_is_dear_or_knows_less_is_not() {
		let window = WindowId::default();
		assert_eq!(verdict(&fault(Fault::BadChunk { window, index: 0 })), Verdict::Out);
		assert_eq!(verdict(&fault(Fault::Replayed(window))), Verdict::Out);
		let dear = Fault::PriceTooHigh { max: 1, asked: 2 };
		let dear = fault(dear);
		assert_eq!((verdict(&dear), dear.lied()), (Verdict::Rest(MUCH_LATER), false));
		assert_eq!(verdict(&fault(Fault::WrongTerms { known: 1, asked: 2 })), Verdict::Pass);
		let former = fault(Fault::FormerKey(window));
		assert_eq!((verdict(&former), former.gone()), (Verdict::Pass, true));
		let unsigned = HeaderError::Signature(SignatureError::Invalid);
		assert_eq!(verdict(&fault(Fault::Header(unsigned))), Verdict::Rest(LATER));
	}

	#[test]
	fn who_ended_what_stood_by_is_not_asked_again_in_the_next_moment() {
		let full = Failure::Ended(EndReason::Full);
		assert_eq!(full.of_standby(Verdict::Pass, false), Verdict::Rest(SOON));
		assert_eq!(
			full.of_standby(Verdict::Pass, true),
			Verdict::Rest(AT_ONCE),
			"nobody brings anything"
		);
		assert_eq!(
			full.of_standby(Verdict::Rest(LATER), true),
			Verdict::Rest(LATER),
			"nor sooner than it would be"
		);
		assert_eq!(full.of_standby(Verdict::Out, true), Verdict::Out);
		assert_eq!(Failure::Short.of_standby(Verdict::Pass, false), Verdict::Pass);
	}

	#[test]
	fn refused_payment_is_not_sent_again_and_again() {
		let mut refusals = Refusals::default();
		let refused = Failure::Ended(EndReason::TicketRefused(TicketError::Chain(
			TicketRefusal::UnknownSession,
		)));
		assert!(refused.doubts_our_means());
		assert_eq!(refused.verdict(&mut refusals), Verdict::Pass, "the chain is asked");
		assert_eq!(refused.verdict(&mut refusals), Verdict::Rest(MUCH_LATER));
		refusals.paid();
		assert_eq!(refused.verdict(&mut refusals), Verdict::Pass);
		assert_eq!(verdict(&Failure::Ended(EndReason::SeatsTaken)), Verdict::Pass);
	}

	#[test]
	fn who_has_it_from_us_is_passed_and_who_says_nonsense_rests() {
		let verdict = |detour: Detour| verdict(&detour.into());
		assert_eq!(verdict(Detour::Circle), Verdict::Pass);
		assert_eq!(verdict(Detour::TooLong), Verdict::Rest(LATER));
		assert_eq!(verdict(Detour::NotItsOwn), Verdict::Rest(MUCH_LATER));
	}

	#[test]
	fn who_has_nothing_newer_is_passed_and_settled_with() {
		let failure = Failure::from(NothingNewer);
		assert_eq!((verdict(&failure), failure.is_sudden()), (Verdict::Pass, false));
		assert!(Failure::Failing(Failing::Mute).is_sudden());
	}
}
