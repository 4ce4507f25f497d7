//! What happens around viewers while a broadcast goes on, and while it does not: nothing of it ends watching, and nobody is blamed for
//! what others did.
//!
//! | what happens | test |
//! | --- | --- |
//! | a page is opened before there is a window; asks from elsewhere, with a preflight | `a_page_…` |
//! | the player is restarted with the page open; the next broadcast is watched on the same port | `a_page_…` |
//! | hundreds of connections to the player and to the relayer, with few file descriptors | `crowds_and_full_disks_…` |
//! | no room for what player, relayer and origin write | `crowds_and_full_disks_…` |
//! | the broadcaster is away, and somebody comes meanwhile; the origin, the relayer are started again | `a_pause_…` |
//! | the address that an origin prints | `a_pause_…` |

use anyhow::{ensure, Context, Result};
use clustercast_e2e::{
	gauge::Gauge,
	http::{ask, get, Answer},
	lab::{free_port, Lab},
	media::Window,
	network::{Network, Person, START_MONEY},
	process::{limit, under},
	programs::{mint, Origin, Player, Relayer},
	pusher::{unix_ms, Clip, Pusher},
	record::follow_each_other,
	scene::{Scene, PRICE_PER_GB, TERMS},
};
use std::{
	collections::{BTreeMap, BTreeSet},
	fs,
	net::{SocketAddr, TcpStream},
	os::unix::fs::symlink,
	time::{Duration, Instant},
};
use tokio::time::sleep;

/// A window takes 2 s; the rest is starting up and slack for a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// A publisher's address, and what tells an origin to wait for it there.
fn door() -> Result<(SocketAddr, [String; 2])> {
	let port = free_port()?;
	// The key in the address: this test keeps nothing secret.
	let input = format!("rtmp://127.0.0.1:{port}/live/key");
	Ok((SocketAddr::from(([127, 0, 0, 1], port)), ["--input".into(), input]))
}

fn log(lab: &Lab, name: &str) -> Result<String> {
	Ok(fs::read_to_string(lab.path(&format!("{name}.log")))?)
}

/// A playlist.
struct List {
	/// `EXT-X-MEDIA-SEQUENCE`.
	number: u64,
	/// Initialisation segments.
	maps: BTreeSet<String>,
	/// Windows; in place of a gap, nothing.
	names: Vec<Option<String>>,
}

impl List {
	async fn of(player: &Player) -> Result<Self> {
		let answer = get(&player.hls).await?;
		ensure!(answer.status == 200, "{}", answer.text());
		let (mut number, mut maps, mut names, mut gap) = (None, BTreeSet::new(), Vec::new(), false);
		for line in answer.text().lines() {
			if let Some(text) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
				number = Some(text.parse()?);
			} else if let Some(map) = line.strip_prefix("#EXT-X-MAP:URI=") {
				maps.insert(map.trim_matches('"').to_owned());
			} else if line == "#EXT-X-GAP" {
				gap = true;
			} else if !line.starts_with('#') {
				names.push((!gap).then(|| line.to_owned()));
				gap = false;
			}
		}
		Ok(Self {
			number: number.context("a number")?,
			maps,
			names,
		})
	}

	/// The number behind its last entry.
	fn next(&self) -> u64 {
		self.number + self.names.len() as u64
	}

	fn windows(&self) -> impl Iterator<Item = &String> {
		self.names.iter().flatten()
	}
}

fn url(player: &Player, name: &str) -> String {
	player.hls.replace("index.m3u8", name)
}

/// All that a list names, as a browser that keeps what it may for ever.
async fn fetch(player: &Player, kept: &mut BTreeMap<String, Vec<u8>>) -> Result<List> {
	let list = List::of(player).await?;
	for name in list.windows().chain(&list.maps) {
		let answer = get(&url(player, name)).await?;
		// It may just have gone out of the list.
		if answer.status == 404 {
			continue;
		}
		ensure!(answer.status == 200, "{name}: {}", answer.status);
		let cached = answer.field("cache-control").unwrap_or_default().to_owned();
		ensure!(cached.contains("immutable"), "{name}: {cached:?}");
		if let Some(before) = kept.insert(name.clone(), answer.body.clone()) {
			ensure!(before == answer.body, "{name} is something else now");
		}
	}
	Ok(list)
}

