//! A relayer that buys from relayers: everybody in the chain is paid, the shares once, and who is killed or lies is replaced.

use anyhow::{ensure, Result};
use clustercast_e2e::{
	books::Snapshot,
	byzantine::{Byzantine, Trick},
	lab::{free_port, Lab},
	media::Window,
	network::{Network, Person, START_MONEY},
	programs::{mint, until, Origin, Player, Relayer, Terms, TEST_PICTURE},
	scene::{settle, Settlement, PRICE_PER_GB, TERMS},
};
use clustercast_primitives::{amount::share, AccountId, Balance};
use futures::future::{try_join, try_join3, try_join_all};
use std::{
	collections::BTreeSet,
	future::Future,
	pin::pin,
	time::{Duration, Instant},
};
use tokio::time::sleep;

/// For each wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at what a program tells of itself.
const LOOK: Duration = Duration::from_millis(200);

/// From one window to the next where an upstream is lost: the window's time, a second until it comes from another one, and half of one for
/// a busy machine.
const LONGEST_GAP: Duration = Duration::from_millis(3_500);

/// Of relayers below the origin: half of what is asked of viewers.
const WHOLESALE: Terms = Terms {
	price_per_gb: PRICE_PER_GB / 2,
	..TERMS
};

/// The broadcaster's share, as `mint` sets it, and the treasury's; parts per million.
const SHARES: [u32; 2] = [200_000, 20_000];

/// What is spent at most; without it nothing is.
const BUYING: &str = "[buying]\ndeposit = 5\nmax_price_per_gb = 1500000\n";

/// A broadcaster with a relayer, money for all who come, and a viewer.
struct Cast {
	network: Network,
	broadcaster: Person,
	viewer: Person,
	before: Snapshot,
	stream: u64,
	origin: Origin,
}

impl Cast {
	async fn enter(lab: &Lab, others: &[&Person]) -> Result<Self> {
		let network = Network::shared(lab).await?;
		let (broadcaster, viewer) = (Person::new(lab, "broadcaster")?, Person::new(lab, "viewer")?);
		let people = others.iter().copied().chain([&broadcaster, &viewer]);
		let money: Vec<_> = people.map(|person| (person.account, START_MONEY)).collect();
		network.fund(&money).await?;
		let before = network.books().snapshot(network.books().settle().await?).await?;
		let stream = mint(&network, &broadcaster, PRICE_PER_GB).await?;
		let origin = Origin::start(lab, &network, &broadcaster, stream, false).await?;
		Ok(Self {
			network,
			broadcaster,
			viewer,
			before,
			stream,
			origin,
		})
	}

	/// The viewer watches from this relayer.
	fn watch(&self, lab: &Lab, name: &str, relayer: &Relayer) -> Result<Player> {
		self.watch_any(lab, name, &[relayer])
	}

	/// The viewer watches from one of these, the first one first.
	fn watch_any(&self, lab: &Lab, name: &str, relayers: &[&Relayer]) -> Result<Player> {
		let port = free_port()?;
		let mut watch = Player::command(lab, name, &self.network, &self.viewer, self.stream, port, "wallet")?;
		for relayer in relayers {
			watch.args(["--relayer", &relayer.address]);
		}
		Player::run(lab, name, port, &mut watch)
	}

	/// What it relays, and what it may spend.
	fn config(&self, upstreams: &[&str], more: &str) -> String {
		format!("{BUYING}\n{}", self.table(upstreams, more))
	}

	fn table(&self, upstreams: &[&str], more: &str) -> String {
		format!("[[streams]]\nid = {}\nupstream = {upstreams:?}\n{more}\n", self.stream)
	}
}

/// The longest time from one window to the next at this relayer, as long as this goes on.
async fn longest_gap(relayer: &Relayer, goes_on: impl Future<Output = Result<()>>) -> Result<Duration> {
	let mut goes_on = pin!(goes_on);
	let mut count = relayer.metric("windows_total").await?;
	let (mut since, mut longest) = (Instant::now(), Duration::ZERO);
	loop {
		tokio::select! {
			over = &mut goes_on => return over.map(|()| longest.max(since.elapsed())),
			() = sleep(LOOK / 4) => {},
		}
		let now = relayer.metric("windows_total").await?;
		if now > count {
			longest = longest.max(since.elapsed());
			(count, since) = (now, Instant::now());
		}
	}
}

