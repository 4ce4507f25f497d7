//! What is to be reported to the chain and was not yet: kept in the state folder, tried again while the program runs and at its next
//! start, until the chain says that it is settled or that nothing comes of it. Sans-IO but for its file.

use crate::accusation::{Accusation, NotUpheld};
use clustercast_chain::{files, ChainError};
use clustercast_primitives::Hash;
use codec::{DecodeAll, Encode};
use std::{
	fs,
	io::{self, Read},
	path::{Path, PathBuf},
	time::{Duration, Instant},
};

/// Reports that wait at a time; one more is dropped. Each has a few kilobytes.
pub const MAX_CASES: usize = 32;

/// How often one is tried: a night of pauses. Whatever stands in its way then will not go away.
const MAX_TRIES: u16 = 60;

/// Pauses between attempts where the chain did not answer: doubled up to the second.
const PAUSES: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(600));

/// The same where it did, and each attempt costs a fee: what stands in the way takes up to a day.
const SETTLING: Duration = Duration::from_secs(3_600);

/// Largest file that is read, bytes.
const MAX_FILE: u64 = 1 << 20;

/// First byte of the file: how the rest is encoded.
const VERSION: u8 = 1;

/// What is to become of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
	/// The chain took it.
	Settled,
	/// Nothing will come of it.
	Hopeless,
	/// It is tried again.
	Later,
}

#[derive(Clone, Debug)]
struct Case {
	accusation: Accusation,
	tries: u16,
	due: Instant,
	under_way: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Docket {
	/// `None` where nothing is kept.
	file: Option<PathBuf>,
	cases: Vec<Case>,
	/// Where the chain does not answer, after the first attempt.
	pause: Duration,
}

impl Default for Docket {
	fn default() -> Self {
		Self {
			file: None,
			cases: Vec::new(),
			pause: PAUSES.0,
		}
	}
}

impl Docket {
	/// What is kept in this folder for the chain with this genesis; everything is tried at once. A file that cannot be read is left
	/// alone, with a line in the log, until there is something new to keep.
	pub fn open(folder: &Path, genesis: &Hash, now: Instant) -> Self {
		let digits: String = genesis.0[..8].iter().map(|b| format!("{b:02x}")).collect();
		let file = folder.join(format!("evidence-{digits}"));
		let kept = read(&file).unwrap_or_else(|error| {
			tracing::warn!("cannot read {}: {error}", file.display());
			Vec::new()
		});
		let case = |(accusation, tries)| Case {
			accusation,
			tries,
			due: now,
			under_way: false,
		};
		Self {
			file: Some(file),
			cases: kept.into_iter().take(MAX_CASES).map(case).collect(),
			..Self::default()
		}
	}

	/// The same with shorter pauses, for tests.
	#[cfg(test)]
	pub fn hurried(self, pause: Duration) -> Self {
		Self { pause, ..self }
	}

	/// How many wait.
	pub fn len(&self) -> usize {
		self.cases.len()
	}

	/// Whether none waits.
	pub fn is_empty(&self) -> bool {
		self.cases.is_empty()
	}

	/// One more is to be reported. `false` where it waits already, or too many do.
	pub fn add(&mut self, accusation: Accusation, now: Instant) -> bool {
		if self.cases.iter().any(|case| case.accusation == accusation) {
			return false;
		}
		if self.cases.len() >= MAX_CASES {
			tracing::warn!("{MAX_CASES} reports wait already; {accusation} is dropped");
			return false;
		}
		self.cases.push(Case {
			accusation,
			tries: 0,
			due: now,
			under_way: false,
		});
		true
	}

	/// One that is to be reported now.
	pub fn due(&mut self, now: Instant) -> Option<Accusation> {
		let mut waiting = self.cases.iter_mut();
		let case = waiting.find(|case| !case.under_way && case.due <= now)?;
		case.under_way = true;
		Some(case.accusation.clone())
	}

	/// When the next one is.
	pub fn wake(&self) -> Option<Instant> {
		let waiting = self.cases.iter().filter(|case| !case.under_way);
		waiting.map(|case| case.due).min()
	}