#[test]
fn a_page_that_stays_open_is_served_before_between_and_after_broadcasts() {
	Lab::run(async |lab| {
		let (address, input) = door()?;
		let input: Vec<&str> = input.iter().map(String::as_str).collect();
		let network = Network::shared(lab).await?;
		let clip = Clip::usual(lab).await?;
		let mut scene = Scene::start_showing(lab, network, &input, &[TERMS]).await?;
		let port = free_port()?;
		// Not out of the registry, which has those of other tests.
		let relayer = scene.relayers[0].address.clone();
		let watch = |scene: &Scene, name: &str, stream: u64, relayer: &str| {
			Player::watch(
				lab,
				name,
				&scene.network,
				&scene.viewer,
				stream,
				port,
				&["--relayer", relayer],
			)
		};
		let mut player = watch(&scene, "player", scene.origin.stream, &relayer)?;
		nothing_is_there_yet(&mut player).await?;

		let publisher = tokio::spawn(async move {
			let mut publisher = Pusher::publish(address, "live", "key").await?;
			publisher.push(&clip, 600.0).await
		});
		player.wait_windows(3, PATIENCE).await?;
		pages_elsewhere_may_ask(&player).await?;
		let mut kept = BTreeMap::new();
		let first = fetch(&player, &mut kept).await?;

		// Restarted on its port.
		player.stop().await?;
		let mut player = watch(&scene, "again", scene.origin.stream, &relayer)?;
		// It begins with the newest, which may be the last one that the first run had.
		player.wait_windows(3, PATIENCE).await?;
		let second = fetch(&player, &mut kept).await?;
		ensure!(
			second.number >= first.number && second.next() >= first.next() + 2,
			"{} to {}, then {} to {}",
			first.number,
			first.next(),
			second.number,
			second.next()
		);
		ensure!(second.maps == first.maps, "another initialisation segment");
		player.stop().await?;
		publisher.abort();
		scene.origin.process.interrupt().await?;

		// Another broadcast on the same port: nothing that a browser kept is taken for it.
		let (mut other, mut origin) = another(lab, &scene).await?;
		let mut player = watch(&scene, "third", origin.stream, &other.address.clone())?;
		player.wait_windows(2, PATIENCE).await?;
		let third = fetch(&player, &mut kept).await?;
		ensure!(third.next() > second.next(), "{} after {}", third.next(), second.next());
		let old = third
			.windows()
			.find(|name| second.windows().any(|before| before == *name));
		ensure!(old.is_none(), "{old:?} is of the broadcast before");
		player.stop().await?;
		origin.process.interrupt().await?;
		other.stop().await
	});
}

/// Another stream, with an origin of the test picture and a relayer of its own.
async fn another(lab: &Lab, scene: &Scene) -> Result<(Relayer, Origin)> {
	let (broadcaster, person) = (Person::new(lab, "other")?, Person::new(lab, "other-relayer")?);
	let network = &scene.network;
	network
		.fund(&[(broadcaster.account, START_MONEY), (person.account, START_MONEY)])
		.await?;
	let (stream, relayer) = futures::future::try_join(
		mint(network, &broadcaster, PRICE_PER_GB),
		Relayer::register(lab, network, person, "other-relayer", TERMS),
	)
	.await?;
	let mut relayer = relayer;
	let origin = Origin::start_as(lab, "other", network, &broadcaster, stream, false).await?;
	relayer.run(lab, network, &origin.address, stream).await?;
	Ok((relayer, origin))
}

/// Before the first window: an answer before a page gives up, and a page that tries on by itself.
async fn nothing_is_there_yet(player: &mut Player) -> Result<()> {
	let gauge = Gauge::start();
	// It listens a little after it was started.
	let page = loop {
		match get(&url(player, "")).await {
			Ok(page) => break page,
			Err(_) => player.process.check_alive()?,
		}
		sleep(Duration::from_millis(100)).await;
	};
	ensure!(page.status == 200 && page.text().contains("<script"), "{}", page.text());
	let lists = ["index.m3u8", "master.m3u8", "manifest.mpd"].map(|list| url(player, list));
	let asked = Instant::now();
	let answers = futures::future::try_join_all(lists.iter().map(|list| get(list))).await?;
	// hls.js gives up after 10 s.
	let took = asked.elapsed();
	ensure!(
		took < Duration::from_secs(10) + gauge.late() * 2,
		"an answer after {took:?}"
	);
	for answer in answers {
		ensure!(
			answer.status == 503 && answer.field("retry-after").is_some(),
			"{answer:?}"
		);
	}
	let state = get(&url(player, "state.json")).await?.text();
	// That the broadcaster pauses, if it has said so by now.
	ensure!(state.contains("\"waiting\"") || state.contains("\"paused\""), "{state}");
	Ok(())
}

