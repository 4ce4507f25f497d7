//! The database file, through a disk that fills up: nothing is written where there is no room, so that reading goes on; and what
//! failed nevertheless is closed and opened again, as redb asks for after an error, once a while until that works.
//!
//! It is shut from the first failure of the disk until something was written again.

use super::Error;
use redb::{Database, ReadTransaction, ReadableDatabase, WriteTransaction};
use std::{
	fmt,
	path::{Path, PathBuf},
	sync::{
		atomic::{AtomicBool, Ordering},
		PoisonError, RwLock,
	},
	time::{Duration, Instant},
};

/// Room that must be on the disk before something is written. A transaction takes some pages of 4 KiB, a thousand vouchers at
/// once a few hundred.
const ROOM_BYTES: u64 = 1 << 20;

/// The same once there was none: else it would be shut and open in turns.
const ROOM_AGAIN: u64 = 2 * ROOM_BYTES;

/// Between two attempts to open it again.
const REOPEN_PAUSE: Duration = Duration::from_secs(2);

type Open = Box<dyn Fn() -> Result<Database, Error> + Send + Sync>;
/// Says how many bytes may be written; `None` where nobody knows.
pub(super) type Room = Box<dyn Fn() -> Option<u64> + Send + Sync>;

enum State {
	Open(Database),
	/// It failed, and was tried last then.
	Closed(Instant),
}

/// See the module.
pub(super) struct Vessel {
	open: Open,
	/// Bytes; `None` where nobody can say.
	room: Room,
	state: RwLock<State>,
	/// Nothing can be stored, and people were told so.
	shut: AtomicBool,
}

impl fmt::Debug for Vessel {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str("Vessel")
	}
}

impl Vessel {
	/// Opens what `open` opens; `room` says how much may be written.
	pub fn new(open: Open, room: Room) -> Result<Self, Error> {
		let state = RwLock::new(State::Open(open()?));
		Ok(Self {
			open,
			room,
			state,
			shut: AtomicBool::new(false),
		})
	}

	/// Reads in one transaction.
	pub fn read<T>(&self, read: impl FnOnce(&ReadTransaction) -> Result<T, Error>) -> Result<T, Error> {
		let read = self.run(|db| read(&db.begin_read()?));
		self.tell(read.as_ref().err());
		read
	}

	/// Writes in one transaction, which is on disk when this returns; an error leaves everything as it was.
	pub fn write<T>(&self, write: impl FnOnce(&WriteTransaction) -> Result<T, Error>) -> Result<T, Error> {
		let written = match self.has_room() {
			false => Err(Error::NoRoom),
			true => self.run(|db| {
				let transaction = db.begin_write()?;
				let written = write(&transaction)?;
				transaction.commit()?;
				Ok(written)
			}),
		};
		self.tell(written.as_ref().err());
		if written.is_ok() && self.shut.swap(false, Ordering::Relaxed) {
			tracing::info!("payments are stored again: viewers are served");
		}
		written
	}

	/// Whether nothing can be stored.
	pub fn is_shut(&self) -> bool {
		self.shut.load(Ordering::Relaxed)
	}

	/// Sees whether something can be stored; writes this only where that is in doubt.
	pub fn probe(&self, write: impl FnOnce(&WriteTransaction) -> Result<(), Error>) {
		if self.is_shut() || !self.has_room() {
			// What it says, everybody is told.
			let _ = self.write(write);
		}
	}

	fn has_room(&self) -> bool {
		let least = if self.is_shut() { ROOM_AGAIN } else { ROOM_BYTES };
		(self.room)().is_none_or(|room| room >= least)
	}

	/// A line when it begins.
	fn tell(&self, error: Option<&Error>) {
		let Some(error) = error.filter(|error| error.is_of_the_disk()) else {
			return;
		};
		if !self.shut.swap(true, Ordering::Relaxed) {
			tracing::error!(%error, "payments cannot be stored: nothing is sold until they can");
		}
	}

	fn run<T>(&self, work: impl FnOnce(&Database) -> Result<T, Error>) -> Result<T, Error> {
		self.reopen()?;
		let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
		let done = match &*state {
			State::Open(db) => work(db),
			State::Closed(_) => Err(Error::Closed),
		};
		drop(state);
		if done.as_ref().is_err_and(is_broken) {
			// Nobody else uses it once this is ours.
			let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
			*state = State::Closed(Instant::now());
		}
		done
	}

	/// Opens it again where it is closed and time has passed.
	fn reopen(&self) -> Result<(), Error> {
		let is_due = |state: &State| matches!(state, State::Closed(since) if since.elapsed() >= REOPEN_PAUSE);
		if !is_due(&self.state.read().unwrap_or_else(PoisonError::into_inner)) {
			return Ok(());
		}
		let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
		// Somebody may have been faster.
		if is_due(&state) {
			*state = State::Closed(Instant::now());
			*state = State::Open((self.open)()?);
		}
		Ok(())
	}
}

/// Whether redb does nothing more with this database.
fn is_broken(error: &Error) -> bool {
	matches!(error, Error::Database(e) if matches!(**e, redb::Error::Io(_) | redb::Error::PreviousIo))
}

impl Error {
	/// Whether it may be well again by itself: the disk is full, or failed.
	pub fn is_of_the_disk(&self) -> bool {
		matches!(self, Self::NoRoom | Self::Closed) || is_broken(self)
	}
}

