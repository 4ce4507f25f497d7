//! The viewer as functions of WebAssembly. An instance is one viewer. What is handed over lies in one buffer: `input(length)` says where
//! the page writes it, and the next call reads it; `poll()` says where what comes out lies, until the next call.
//!
//! | function | takes | gives |
//! | --- | --- | --- |
//! | `input(length)` | | where to write |
//! | `open(length, elapsed_ms, unix_ms)` | [`Config`] | 0, or [`REFUSED`] |
//! | `connect(length)` | [`Relayer`] | 0, or [`REFUSED`] |
//! | `disconnected()`, `leave()`, `go_live()` | | |
//! | `tick(elapsed_ms, unix_ms)` | | |
//! | `learn(length)` | [`Facts`] | 0, or [`REFUSED`] |
//! | `said(length)` | bytes of the subscription's own stream | |
//! | `begin(length)` | the first 40 bytes of a stream of chunks | its number, or -1 for later |
//! | `chunks(body, length)`, `end(body, ended)` | bytes of it | |
//! | `stored(number)` | | |
//! | `signed(number, length)` | a signature | 0, or [`REFUSED`] |
//! | `proof(length)` | genesis and account | 0, or [`REFUSED`] |
//! | `poll()` | | an [`Output`](crate::message::Output), or null |
//! | `answer()`, `length()` | | where what was answered last lies, and its bytes |
//!
//! The answer of what is refused is the reason, as UTF-8; of `proof` it is what the session key signs to be registered.

use crate::{
	message::{Config, Facts, Relayer, Time},
	viewer::{self, Viewer},
};
use alloc::{
	string::{String, ToString},
	vec::Vec,
};
use clustercast_primitives::{AccountId, Hash, Signature};
use codec::{DecodeAll, Encode};
use core::{cell::UnsafeCell, ptr};
use dlmalloc::GlobalDlmalloc;

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

/// What was handed in is not taken: the answer says why.
const REFUSED: u32 = 1;

/// Nothing in it says more to a page than that it happened.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
	core::arch::wasm32::unreachable()
}

struct Instance {
	viewer: Option<Viewer>,
	input: Vec<u8>,
	output: Vec<u8>,
}

struct Only(UnsafeCell<Instance>);

// SAFETY: this target has no threads.
unsafe impl Sync for Only {}

static INSTANCE: Only = Only(UnsafeCell::new(Instance {
	viewer: None,
	input: Vec::new(),
	output: Vec::new(),
}));

/// Does something with the instance, and with what was written into its buffer.
fn with<T>(length: usize, act: impl FnOnce(&mut Option<Viewer>, &[u8], &mut Vec<u8>) -> T) -> T {
	// SAFETY: no function here calls another one, nothing is imported that could, and there are no threads: it is the only reference.
	let instance = unsafe { &mut *INSTANCE.0.get() };
	let Instance { viewer, input, output } = instance;
	act(viewer, &input[..length.min(input.len())], output)
}

fn verdict(done: Result<(), String>, output: &mut Vec<u8>) -> u32 {
	match done {
		Ok(()) => 0,
		Err(reason) => {
			*output = reason.into_bytes();
			REFUSED
		},
	}
}

fn read<T: DecodeAll>(mut bytes: &[u8]) -> Result<T, String> {
	T::decode_all(&mut bytes).map_err(|error| error.to_string())
}

fn drive(length: usize, act: impl FnOnce(&mut Viewer, &[u8])) {
	with(length, |viewer, input, _| {
		if let Some(viewer) = viewer {
			act(viewer, input);
		}
	});
}

#[no_mangle]
extern "C" fn input(length: usize) -> *mut u8 {
	// SAFETY: as in `with`.
	let instance = unsafe { &mut *INSTANCE.0.get() };
	instance.input.resize(length, 0);
	instance.input.as_mut_ptr()
}

#[no_mangle]
extern "C" fn open(length: usize, elapsed_ms: u64, unix_ms: u64) -> u32 {
	with(length, |viewer, input, output| {
		let opened = read::<Config>(input).and_then(|config| {
			let time = Time { elapsed_ms, unix_ms };
			*viewer = Some(Viewer::new(config, time).map_err(|error| error.to_string())?);
			Ok(())
		});
		verdict(opened, output)
	})
}

#[no_mangle]
extern "C" fn connect(length: usize) -> u32 {
	with(length, |viewer, input, output| {
		let connected = read::<Relayer>(input).and_then(|relayer| match viewer {
			Some(viewer) => viewer.connect(&relayer).map_err(|error| error.to_string()),
			None => Err("no viewer is open".into()),
		});
		verdict(connected, output)
	})
}

#[no_mangle]
extern "C" fn disconnected() {
	drive(0, |viewer, _| viewer.disconnected());
}

#[no_mangle]
extern "C" fn leave() {
	drive(0, |viewer, _| viewer.leave());
}

#[no_mangle]
extern "C" fn go_live() {
	drive(0, |viewer, _| viewer.go_live());
}

#[no_mangle]
extern "C" fn tick(elapsed_ms: u64, unix_ms: u64) {
	drive(0, |viewer, _| viewer.tick(Time { elapsed_ms, unix_ms }));
}

#[no_mangle]
extern "C" fn learn(length: usize) -> u32 {
	with(length, |viewer, input, output| {
		let learnt = read::<Facts>(input).map(|facts| {
			if let Some(viewer) = viewer {
				viewer.learn(facts);
			}
		});
		verdict(learnt, output)
	})
}

#[no_mangle]
extern "C" fn said(length: usize) {
	drive(length, |viewer, bytes| viewer.said(bytes));
}

#[no_mangle]
extern "C" fn begin(length: usize) -> i64 {
	with(length, |viewer, input, _| {
		let begun = viewer.as_mut().zip(input.try_into().ok());
		let number = begun.and_then(|(viewer, prefix)| viewer.begin(prefix));
		number.map_or(-1, i64::from)
	})
}

#[no_mangle]
extern "C" fn chunks(body: u32, length: usize) {
	drive(length, |viewer, bytes| viewer.chunks(body, bytes));
}

#[no_mangle]
extern "C" fn end(body: u32, ended: u32) {
	drive(0, |viewer, _| viewer.end(body, ended != 0));
}

#[no_mangle]
extern "C" fn stored(number: u32) {
	drive(0, |viewer, _| viewer.stored(number));
}

#[no_mangle]
extern "C" fn signed(number: u32, length: usize) -> u32 {
	with(length, |viewer, input, output| {
		let signed = read::<Signature>(input).and_then(|signature| match viewer {
			Some(viewer) => viewer.signed(number, signature).map_err(|error| error.to_string()),
			None => Ok(()),
		});
		verdict(signed, output)
	})
}

#[no_mangle]
extern "C" fn proof(length: usize) -> u32 {
	with(length, |_, input, output| {
		let payload = read::<(Hash, AccountId)>(input).map(|(genesis, account)| viewer::proof(account, &genesis));
		match payload {
			Ok(payload) => {
				*output = payload;
				0
			},
			Err(reason) => verdict(Err(reason), output),
		}
	})
}

#[no_mangle]
extern "C" fn poll() -> *const u8 {
	with(0, |viewer, _, output| match viewer.as_mut().and_then(Viewer::poll) {
		Some(next) => {
			*output = next.encode();
			output.as_ptr()
		},
		None => ptr::null(),
	})
}

#[no_mangle]
extern "C" fn answer() -> *const u8 {
	with(0, |_, _, output| output.as_ptr())
}

#[no_mangle]
extern "C" fn length() -> usize {
	with(0, |_, _, output| output.len())
}