fn roots(windows: &[Window]) -> BTreeSet<String> {
	windows.iter().map(|window| window.root.to_string()).collect()
}

#[test]
fn relayer_buys_from_relayers_and_everybody_in_the_chain_is_paid_with_shares_once() {
	Lab::run(async |lab| {
		let person = |name| Person::new(lab, name);
		let (first, spare, seller) = (person("first")?, person("spare")?, person("seller")?);
		let liar = person("liar")?;
		let cast = Cast::enter(lab, &[&first, &spare, &seller, &liar]).await?;
		let (network, stream, origin) = (&cast.network, cast.stream, cast.origin.address.as_str());
		let (mut first, mut spare, mut seller) = try_join3(
			Relayer::register(lab, network, first, "first", WHOLESALE),
			Relayer::register(lab, network, spare, "spare", WHOLESALE),
			Relayer::register(lab, network, seller, "seller", TERMS),
		)
		.await?;
		let broadcast = (stream, cast.broadcaster.key, origin);
		let liar = Byzantine::start(network, liar, WHOLESALE, broadcast, (0, Trick::SignWrong)).await?;
		try_join(
			first.run(lab, network, origin, stream),
			spare.run(lab, network, origin, stream),
		)
		.await?;
		let upstreams = [liar.address.as_str(), &first.address, &spare.address].map(str::to_owned);
		let upstreams: Vec<&str> = upstreams.iter().map(String::as_str).collect();

		// Nothing is spent that nobody spoke of.
		let refused = seller.run_configured(lab, network, &cast.table(&upstreams, "")).await;
		ensure!(refused.is_err(), "it starts");
		let said = std::fs::read_to_string(lab.path("seller.log"))?;
		ensure!(said.contains("say in [buying] what is spent at most"), "{said}");
		seller
			.run_configured(lab, network, &cast.config(&upstreams, ""))
			.await?;

		let mut player = cast.watch(lab, "player", &seller)?;
		player.wait_windows(8, PATIENCE).await?;
		ensure!(first.counts().await?.tickets > 0, "the first relayer is not paid");
		ensure!(spare.metric("viewers").await? == 1, "nobody stands by");
		ensure!(seller.metric("bought_micro_usdc_total").await? > 0, "nothing is bought");
		ensure!(liar.tricks() == 1 && liar.tickets() == 0, "the liar was paid");
		ensure!(liar.subscriptions() == 1, "the liar was asked again");

		// What is bought and sold is a lottery.
		first.wait_winners(1, PATIENCE).await?;
		seller.wait_winners(1, PATIENCE).await?;
		let gap = longest_gap(&seller, async {
			first.kill_9().await?;
			let seen = player.windows()?.len();
			player.wait_windows(seen + 6, PATIENCE).await?;
			Ok(())
		})
		.await?;
		ensure!(gap < LONGEST_GAP, "no window for {gap:?}");
		ensure!(spare.counts().await?.tickets > 0, "the spare one is not paid");
		ensure!(
			spare.metric("subscriptions_total").await? == 1,
			"it was connected to anew"
		);

		let summary = player.stop().await?;
		ensure!(summary["rejectedBytes"] == 0 && summary["gaps"] == 0, "{summary}");
		let received = player.recording()?;
		ensure!(roots(&player.windows()?).is_subset(&roots(&cast.origin.windows()?)));
		cast.origin.recording()?.check_output(&received)?;

		seller.stop().await?;
		spare.stop().await?;
		// What it won before it was killed.
		first.run(lab, network, origin, stream).await?;
		first.stop().await?;
		let relayers = [&first, &spare, &seller];
		let settlement = settle(network, &cast.before, &relayers, &[cast.viewer.account]).await?;
		let frozen = network.books().chain().relayers().await?;
		ensure!(
			frozen.iter().all(|r| r.account != liar.account),
			"nobody reported the liar"
		);
		check_shares(&cast, relayers, &settlement)
	});
}