/// Bytes that we may write on the disk that this folder is on.
pub(super) fn room_at(folder: &Path) -> Room {
	let folder: PathBuf = folder.to_owned();
	Box::new(move || {
		let disk = nix::sys::statvfs::statvfs(&folder).ok()?;
		Some(disk.blocks_available().saturating_mul(disk.fragment_size()))
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use redb::{ReadableTable, StorageBackend, TableDefinition};
	use std::{
		io,
		sync::{
			atomic::{AtomicBool, AtomicU64, Ordering},
			Arc, Mutex,
		},
	};

	/// A disk in memory that refuses to be written when told so.
	#[derive(Clone, Debug, Default)]
	struct Disk {
		bytes: Arc<Mutex<Vec<u8>>>,
		full: Arc<AtomicBool>,
		opened: Arc<AtomicU64>,
	}

	impl Disk {
		fn check(&self) -> io::Result<()> {
			match self.full.load(Ordering::Relaxed) {
				true => Err(io::ErrorKind::StorageFull.into()),
				false => Ok(()),
			}
		}
	}

	impl StorageBackend for Disk {
		fn len(&self) -> io::Result<u64> {
			Ok(self.bytes.lock().unwrap().len() as u64)
		}

		fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
			let bytes = self.bytes.lock().unwrap();
			let from = offset as usize;
			out.copy_from_slice(&bytes[from..from + out.len()]);
			Ok(())
		}

		fn set_len(&self, len: u64) -> io::Result<()> {
			self.check()?;
			self.bytes.lock().unwrap().resize(len as usize, 0);
			Ok(())
		}

		fn sync_data(&self) -> io::Result<()> {
			self.check()
		}

		fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
			self.check()?;
			let from = offset as usize;
			self.bytes.lock().unwrap()[from..from + data.len()].copy_from_slice(data);
			Ok(())
		}
	}

	const TABLE: TableDefinition<u64, u64> = TableDefinition::new("table");

	fn vessel(disk: &Disk, room: Arc<AtomicU64>) -> Vessel {
		let disk = disk.clone();
		let open = move || {
			disk.opened.fetch_add(1, Ordering::Relaxed);
			Ok(Database::builder().create_with_backend(disk.clone())?)
		};
		Vessel::new(Box::new(open), Box::new(move || Some(room.load(Ordering::Relaxed)))).unwrap()
	}

	fn write(vessel: &Vessel, key: u64) -> Result<(), Error> {
		vessel.write(|write| {
			write.open_table(TABLE)?.insert(key, key)?;
			Ok(())
		})
	}

	fn keys(vessel: &Vessel) -> Result<Vec<u64>, Error> {
		vessel.read(|read| {
			let table = read.open_table(TABLE)?;
			let rows = table.iter()?;
			rows.map(|row| Ok(row?.0.value())).collect()
		})
	}

	#[test]
	fn full_disk_is_read_on_and_written_again_when_there_is_room() {
		let (disk, room) = (Disk::default(), Arc::new(AtomicU64::new(ROOM_BYTES)));
		let vessel = vessel(&disk, room.clone());
		write(&vessel, 1).unwrap();
		room.store(ROOM_BYTES - 1, Ordering::Relaxed);
		assert!(!vessel.is_shut());
		assert!(matches!(write(&vessel, 2), Err(Error::NoRoom)));
		assert_eq!(keys(&vessel).unwrap(), [1]);
		assert!(vessel.is_shut(), "reading opens nothing");
		room.store(ROOM_AGAIN - 1, Ordering::Relaxed);
		assert!(
			matches!(write(&vessel, 2), Err(Error::NoRoom)),
			"it would be full at once"
		);
		room.store(ROOM_AGAIN, Ordering::Relaxed);
		write(&vessel, 3).unwrap();
		assert!(!vessel.is_shut());
		assert_eq!(keys(&vessel).unwrap(), [1, 3]);
		assert_eq!(disk.opened.load(Ordering::Relaxed), 1, "it was never broken");
	}

	#[test]
	fn who_asks_learns_of_a_full_disk_before_there_is_something_to_store() {
		let (disk, room) = (Disk::default(), Arc::new(AtomicU64::new(ROOM_AGAIN)));
		let vessel = vessel(&disk, room.clone());
		let probe = || {
			vessel.probe(|write| {
				write.open_table(TABLE)?.insert(9, 9)?;
				Ok(())
			});
		};
		write(&vessel, 1).unwrap();
		probe();
		assert_eq!(keys(&vessel).unwrap(), [1], "nothing is in doubt");
		room.store(0, Ordering::Relaxed);
		probe();
		assert!(vessel.is_shut());
		room.store(ROOM_AGAIN, Ordering::Relaxed);
		assert!(vessel.is_shut(), "nothing was stored yet");
		probe();
		assert!(!vessel.is_shut());
		assert_eq!(keys(&vessel).unwrap(), [1, 9]);
	}

	#[test]
	fn database_that_broke_is_opened_again_by_itself_and_has_what_it_had() {
		let (disk, room) = (Disk::default(), Arc::new(AtomicU64::new(u64::MAX)));
		let vessel = vessel(&disk, room);
		write(&vessel, 1).unwrap();
		disk.full.store(true, Ordering::Relaxed);
		assert!(is_broken(&write(&vessel, 2).unwrap_err()));
		for _ in 0..1_000 {
			assert!(write(&vessel, 2).is_err());
		}
		assert_eq!(disk.opened.load(Ordering::Relaxed), 1, "it is not tried all the time");
		disk.full.store(false, Ordering::Relaxed);
		let begun = Instant::now();
		while write(&vessel, 3).is_err() {
			assert!(begun.elapsed() < 5 * REOPEN_PAUSE, "it stays broken");
			std::thread::yield_now();
		}
		assert_eq!(keys(&vessel).unwrap(), [1, 3]);
	}
}