/// Preflights, ranges, heads.
async fn pages_elsewhere_may_ask(player: &Player) -> Result<()> {
	let preflight = "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n\
		Access-Control-Request-Headers: range,x-a\r\nAccess-Control-Request-Private-Network: true\r\n";
	let answer = ask("OPTIONS", &player.hls, preflight).await?;
	ensure!(answer.status == 204, "{answer:?}");
	let allowed = |answer: &Answer, name: &str, what: &str| -> Result<()> {
		let field = answer.field(name).unwrap_or_default().to_ascii_lowercase();
		ensure!(
			field == "*" || field.split(',').any(|one| one.trim() == what),
			"{name}: {field:?} is without {what}: {answer:?}"
		);
		Ok(())
	};
	allowed(&answer, "access-control-allow-origin", "https://a.example")?;
	allowed(&answer, "access-control-allow-methods", "get")?;
	allowed(&answer, "access-control-allow-headers", "x-a")?;
	allowed(&answer, "access-control-allow-headers", "range")?;
	allowed(&answer, "access-control-allow-private-network", "true")?;
	let list = ask("GET", &player.hls, "Origin: https://a.example\r\n").await?;
	allowed(&list, "access-control-allow-origin", "https://a.example")?;
	let cached = list.field("cache-control").unwrap_or_default();
	ensure!(!cached.contains("immutable") && list.status == 200, "{list:?}");
	let name = List::of(player).await?.maps.pop_first().context("a map")?;
	let whole = get(&url(player, &name)).await?;
	let part = ask("GET", &url(player, &name), "Range: bytes=4-7\r\n").await?;
	ensure!(part.status == 206 && part.body == whole.body[4..8], "{part:?}");
	let head = ask("HEAD", &url(player, &name), "").await?;
	ensure!(head.status == 200 && head.body.is_empty(), "{head:?}");
	Ok(())
}

/// Files that the programs of the next test may open: enough for what they do, and not for a crowd.
const FEW: &str = "96";

/// Bytes of a file that may be written where there is no more room: a log fits in, no window does.
const FULL: &str = "65536";