	/// What came of one that was due; `None` where the chain agrees.
	pub fn concluded(&mut self, accusation: &Accusation, failure: Option<&NotUpheld>, now: Instant) -> Next {
		let Some(place) = self.cases.iter().position(|case| case.accusation == *accusation) else {
			return Next::Hopeless;
		};
		let case = &mut self.cases[place];
		case.tries = case.tries.saturating_add(1);
		case.under_way = false;
		let pause = match failure {
			None => {
				self.cases.swap_remove(place);
				return Next::Settled;
			},
			Some(failure) => pause(failure, case.tries, self.pause),
		};
		match pause.filter(|_| case.tries < MAX_TRIES) {
			Some(pause) => {
				case.due = now + pause;
				Next::Later
			},
			None => {
				self.cases.swap_remove(place);
				Next::Hopeless
			},
		}
	}

	/// Puts on disk what waits; a file for nothing is removed.
	pub fn save(&self) -> io::Result<()> {
		let Some(file) = &self.file else {
			return Ok(());
		};
		if self.cases.is_empty() {
			return files::remove(file);
		}
		let cases: Vec<_> = self.cases.iter().map(|case| (&case.accusation, case.tries)).collect();
		let mut content = vec![VERSION];
		cases.encode_to(&mut content);
		files::write_atomic(file, &content)
	}
}

/// When to try again what failed so, for the time that `tries` says; `None` where that is no use.
fn pause(failure: &NotUpheld, tries: u16, first: Duration) -> Option<Duration> {
	match failure {
		NotUpheld::Chain(ChainError::Dispatch(why)) => match why {
			// Something else that this relayer did is being paid for just now.
			why if why.contains("FraudProofs::Settling") => Some(SETTLING),
			// The node was behind.
			why if why.contains("FraudProofs::FromTheFuture") => Some(PAUSES.1),
			_ => None,
		},
		NotUpheld::Chain(ChainError::Unwanted(_)) => None,
		// Somebody may send it USDC.
		NotUpheld::Chain(ChainError::Poor { .. }) => Some(PAUSES.1),
		// A key that is new to the node, or a node that does not answer.
		NotUpheld::Signer | NotUpheld::Chain(_) => {
			let doubled = first.saturating_mul(1 << (tries.clamp(1, 8) - 1));
			Some(doubled.min(PAUSES.1))
		},
	}
}

fn read(file: &Path) -> io::Result<Vec<(Accusation, u16)>> {
	let mut content = Vec::new();
	match fs::File::open(file) {
		Ok(opened) => opened.take(MAX_FILE).read_to_end(&mut content)?,
		Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
		Err(error) => return Err(error),
	};
	let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
	match content.split_first() {
		Some((&VERSION, mut rest)) => {
			DecodeAll::decode_all(&mut rest).map_err(|_| wrong("it does not hold what a player keeps there"))
		},
		_ => Err(wrong("another version of the player wrote it")),
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::accusation::tests::contradiction;
	use tempfile::tempdir;

	const GENESIS: Hash = Hash([7; 32]);

	fn later() -> NotUpheld {
		NotUpheld::Chain(ChainError::Node("down".into()))
	}

	fn dispatch(name: &str) -> NotUpheld {
		NotUpheld::Chain(ChainError::Dispatch(format!("why ({name})")))
	}

	#[test]
	fn what_could_not_be_reported_is_there_after_a_crash_until_it_is_settled() {
		let (folder, now) = (tempdir().unwrap(), Instant::now());
		let open = || Docket::open(folder.path(), &GENESIS, now);
		let mut docket = open();
		let (one, other) = (contradiction(1), contradiction(2));
		assert!(docket.add(one.clone(), now) && docket.add(other.clone(), now));
		assert!(!docket.add(one.clone(), now), "it waits already");
		docket.save().unwrap();
		// The process ends here, before either is reported.
		let mut docket = open();
		assert_eq!(
			(docket.due(now), docket.due(now)),
			(Some(one.clone()), Some(other.clone()))
		);
		assert_eq!(docket.due(now), None, "each is under way");
		assert_eq!(docket.concluded(&one, None, now), Next::Settled);
		assert_eq!(docket.concluded(&other, Some(&later()), now), Next::Later);
		docket.save().unwrap();
		let mut docket = open();
		assert_eq!((docket.len(), docket.due(now)), (1, Some(other.clone())));
		assert_eq!(
			docket.concluded(&other, Some(&dispatch("FraudProofs::TooOld")), now),
			Next::Hopeless
		);
		docket.save().unwrap();
		assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a file for nothing");
		assert!(open().is_empty());
	}

	#[test]
	fn evidence_of_one_chain_is_not_reported_to_another() {
		let (folder, now) = (tempdir().unwrap(), Instant::now());
		let mut docket = Docket::open(folder.path(), &GENESIS, now);
		docket.add(contradiction(1), now);
		docket.save().unwrap();
		assert!(Docket::open(folder.path(), &Hash([8; 32]), now).is_empty());
		assert_eq!(Docket::open(folder.path(), &GENESIS, now).len(), 1);
	}

	#[test]
	fn what_the_chain_says_decides_whether_it_is_tried_again_and_when() {
		let poor = NotUpheld::Chain(ChainError::Poor { account: "5F".into() });
		for (failure, expected) in [
			(later(), Some(PAUSES.0)),
			(NotUpheld::Signer, Some(PAUSES.0)),
			(poor, Some(PAUSES.1)),
			(dispatch("FraudProofs::Settling"), Some(SETTLING)),
			(dispatch("FraudProofs::FromTheFuture"), Some(PAUSES.1)),
			(dispatch("FraudProofs::AlreadyPunished"), None),
			(dispatch("FraudProofs::AlreadyFlagged"), None),
			(dispatch("FraudProofs::TooOld"), None),
			(NotUpheld::Chain(ChainError::Unwanted("rule 7".into())), None),
		] {
			let now = Instant::now();
			let mut docket = Docket::default();
			docket.add(contradiction(1), now);
			let due = docket.due(now).unwrap();
			let next = docket.concluded(&due, Some(&failure), now);
			assert_eq!(next == Next::Later, expected.is_some(), "{failure}");
			assert_eq!(docket.wake(), expected.map(|pause| now + pause), "{failure}");
		}
	}

	#[test]
	fn attempts_become_rare_and_end() {
		let (mut docket, mut now) = (Docket::default(), Instant::now());
		docket.add(contradiction(1), now);
		let (mut tries, began) = (0, now);
		while let Some(wake) = docket.wake() {
			now = wake;
			let due = docket.due(now).unwrap();
			docket.concluded(&due, Some(&later()), now);
			tries += 1;
		}
		assert_eq!(tries, MAX_TRIES);
		let hours = (now - began).as_secs() / 3_600;
		assert!((8..12).contains(&hours), "{hours} h");
	}

	#[test]
	fn no_more_are_kept_than_fit_and_a_file_that_is_none_stops_nobody() {
		let (folder, now) = (tempdir().unwrap(), Instant::now());
		let mut docket = Docket::open(folder.path(), &GENESIS, now);
		let added = (0..MAX_CASES as u64 + 5).filter(|place| docket.add(contradiction(*place), now));
		assert_eq!(added.count(), MAX_CASES);
		docket.save().unwrap();
		let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
		let size = fs::metadata(&file).unwrap().len();
		assert!(size < MAX_FILE / 4, "{size}");
		assert_eq!(Docket::open(folder.path(), &GENESIS, now).len(), MAX_CASES);
		for content in [&[][..], &[VERSION], &[VERSION, 4, 9, 9], &[2, 0]] {
			fs::write(&file, content).unwrap();
			let mut docket = Docket::open(folder.path(), &GENESIS, now);
			assert!(docket.is_empty());
			docket.add(contradiction(1), now);
			docket.save().unwrap();
			assert_eq!(Docket::open(folder.path(), &GENESIS, now).len(), 1);
		}
	}
}
