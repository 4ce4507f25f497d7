//! Addresses and keys as people write them and as publishers send them.

use super::*;
use crate::door::testing::found;

fn address(host: &str, port: u16, app: &str, key: Option<&str>) -> Result<Address, AddressError> {
	Ok(Address {
		host: host.into(),
		port,
		app: app.into(),
		key: key.map(|key| StreamKey(key.into())),
	})
}

#[test]
fn address_is_host_port_app_and_all_the_rest_is_key() {
	for (text, expected) in [
		(
			"rtmp://127.0.0.1:1936/live/key",
			address("127.0.0.1", 1936, "live", Some("key")),
		),
		(
			"rtmp://localhost/app/a/b",
			address("localhost", 1935, "app", Some("a/b")),
		),
		(
			"rtmp://0.0.0.0/live/a%2Fb+c=d:e?f&g#h@i",
			address("0.0.0.0", 1935, "live", Some("a%2Fb+c=d:e?f&g#h@i")),
		),
		("rtmp://[::1]:1936/live//x/", address("::1", 1936, "live", Some("/x/"))),
		(
			"rtmp://[fe80::1%eth0]/live/schlüssel",
			address("fe80::1%eth0", 1935, "live", Some("schlüssel")),
		),
		("rtmp://[::]/live/", address("::", 1935, "live", None)),
		("rtmp://my-host/cam", address("my-host", 1935, "cam", None)),
		("rtmp://0.0.0.0:1935/", address("0.0.0.0", 1935, "live", None)),
		("rtmp://0.0.0.0", address("0.0.0.0", 1935, "live", None)),
		("rtmps://h/live/key", Err(AddressError::Shape)),
		("h/live/key", Err(AddressError::Shape)),
		("rtmp:///live/key", Err(AddressError::Host)),
		("rtmp://:1935/live/key", Err(AddressError::Host)),
		("rtmp://user@h/live/key", Err(AddressError::Host)),
		("rtmp://[::1/live/key", Err(AddressError::Host)),
		("rtmp://[::1]x/live/key", Err(AddressError::Host)),
		("rtmp://::1/live/key", Err(AddressError::Port)),
		("rtmp://h:99999/live/key", Err(AddressError::Port)),
		("rtmp://h:/live/key", Err(AddressError::Port)),
		("rtmp://h//key", Err(AddressError::App(TextError::Empty))),
		("rtmp://h/li ve/key", Err(AddressError::App(TextError::Space))),
		(
			"rtmp://h/live/a key",
			Err(AddressError::Key(KeyError(TextError::Space))),
		),
		(
			"rtmp://h/live/key\n",
			Err(AddressError::Key(KeyError(TextError::Space))),
		),
		(
			"rtmp://h/live/k\0y",
			Err(AddressError::Key(KeyError(TextError::Control))),
		),
	] {
		assert_eq!(text.parse(), expected, "{text:?}");
	}
}

#[test]
fn key_of_any_length_that_publishers_send_is_taken_and_no_longer_one() {
	let key = |length: usize| format!("rtmp://h/live/{}", "k".repeat(length)).parse::<Address>();
	assert!(key(LONGEST_KEY).is_ok());
	assert_eq!(
		key(LONGEST_KEY + 1).unwrap_err().to_string(),
		"the stream key has 401 bytes; publishers send at most 400"
	);
}

#[test]
fn refusal_names_the_reason_and_never_the_key() {
	for key in ["hush hush", "hush\thush", "hush\u{7f}", &"hush".repeat(101)] {
		let error = format!("rtmp://h/live/{key}").parse::<Address>().unwrap_err();
		for text in [error.to_string(), format!("{error:?}")] {
			assert!(text.contains("key") || text.contains("Key"), "{text}");
			assert!(!text.contains("hush"), "{text}");
		}
	}
}

#[test]
fn nothing_that_is_printed_holds_the_key() {
	let address: Address = "rtmp://[::]:1936/live/hush".parse().unwrap();
	let key = address.key.clone().unwrap();
	let found = found("hush");
	let lock = Lock::new("live", &found);
	let sources = Sources {
		address: Some(key.clone()),
		file: None,
		environment: None,
		store: Path::new("x"),
	};
	let server = address.as_typed(1936);
	let printed = format!("{address} {address:?} {server} {key:?} {found:?} {lock:?} {sources:?}");
	assert!(!printed.contains("hush"), "{printed}");
	assert_eq!(address.to_string(), "rtmp://[::]:1936/live");
	assert_eq!(key.reveal(), "hush");
}