/// What the viewer paid, in the books of all three; shares of that and of nothing else.
fn check_shares(
	cast: &Cast,
	[first, spare, seller]: [&Relayer; 3],
	Settlement { activity, after, .. }: &Settlement,
) -> Result<()> {
	let [first, spare, seller] = [first, spare, seller].map(|relayer| relayer.person.account);
	let face = TERMS.face_value;
	let paid_by = |sender: AccountId| {
		let tickets = activity.redeemed.iter().filter(|ticket| ticket.sender == sender);
		tickets.count() as Balance
	};
	let (sold, bought) = (paid_by(cast.viewer.account), paid_by(seller));
	ensure!(sold > 0 && bought > 0, "{sold} tickets were sold, {bought} bought");
	ensure!(sold + bought == activity.redeemed.len() as Balance, "others paid");
	for ticket in &activity.redeemed {
		let by_viewer = ticket.sender == cast.viewer.account;
		ensure!((ticket.recipient == seller) == by_viewer, "{ticket:?}");
	}
	let [broadcaster, treasury] = SHARES.map(|ppm| share(face, ppm));
	let shares = [
		activity.shares(|payout| payout.broadcaster),
		activity.shares(|payout| payout.treasury),
	];
	ensure!(
		shares == [sold * broadcaster, sold * treasury],
		"{shares:?} are not the shares of {sold} tickets: {bought} others were bought"
	);

	let changes = cast.before.changes(after);
	let check = |who: &str, account: AccountId, income: Balance, cost: Balance| -> Result<()> {
		let change = changes.get(&account).copied().unwrap_or(0);
		let cost = cost + activity.fees_of(&account);
		let expected = i128::try_from(income)? - i128::try_from(cost)?;
		ensure!(change == expected, "{who} has {change} micro-USDC more, not {expected}");
		Ok(())
	};
	let earned = |recipient: AccountId| -> Balance {
		let own = activity.redeemed.iter().filter(|ticket| ticket.recipient == recipient);
		own.map(|ticket| ticket.payout.relayer).sum()
	};
	check("the viewer", cast.viewer.account, 0, sold * face)?;
	check("the broadcaster", cast.broadcaster.account, sold * broadcaster, 0)?;
	check("the first relayer", first, earned(first), 0)?;
	check("the spare one", spare, earned(spare), 0)?;
	// What it paid as shares comes off what it owes as shares, as far as that goes.
	let shares = broadcaster + treasury;
	let income = sold * (face - shares) + sold.min(bought) * shares;
	check("who buys and sells", seller, income, bought * face)?;
	println!(
		"{sold} tickets sold, {bought} bought: the broadcaster has {} micro-USDC",
		sold * broadcaster
	);
	Ok(())
}

#[test]
fn origin_stands_by_for_nothing_and_goes_on_where_a_relayer_is_lost() {
	Lab::run(async |lab| {
		let (first, seller) = (Person::new(lab, "first")?, Person::new(lab, "seller")?);
		let cast = Cast::enter(lab, &[&first, &seller]).await?;
		let (network, origin) = (&cast.network, cast.origin.address.as_str());
		let (mut first, mut seller) = try_join(
			Relayer::register(lab, network, first, "first", WHOLESALE),
			Relayer::register(lab, network, seller, "seller", TERMS),
		)
		.await?;
		first.run(lab, network, origin, cast.stream).await?;
		let config = cast.config(&[&first.address, origin], "");
		seller.run_configured(lab, network, &config).await?;
		let mut player = cast.watch(lab, "player", &seller)?;
		player.wait_windows(6, PATIENCE).await?;
		let bought = seller.metric("bought_micro_usdc_total").await?;
		ensure!(bought > 0, "the origin is asked before who is named first");
		let gap = longest_gap(&seller, async {
			first.kill_9().await?;
			let seen = player.windows()?.len();
			player.wait_windows(seen + 6, PATIENCE).await?;
			Ok(())
		})
		.await?;
		ensure!(gap < LONGEST_GAP, "no window for {gap:?}");
		let now = seller.metric("bought_micro_usdc_total").await?;
		ensure!(now == bought, "{now} micro-USDC: the origin asks nothing");
		let summary = player.stop().await?;
		ensure!(summary["rejectedBytes"] == 0 && summary["gaps"] == 0, "{summary}");
		seller.stop().await
	});
}