#[test]
fn crowds_and_full_disks_end_neither_watching_nor_broadcasting() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let mut scene = Scene::start_on(lab, network, &[TERMS]).await?;
		let port = free_port()?;
		for name in ["full.mp4", "full.windows", "full.json"] {
			symlink("/dev/full", lab.path(name))?;
		}
		let mut watch = Player::command(
			lab,
			"full",
			&scene.network,
			&scene.viewer,
			scene.origin.stream,
			port,
			"wallet",
		)?;
		watch.args(["--relayer", &scene.relayers[0].address]);
		let few = format!("--nofile={FEW}:{FEW}");
		let mut player = Player::run(lab, "full", port, &mut under(&["prlimit", &few], &watch)?)?;
		let before = plays_on(&mut player, None).await?;

		// A crowd that says nothing, at the player and at the relayer.
		let crowd = |address: &str, count: usize| -> Vec<TcpStream> {
			(0..count).filter_map(|_| TcpStream::connect(address).ok()).collect()
		};
		let relayer = scene.relayers[0].process.as_ref().context("it runs")?.pid();
		limit(relayer, "nofile", FEW).await?;
		let hls = format!("127.0.0.1:{port}");
		let (at_player, at_relayer) = (crowd(&hls, 200), crowd(&scene.relayers[0].metrics(), 300));
		ensure!(at_player.len() > 100 && at_relayer.len() > 100, "no crowd");
		let (lines, relayer_lines) = (
			log(lab, "full")?.lines().count(),
			log(lab, "relayer-1")?.lines().count(),
		);
		sleep(Duration::from_secs(5)).await;
		let (now, relayer_now) = (
			log(lab, "full")?.lines().count(),
			log(lab, "relayer-1")?.lines().count(),
		);
		ensure!(now - lines < 10, "{}", log(lab, "full")?);
		ensure!(relayer_now - relayer_lines < 10, "{}", log(lab, "relayer-1")?);
		// Those who are too many are told so at once.
		if let Ok(answer) = get(&player.hls).await {
			ensure!([200, 503].contains(&answer.status), "{answer:?}");
		}
		drop((at_player, at_relayer));
		scene.relayers[0].counts().await?;
		let before = plays_on(&mut player, Some(before)).await?;

		for words in ["full.mp4 ends here", "full.windows ends here"] {
			let said = log(lab, "full")?;
			ensure!(said.matches(words).count() == 1, "{words:?}: {said}");
		}

		// The origin's disk is full. (A relayer that cannot keep a winner goes on within its credit: its own tests.)
		let origin = scene.origin.process.pid();
		limit(origin, "fsize", FULL).await?;
		let before = plays_on(&mut player, Some(before)).await?;
		let before = plays_on(&mut player, Some(before)).await?;
		limit(origin, "fsize", "unlimited").await?;
		plays_on(&mut player, Some(before)).await?;
		let said = log(lab, "origin")?;
		for words in ["the record ends here", "The broadcast goes on", "there is room again"] {
			ensure!(said.matches(words).count() == 1, "{words:?}: {said}");
		}
		let said = log(lab, "full")?;
		for wrong in ["left relayer", "stalled", "blacklisted", "NotServed", "Unpaid"] {
			ensure!(!said.contains(wrong), "{said}");
		}
		player.process.interrupt().await?;
		scene.origin.process.interrupt().await?;
		scene.relayers[0].stop().await
	});
}

/// Waits until the list of a player has three more windows than it had.
async fn plays_on(player: &mut Player, before: Option<u64>) -> Result<u64> {
	let began = Instant::now();
	loop {
		player.process.check_alive()?;
		let list = List::of(player).await;
		if let Ok(list) = &list {
			let next = list.next();
			if before.is_none() || before.is_some_and(|before| next >= before + 3) {
				return Ok(next);
			}
		}
		ensure!(
			began.elapsed() < PATIENCE,
			"no more windows than {before:?}: {:?}",
			list.map(|list| list.next())
		);
		sleep(Duration::from_millis(200)).await;
	}
}

#[test]
fn a_pause_is_nobodys_fault_and_nothing_old_is_sold_in_it() {
	Lab::run(async |lab| {
		let (address, input) = door()?;
		let arguments: Vec<&str> = input.iter().map(String::as_str).collect();
		let clip = Clip::usual(lab).await?;
		let gauge = Gauge::start();
		let mut scene = Scene::start_showing(lab, Network::shared(lab).await?, &arguments, &[TERMS]).await?;
		let mut player = scene.watch_from(lab, "player", &[&scene.relayers[0].address], &[])?;
		let mut publisher = Pusher::publish(address, "live", "key").await?;
		publisher.push(&clip, 7.0).await?;
		player.wait_windows(2, PATIENCE).await?;

		// The origin is started again, and its publisher is away; a relayer is started again meanwhile, and somebody comes.
		let upstream = scene.origin.address.clone();
		let listen = upstream.split("/p2p/").next().context("an address")?.to_owned();
		scene.origin.process.terminate().await?;
		let ended = scene.origin.windows()?;
		drop(publisher);
		let stream = scene.origin.stream;
		let mut run = Origin::command_at(lab, "origin", &scene.network, &scene.broadcaster, stream, &listen)?;
		scene.origin = Origin::run(lab, "origin", stream, run.args(&arguments)).await?;
		let port = free_port()?;
		let mut watch = Player::command(lab, "late", &scene.network, &scene.viewer, stream, port, "late")?;
		let mut late = Player::run(lab, "late", port, watch.args(["--relayer", &scene.relayers[0].address]))?;
		sleep(Duration::from_secs(8)).await;
		ensure!(
			late.windows()?.is_empty(),
			"what was before is shown: {:?}",
			late.windows()?
		);
		let waits = player.windows()?;
		ensure!(waits.len() <= ended.len(), "windows out of nothing");

		let came = unix_ms();
		let mut publisher = Pusher::publish(address, "live", "key").await?;
		publisher.push(&clip, 9.0).await?;
		let (seen, new) = (
			player.wait_windows(waits.len() + 3, PATIENCE).await?,
			late.wait_windows(2, PATIENCE).await?,
		);
		publisher.leave().await?;
		ensure!(new[0].start_ms >= came, "{} is older than {came}", new[0].start_ms);
		let behind = &seen[waits.len()..];
		follow_each_other(behind)?;
		let behind = at_once(&scene.origin.windows()?, behind, &gauge)?;
		println!("first window {behind} ms behind its publication");
		// Nobody pays for what was before.
		let summary = late.stop().await?;
		let tickets = summary["tickets"].as_u64().context("tickets")?;
		ensure!(tickets <= late.windows()?.len() as u64, "{summary}");
		player.stop().await?;

		// A relayer that is started while the one before still ends waits for it.
		let relayer = &mut scene.relayers[0];
		let mut before = relayer.process.take().context("it runs")?;
		let (ended, started) =
			futures::future::join(before.interrupt(), relayer.run(lab, &scene.network, &upstream, stream)).await;
		ensure!(ended?.success(), "the relayer did not end in order");
		started?;

		for name in ["player", "late"] {
			let said = log(lab, name)?;
			for wrong in ["left", "stalled", "blacklisted"] {
				ensure!(!said.contains(wrong), "{name}: {said}");
			}
		}
		let said = log(lab, "relayer-1")?;
		ensure!(said.matches("upstream lost").count() <= 1, "{said}");
		ensure!(!said.contains("in use by another"), "{said}");
		let said = log(lab, "origin")?;
		ensure!(!said.contains("published"), "a line for each window: {said}");
		scene.origin.process.interrupt().await?;
		scene.relayers[0].stop().await?;
		address_is_of_use(lab, &scene).await
	});
}