#[test]
fn server_is_said_as_it_is_typed() {
	for (text, typed) in [
		("rtmp://127.0.0.1:0/live/hush", "rtmp://127.0.0.1:1936/live"),
		("rtmp://[::1]/live", "rtmp://[::1]:1936/live"),
		("rtmp://studio.lan/app", "rtmp://studio.lan:1936/app"),
		(
			"rtmp://0.0.0.0/live",
			"rtmp://127.0.0.1:1936/live (from elsewhere with this machine's address)",
		),
		(
			"rtmp://[::]/live",
			"rtmp://127.0.0.1:1936/live (from elsewhere with this machine's address)",
		),
	] {
		assert_eq!(text.parse::<Address>().unwrap().as_typed(1936), typed);
	}
}

#[test]
fn lock_opens_for_the_key_as_each_publisher_sends_it() {
	for (key, app, name) in [
		("key", "live", "key"),
		("key", "live/", "key"),
		("a/b", "live", "a/b"),
		("a/b", "live/a", "b"),
		("a/b/c", "live/a", "b/c"),
		("/b", "live/", "b"),
		("/b", "live", "/b"),
		("a%2Fb", "live", "a%2Fb"),
		("a%2Fb", "live", "a/b"),
		("a%2Fb", "live/a", "b"),
		("a+b=c", "live", "a+b=c"),
		("a:b", "live", "a:b"),
		("schlüssel", "live", "schlüssel"),
		("100%", "live", "100%"),
		("cam.flv", "live", "cam"),
		("cam.flv", "live", "cam.flv"),
		("cam.mp4", "live", "mp4:cam.mp4"),
		("a/cam.mp4", "live/a", "mp4:cam.mp4"),
		("key?token=1", "live", "key?token=1"),
	] {
		let lock = Lock::new("live", &found(key));
		assert!(lock.opens(&Presented::new(app, name)), "{key} as {app} {name}");
		for (app, name) in [
			("live", "other"),
			("other", name),
			("live", ""),
			("", "key"),
			("live", "key/"),
			("", ""),
		] {
			assert!(!lock.opens(&Presented::new(app, name)), "{key} as {app} {name}");
		}
	}
	assert!(!Lock::new("live", &found(".flv")).opens(&Presented::new("live", "")));
}

#[test]
fn key_is_made_once_stored_for_its_owner_alone_and_found_again() {
	let dir = tempfile::tempdir().unwrap();
	let store = dir.path().join("state/stream-key");
	let sources = || Sources {
		address: None,
		file: None,
		environment: None,
		store: &store,
	};
	let made = sources().find().unwrap();
	assert_eq!((&made.place, made.made), (&Place::File(store.clone()), true));
	assert_eq!(made.key.0.len(), MADE_KEY);
	assert_eq!(fs::metadata(&store).unwrap().permissions().mode() & 0o777, 0o600);
	let again = |made: &Found| Found {
		made: false,
		..made.clone()
	};
	assert_eq!(sources().find().unwrap(), again(&made));
	let file = dir.path().join("mine");
	let with_file = || Sources {
		file: Some(&file),
		environment: Some("from-environment".into()),
		..sources()
	};
	let other = with_file().find().unwrap();
	assert_eq!((&other.place, other.made), (&Place::File(file.clone()), true));
	assert_ne!(other.key, made.key);
	assert_eq!(with_file().find().unwrap(), again(&other));
}

#[test]
fn key_is_where_the_user_said_and_what_is_wrong_there_is_named() {
	let dir = tempfile::tempdir().unwrap();
	let (store, file) = (dir.path().join("store"), dir.path().join("file"));
	let find = |address: Option<&str>, file: Option<&Path>, environment: Option<&str>| {
		let sources = Sources {
			address: address.map(|key| key.parse().unwrap()),
			file,
			environment: environment.map(Into::into),
			store: &store,
		};
		sources
			.find()
			.map(|found| found.key.0)
			.map_err(|error| error.to_string())
	};
	assert_eq!(find(Some("a"), None, Some("e")), Ok("a".into()));
	assert_eq!(find(None, None, Some("e")), Ok("e".into()));
	assert!(!store.exists());
	assert!(find(Some("a"), Some(&file), None).unwrap_err().contains("given twice"));
	assert!(find(None, None, Some("hush hush"))
		.unwrap_err()
		.ends_with("has a space or a line break, where publishers cut it off"));
	let write = |text: &str, mode: u32| {
		fs::write(&file, text).unwrap();
		fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
	};
	write("a/b+c\r\n", 0o600);
	assert_eq!(find(None, Some(&file), None), Ok("a/b+c".into()));
	write("hush\nhush\n", 0o600);
	let error = find(None, Some(&file), None).unwrap_err();
	assert!(error.contains("line break") && !error.contains("hush"), "{error}");
	write("\n", 0o600);
	assert!(find(None, Some(&file), None).unwrap_err().ends_with("is empty"));
	write("a", 0o640);
	assert!(find(None, Some(&file), None).unwrap_err().contains("mode 640"));
	write(&"a".repeat(5000), 0o600);
	assert!(find(None, Some(&file), None).unwrap_err().contains("5000 bytes"));
}