/// One relayer denies the stream, the next has a single place, which another relayer has, and names that one.
#[test]
fn who_is_refused_is_told_why_and_goes_on_at_who_is_named() {
	Lab::run(async |lab| {
		let person = |name| Person::new(lab, name);
		let (strict, first, seller) = (person("strict")?, person("first")?, person("seller")?);
		let cast = Cast::enter(lab, &[&strict, &first, &seller]).await?;
		let (network, origin) = (&cast.network, cast.origin.address.as_str());
		let (mut strict, mut first, mut seller) = try_join3(
			Relayer::register(lab, network, strict, "strict", TERMS),
			Relayer::register(lab, network, first, "first", WHOLESALE),
			Relayer::register(lab, network, seller, "seller", TERMS),
		)
		.await?;
		let other = mint(network, &cast.broadcaster, PRICE_PER_GB).await?;
		let forbidden = format!("[policy]\ndenied = [{}]\n{}", cast.stream, cast.table(&[origin], ""));
		let refused = strict.run_configured(lab, network, &forbidden).await;
		ensure!(refused.is_err(), "it relays what its operator denies");
		let denies = format!(
			"[policy]\ndenied = [{}]\n[[streams]]\nid = {other}\nupstream = {origin:?}\n",
			cast.stream
		);
		strict.run_configured(lab, network, &denies).await?;
		first
			.run_configured(lab, network, &cast.table(&[origin], "max_viewers = 1"))
			.await?;
		seller
			.run_configured(lab, network, &cast.config(&[&first.address], ""))
			.await?;
		until("the seller has its place", || async {
			Ok(seller.metric("windows_total").await? >= 2)
		})
		.await?;
		let mut player = cast.watch_any(lab, "player", &[&strict, &first])?;
		player.wait_windows(3, PATIENCE).await?;
		ensure!(seller.metric("viewers").await? == 1, "somebody else was turned to");
		let summary = player.stop().await?;
		let said = summary.to_string();
		ensure!(said.contains("its operator does not carry this stream"), "{summary}");
		ensure!(summary["rejectedBytes"] == 0 && summary["gaps"] == 0, "{summary}");
		seller.stop().await?;
		first.stop().await?;
		strict.stop().await
	});
}

#[test]
fn stream_on_demand_is_bought_for_its_first_viewer_and_dropped_behind_its_last() {
	Lab::run(async |lab| {
		let (above, below) = (Person::new(lab, "above")?, Person::new(lab, "below")?);
		let cast = Cast::enter(lab, &[&above, &below]).await?;
		let network = &cast.network;
		let cheap = Terms {
			price_per_gb: PRICE_PER_GB / 8,
			..TERMS
		};
		let (mut above, mut below) = try_join(
			Relayer::register(lab, network, above, "above", WHOLESALE),
			Relayer::register(lab, network, below, "below", cheap),
		)
		.await?;
		above.run(lab, network, &cast.origin.address, cast.stream).await?;
		let config = cast.config(&[&above.address], "on_demand = true\nmargin_per_gb = 7000");
		below.run_configured(lab, network, &config).await?;
		let there = above.metric("windows_total").await?;
		until("windows come to the one above", || async {
			Ok(above.metric("windows_total").await? >= there + 4)
		})
		.await?;
		for what in ["windows_total", "bought_micro_usdc_total", "upstream_connected"] {
			ensure!(below.metric(what).await? == 0, "{what}: nobody watches");
		}
		ensure!(
			above.metric("subscriptions_total").await? == 0,
			"it was asked for nobody"
		);

		let mut player = cast.watch(lab, "player", &below)?;
		player.wait_windows(4, PATIENCE).await?;
		let asked = below.metric("price_per_gb_micro_usdc").await?;
		ensure!(
			asked == WHOLESALE.price_per_gb + 7_000,
			"{asked} is asked of one viewer"
		);
		let summary = player.stop().await?;
		ensure!(summary["rejectedBytes"] == 0 && summary["gaps"] == 0, "{summary}");
		until("it is dropped", || async { Ok(above.metric("viewers").await? == 0) }).await?;
		let (bought, windows) = (
			below.metric("bought_micro_usdc_total").await?,
			below.metric("windows_total").await?,
		);
		ensure!(bought > 0, "nothing was paid");
		let there = above.metric("windows_total").await?;
		until("windows go on above", || async {
			Ok(above.metric("windows_total").await? >= there + 3)
		})
		.await?;
		ensure!(below.metric("windows_total").await? == windows, "fetched for nobody");

		// And again, live.
		let mut player = cast.watch(lab, "again", &below)?;
		player.wait_windows(2, PATIENCE).await?;
		player.stop().await?;
		below.stop().await?;
		above.stop().await
	});
}