/// How much later than it was published the first of these windows was there.
fn at_once(sent: &[Window], seen: &[Window], gauge: &Gauge) -> Result<u64> {
	let first = seen.first().context("a window")?;
	let sent = sent.iter().find(|window| window.place() == first.place());
	let sent = sent
		.and_then(|window| window.published_ms)
		.context("it was published")?;
	let later = first.playable_ms.context("when it was there")?.saturating_sub(sent);
	let late = gauge.late().as_millis() as u64;
	ensure!(
		later < 3_000 + 2 * late,
		"{later} ms behind its publication; this machine was {late} ms late"
	);
	Ok(later)
}

/// What an origin prints that listens everywhere can be given to others: all addresses of this machine, loopback last.
async fn address_is_of_use(lab: &Lab, scene: &Scene) -> Result<()> {
	let (network, broadcaster) = (&scene.network, &scene.broadcaster);
	for (listen, loopback) in [
		("/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/127."),
		("/ip6/::/udp/0/quic-v1", "/ip6/::1/"),
	] {
		let name = format!("everywhere-{}", loopback.len());
		let mut run = Origin::command_at(lab, &name, network, broadcaster, scene.origin.stream, listen)?;
		let mut origin = Origin::run(lab, &name, scene.origin.stream, run.args(["--input", "test"])).await?;
		let addresses: Vec<&str> = origin.said["addresses"]
			.as_array()
			.into_iter()
			.flatten()
			.filter_map(|address| address.as_str())
			.collect();
		ensure!(
			!addresses.is_empty() && addresses[0] == origin.address,
			"{}",
			origin.said
		);
		let last = addresses.iter().position(|address| address.starts_with(loopback));
		ensure!(
			last.is_none_or(|at| addresses[at..].iter().all(|a| is_loopback(a))),
			"{addresses:?}"
		);
		let udp = std::net::UdpSocket::bind("0.0.0.0:0")?;
		// Sends nothing: tells by which address others would be reached.
		if udp.connect("192.0.2.1:9").is_ok() && listen.starts_with("/ip4") {
			let ours = format!("/ip4/{}/", udp.local_addr()?.ip());
			ensure!(
				addresses.iter().any(|address| address.starts_with(&ours)),
				"{addresses:?} without {ours}"
			);
		}
		origin.process.interrupt().await?;
	}
	Ok(())
}

fn is_loopback(address: &str) -> bool {
	address.starts_with("/ip4/127.") || address.starts_with("/ip6/::1/")
}
