//! Bugs that honest nodes can be given, to see whether the checks find them: each is a line of code that somebody may forget, or
//! write the wrong way round.

use crate::audit::Rule;
use clap::ValueEnum;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Bug {
	/// A viewer signs for a receipt before the session has checked it.
	PayUnchecked,
	/// A viewer plays chunks as they come.
	PlayUnverified,
	/// A viewer sends each payment twice.
	PayTwice,
	/// A viewer goes on, after a crash, with the purse as it was at first.
	StalePurse,
	/// A viewer takes a relayer that was caught for one that failed.
	ForgiveFaults,
	/// A viewer tries a relayer that failed again at once.
	NoRest,
	/// A viewer waits for ever for windows that do not come.
	NoPatience,
	/// A viewer that changes relayers begins live.
	ForgetPlace,
	/// A viewer that changes relayers goes on two windows before its place.
	OldPlace,
	/// A relayer hands out what memory holds where the disk has flipped a bit.
	ServeUnverified,
	/// A relayer tells the viewer that a payment is accepted before it is judged.
	AcceptUnjudged,
	/// A relayer forgives what viewers leave unpaid.
	ForgetDebts,
	/// A relayer never closes what viewers leave unpaid: it counts as owed for ever.
	NeverClose,
	/// A relayer keeps the seat of a viewer who is gone.
	KeepSeats,
	/// A relayer acknowledges winners before they are stored.
	LoseWinners,
	/// A relayer counts a winner as income again after it was restarted.
	CountTwice,
	/// A relayer wakes nobody when a window comes.
	NoBell,
	/// A relayer does not call its upstream again.
	NoReturn,
	/// A relayer gives nothing up that it has kept.
	KeepAll,
	/// A relayer writes frames whether or not the viewer reads them, and chunks as well.
	NoBackpressure,
	/// A viewer of several relayers stays with the first one whatever it does.
	StayWithParent,
	/// A viewer of several relayers plays each window as soon as it is whole.
	PlayEarly,
	/// A viewer of several relayers looks at the time only when something comes.
	DeafToTime,
	/// A viewer of several relayers that changes its parent puts what was announced before together no more.
	ForgetStage,
	/// A viewer of several relayers calls all that it knows where one is missing.
	CallEverybody,
	/// A relayer sends each receipt twice.
	ReceiptTwice,
	/// A relayer sends what it cannot lend.
	SendUnlent,
	/// A relayer counts all that a voucher says as income whenever some of it is paid.
	CountWhole,
	/// A viewer signs for the next unit with each.
	PayAhead,
	/// A relayer acknowledges each payment twice.
	AckTwice,
}

impl Bug {
	/// All of them.
	pub fn all() -> &'static [Self] {
		Self::value_variants()
	}

	/// What it breaks: a run that breaks something else has not found it.
	pub fn breaks(self) -> &'static [Rule] {
		match self {
			Self::PayUnchecked => &[Rule::Overpaid],
			Self::PlayUnverified | Self::ServeUnverified => &[Rule::Unverified],
			Self::PayTwice | Self::StalePurse | Self::CountTwice => &[Rule::Twice],
			Self::CountWhole | Self::AckTwice => &[Rule::Twice],
			Self::PayAhead => &[Rule::Overpaid],
			Self::ForgiveFaults | Self::NoRest | Self::ReceiptTwice => &[Rule::Calls],
			Self::NoPatience | Self::NoBell | Self::NoReturn => &[Rule::Alive],
			Self::StayWithParent | Self::DeafToTime => &[Rule::Alive],
			Self::ForgetPlace | Self::OldPlace | Self::PlayEarly | Self::ForgetStage => &[Rule::Order],
			Self::AcceptUnjudged | Self::LoseWinners => &[Rule::Kept],
			Self::ForgetDebts | Self::SendUnlent => &[Rule::Loss],
			Self::NeverClose | Self::KeepSeats | Self::KeepAll | Self::NoBackpressure => &[Rule::Bound],
			Self::CallEverybody => &[Rule::Calls],
		}
	}

	/// As it is called on the command line.
	pub fn name(self) -> String {
		self.to_possible_value()
			.map(|value| value.get_name().to_owned())
			.unwrap_or_default()
	}
}