/// A figure of each.
async fn of_each(relayers: [&Relayer; 3], name: &str) -> Result<Vec<u64>> {
	try_join_all(relayers.map(|relayer| relayer.metric(name))).await
}

/// Each of three relayers buys from the next one, and the last one from the first, which alone knows where the origin is, too.
#[test]
fn relayers_in_a_circle_feed_each_other_nothing_and_have_the_stream_again_where_the_origin_comes() {
	Lab::run(async |lab| {
		let person = |name| Person::new(lab, name);
		let (first, second, third) = (person("first")?, person("second")?, person("third")?);
		let cast = Cast::enter(lab, &[&first, &second, &third]).await?;
		let (mut first, mut second, mut third) = try_join3(
			Relayer::register(lab, &cast.network, first, "first", WHOLESALE),
			Relayer::register(lab, &cast.network, second, "second", WHOLESALE),
			Relayer::register(lab, &cast.network, third, "third", WHOLESALE),
		)
		.await?;
		let configs = [
			cast.config(&[&second.address, &cast.origin.address], ""),
			cast.config(&[&third.address], ""),
			cast.config(&[&first.address], ""),
		];
		let Cast {
			network,
			broadcaster,
			stream,
			mut origin,
			..
		} = cast;
		try_join3(
			first.run_configured(lab, &network, &configs[0]),
			second.run_configured(lab, &network, &configs[1]),
			third.run_configured(lab, &network, &configs[2]),
		)
		.await?;
		let windows = async || of_each([&first, &second, &third], "windows_total").await;
		until("the stream goes round", || async {
			Ok(windows().await?.iter().all(|windows| *windows >= 2))
		})
		.await?;

		let asked = second.metric("subscriptions_total").await?;
		origin.process.kill_9().await?;
		until("the first one asks the second one", || async {
			Ok(second.metric("subscriptions_total").await? > asked)
		})
		.await?;
		let before = windows().await?;
		until("it left that one, and asks it again", || async {
			Ok(second.metric("subscriptions_total").await? > asked + 1)
		})
		.await?;
		let after = windows().await?;
		ensure!(after == before, "{before:?} windows became {after:?} without an origin");

		let listen = origin.address.split("/p2p/").next().unwrap_or_default();
		let mut run = Origin::command_at(lab, "origin", &network, &broadcaster, stream, listen)?;
		let _origin = Origin::run(lab, "origin", stream, run.args(TEST_PICTURE)).await?;
		until("the stream goes round again", || async {
			let now = windows().await?;
			Ok(now.iter().zip(&before).all(|(now, before)| *now >= before + 3))
		})
		.await?;
		let bought = of_each([&first, &second, &third], "bought_micro_usdc_total").await?;
		ensure!(
			bought[0] == 0 && bought[1] > 0 && bought[2] > 0,
			"the circle sold the first one what it has: {bought:?}"
		);
		try_join3(first.stop(), second.stop(), third.stop()).await?;
		Ok(())
	});
}
