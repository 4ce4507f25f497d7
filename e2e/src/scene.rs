//! The whole of ClusterCast on one machine: a chain, a broadcaster, relayers, a viewer. What the demo shows and most
//! tests start from.

use crate::{
	books::{check_supply, Activity, Snapshot},
	bridge::{deposit, Bridge, Wallet, L2},
	lab::{free_port, Lab},
	network::{Network, Person, START_MONEY},
	programs::{mint, session, Origin, Player, Relayer, Terms, TEST_PICTURE},
};
use anyhow::{ensure, Context, Result};
use clustercast_primitives::{amount::USDC, AccountId, Balance, BlockNumber, Hash};
use futures::future::{try_join, try_join_all};
use std::collections::{BTreeMap, BTreeSet};

/// The stream key's price, micro-USDC per GB: the most that a viewer expects to pay. A hundred times the usual price
/// (`docs/economics.md`), so that tickets win while somebody looks on.
pub const PRICE_PER_GB: u64 = 2_000_000;

/// Terms that make tickets win often: a window of 480p costs about a third of the face value.
pub const TERMS: Terms = Terms {
	price_per_gb: PRICE_PER_GB,
	face_value: 2_500,
	redeem_value: 10_000,
	redeem_age_s: 10,
	// What most of these tests count.
	payment: "tickets",
};

/// What a viewer brings over the bridge, and how much of it pays tickets, micro-USDC.
pub const VIEWER_MONEY: Balance = 20 * USDC;
const VIEWER_ESCROW: Balance = 10 * USDC;

/// Blocks of the L2, a second each, after which one is final.
const FINALITY: u32 = 2;

/// Blocks in which winners that the relayers posted before they ended must be paid.
const LAST_REDEMPTION: BlockNumber = 30;

/// A broadcast that relayers carry; a viewer may join.
pub struct Scene {
	/// Four validators.
	pub network: Network,
	/// Where all money came from, if from an L2.
	pub bridge: Option<Bridge>,
	/// The broadcaster's program.
	pub origin: Origin,
	/// Below the origin, in the order of their terms.
	pub relayers: Vec<Relayer>,
	/// Owns the stream key.
	pub broadcaster: Person,
	/// Watches.
	pub viewer: Person,
	/// All money, when everyone was funded and before anything was minted, registered or paid.
	pub before: Snapshot,
}

/// How it all ended.
pub struct Settlement {
	/// All money, when everything was final.
	pub after: Snapshot,
	/// What happened since [`Scene::before`].
	pub activity: Activity,
	/// Winners that the relayers ever stored.
	pub winners: BTreeSet<Hash>,
}

/// Shares of what a relayer bought, micro-USDC.
#[derive(Clone, Copy, Debug)]
pub struct BoughtShares {
	/// Came back to it.
	pub returned: Balance,
	/// Wait for what it sells, on the treasury's account.
	pub set_aside: Balance,
}

impl Scene {
	/// Starts chain, origin, and a relayer for each of `terms`.
	pub async fn start(lab: &Lab, rpc_port: Option<u16>, terms: &[Terms]) -> Result<Self> {
		Self::start_on(lab, Network::start(lab, rpc_port).await?, terms).await
	}

	/// The same on a chain that is there.
	pub async fn start_on(lab: &Lab, network: Network, terms: &[Terms]) -> Result<Self> {
		Self::start_showing(lab, network, TEST_PICTURE, terms).await
	}

	/// The same; `input` is what tells the origin what to broadcast.
	pub async fn start_showing(lab: &Lab, network: Network, input: &[&str], terms: &[Terms]) -> Result<Self> {
		let viewer = Person::new(lab, "viewer")?;
		let money = vec![(viewer.account, START_MONEY)];
		Self::set(lab, network, None, viewer, money, input, terms).await
	}

	/// The same beside an L2 from which all money comes; the viewer has an Ethereum key and 20 USDC there, and deposits
	/// them with a session key for the player. These others have money too.
	pub async fn start_bridged(lab: &Lab, rpc_port: Option<u16>, terms: &[Terms], others: &[&Person]) -> Result<Self> {
		let l2 = L2::start(lab, "anvil", FINALITY).await?;
		let network = Network::start_bridged(lab, rpc_port, &l2).await?;
		let bridge = Bridge::open(lab, l2, &network).await?;
		let wallet = Wallet::new(lab, 0)?;
		bridge.l2.fund(&wallet.address, VIEWER_MONEY).await?;
		let viewer = Person::ethereum(lab, &wallet.address)?;
		let session = session(lab, &network, &viewer).await?;
		let amounts = (VIEWER_MONEY, VIEWER_ESCROW);
		deposit(&network, &bridge.l2, &wallet, &viewer.account, amounts, Some(session)).await?;
		bridge.arrived(&network, &viewer.account, VIEWER_MONEY).await?;
		let money = others.iter().map(|person| (person.account, START_MONEY)).collect();
		Self::set(lab, network, Some(bridge), viewer, money, TEST_PICTURE, terms).await
	}

	/// Everybody else joins the viewer; all get their money, it `money`.
	async fn set(
		lab: &Lab,
		network: Network,
		bridge: Option<Bridge>,
		viewer: Person,
		mut money: Vec<(AccountId, Balance)>,
		input: &[&str],
		terms: &[Terms],
	) -> Result<Self> {
		let broadcaster = Person::new(lab, "broadcaster")?;
		let names: Vec<String> = (1..=terms.len()).map(|n| format!("relayer-{n}")).collect();
		let people = names
			.iter()
			.map(|name| Person::new(lab, name))
			.collect::<Result<Vec<_>>>()?;
		money.extend(people.iter().chain([&broadcaster]).map(|p| (p.account, START_MONEY)));
		match &bridge {
			Some(bridge) => bridge.fund(&network, &money).await?,
			None => network.fund(&money).await?,
		}
		let before = network.books().snapshot(network.books().settle().await?).await?;

		let register = people
			.into_iter()
			.zip(&names)
			.zip(terms)
			.map(|((person, name), terms)| Relayer::register(lab, &network, person, name, *terms));
		let (stream, mut relayers) =
			try_join(mint(&network, &broadcaster, PRICE_PER_GB), try_join_all(register)).await?;
		let mut run = Origin::command(lab, "origin", &network, &broadcaster, stream)?;
		let origin = Origin::run(lab, "origin", stream, run.args(input)).await?;
		for relayer in &mut relayers {
			relayer.run(lab, &network, &origin.address, stream).await?;
		}
		Ok(Self {
			network,
			bridge,
			origin,
			relayers,
			broadcaster,
			viewer,
			before,
		})
	}

	/// The viewer starts to watch from these relayers, first choice first; the registry, which may have those of others,
	/// is not asked.
	pub fn watch_from(&self, lab: &Lab, name: &str, relayers: &[&str], more: &[&str]) -> Result<Player> {
		let relayers = relayers.iter().flat_map(|address| ["--relayer", address]);
		self.watch(lab, name, &relayers.chain(more.iter().copied()).collect::<Vec<_>>())
	}

	/// The viewer starts to watch; the player's files are called `name`.
	pub fn watch(&self, lab: &Lab, name: &str, more: &[&str]) -> Result<Player> {
		Player::watch(
			lab,
			name,
			&self.network,
			&self.viewer,
			self.origin.stream,
			free_port()?,
			more,
		)
	}

	/// Ends all relayers that run, which post what they hold before they go, waits until the chain has paid it, and closes the
	/// books.
	pub async fn settle_up(&mut self) -> Result<Settlement> {
		let running = self.relayers.iter_mut().filter(|relayer| relayer.process.is_some());
		try_join_all(running.map(Relayer::stop)).await?;
		let relayers: Vec<&Relayer> = self.relayers.iter().collect();
		settle(&self.network, &self.before, &relayers, &[self.viewer.account]).await
	}

	/// What became of the shares that relayers paid when they bought: these met those of what they sold, or came back since they had
	/// sold before, and the rest is set aside.
	pub fn buyers(&self, activity: &Activity) -> BTreeMap<AccountId, BoughtShares> {
		self.roles().buyers(activity)
	}

	/// Checks that since `before` every micro-USDC went where tickets and fees say: viewer, relayers and broadcaster have exactly
	/// their shares less their fees, where relayers that buy and sell owe shares of what they sold alone, and nobody else was paid; on a
	/// network of the scene's own nothing was made or lost, and treasury and those who receive fees have the rest. All tickets have the
	/// face value of their terms.
	pub fn check_money(&self, Settlement { after, activity, .. }: &Settlement) -> Result<()> {
		self.roles()
			.check_money(&self.before, after, activity, self.network.is_shared())
	}

	fn roles(&self) -> Roles {
		let relayers = self.relayers.iter();
		Roles {
			relayers: relayers
				.map(|relayer| (relayer.person.account, relayer.terms().face_value))
				.collect(),
			broadcaster: self.broadcaster.account,
			viewer: self.viewer.account,
		}
	}
}

/// Whose money a scene moves.
struct Roles {
	/// With the face value of each one's tickets.
	relayers: Vec<(AccountId, Balance)>,
	broadcaster: AccountId,
	viewer: AccountId,
}

impl Roles {
	/// See [`Scene::buyers`].
	fn buyers(&self, activity: &Activity) -> BTreeMap<AccountId, BoughtShares> {
		let buyer = |&(account, face): &(AccountId, Balance)| {
			let bought: Vec<_> = activity.redeemed.iter().filter(|t| t.sender == account).collect();
			let sold: Vec<_> = activity.redeemed.iter().filter(|t| t.recipient == account).collect();
			let share = face - bought.first()?.payout.relayer;
			let met = sold.iter().map(|ticket| ticket.paid_out() - face).sum::<Balance>();
			let returned = bought.len().min(sold.len()) as Balance * share - met;
			let set_aside = bought.len() as Balance * share - met - returned;
			Some((account, BoughtShares { returned, set_aside }))
		};
		self.relayers.iter().filter_map(buyer).collect()
	}

	/// See [`Scene::check_money`].
	fn check_money(&self, before: &Snapshot, after: &Snapshot, activity: &Activity, is_shared: bool) -> Result<()> {
		let mut expected: BTreeMap<AccountId, i128> = BTreeMap::new();
		let mut add = |account: AccountId, amount: Balance, sign: i128| -> Result<()> {
			*expected.entry(account).or_default() += sign * i128::try_from(amount)?;
			Ok(())
		};
		for ticket in &activity.redeemed {
			let sold = self.relayers.iter().find(|(account, _)| *account == ticket.recipient);
			let (account, face) = *sold.with_context(|| format!("a ticket was paid to a stranger: {ticket:?}"))?;
			add(ticket.sender, face, -1)?;
			add(account, ticket.payout.relayer, 1)?;
			add(self.broadcaster, ticket.payout.broadcaster, 1)?;
		}
		let mut set_aside = 0;
		for (account, shares) in self.buyers(activity) {
			add(account, shares.returned, 1)?;
			set_aside += shares.set_aside;
		}
		let relayers = self.relayers.iter().map(|(account, _)| *account);
		let ours: Vec<AccountId> = relayers.chain([self.broadcaster, self.viewer]).collect();
		for account in &ours {
			add(*account, activity.fees_of(account), -1)?;
		}
		let mut changes = before.changes(after);
		for account in &ours {
			let (change, expected) = (
				changes.remove(account).unwrap_or(0),
				expected.remove(account).unwrap_or(0),
			);
			ensure!(
				change == expected,
				"account {account} changed by {change} micro-USDC, not by {expected}"
			);
		}
		ensure!(expected.is_empty(), "tickets moved money of strangers: {expected:?}");
		if is_shared {
			return Ok(());
		}
		check_supply(before, after)?;
		// A stranger's own fees leave and enter the same sum.
		let ours_paid: Balance = ours.iter().map(|account| activity.fees_of(account)).sum();
		let rest = i128::try_from(activity.shares(|payout| payout.treasury) + set_aside + ours_paid)?;
		let received: i128 = changes.values().sum();
		ensure!(
			received == rest,
			"treasury and fee takers got {received} micro-USDC, not {rest}"
		);
		Ok(())
	}
}

/// Waits until all winners of these relayers, which have ended, are paid; what happened since then, and all money now. On a shared
/// network only tickets are told of that they or these viewers paid, or were paid to them.
pub async fn settle(
	network: &Network,
	since: &Snapshot,
	relayers: &[&Relayer],
	viewers: &[AccountId],
) -> Result<Settlement> {
	let mut winners: BTreeSet<Hash> = BTreeSet::new();
	for relayer in relayers {
		winners.extend(relayer.winners(network)?);
	}
	let books = network.books();
	let (mut activity, mut seen) = (Activity::default(), since.block.number);
	let mut last = books.settle().await?;
	let patience = last.number + LAST_REDEMPTION;
	loop {
		books.follow(&mut activity, seen, last.number).await?;
		seen = last.number;
		let paid: BTreeSet<Hash> = activity.redeemed.iter().map(|ticket| ticket.id).collect();
		if winners.is_subset(&paid) {
			break;
		}
		ensure!(seen < patience, "never paid: {:?}", winners.difference(&paid));
		last = books.finalised(seen + 1).await?;
	}
	if network.is_shared() {
		let relayers = relayers.iter().map(|relayer| relayer.person.account);
		let ours: BTreeSet<AccountId> = relayers.chain(viewers.iter().copied()).collect();
		activity
			.redeemed
			.retain(|ticket| ours.contains(&ticket.recipient) || ours.contains(&ticket.sender));
	}
	let paid: BTreeSet<Hash> = activity.redeemed.iter().map(|ticket| ticket.id).collect();
	ensure!(paid == winners, "the books of the relayers and the chain's differ");
	Ok(Settlement {
		after: books.snapshot(last).await?,
		activity,
		winners,
	})
}

#[cfg(test)]
mod tests {
	use super::*;
	use crate::books::{Block, Funds, Redeemed};
	use clustercast_primitives::chain::Payout;

	const RELAYER: AccountId = AccountId([1; 32]);
	const BROADCASTER: AccountId = AccountId([2; 32]);
	const VIEWER: AccountId = AccountId([3; 32]);
	const TREASURY: AccountId = AccountId([4; 32]);
	/// Nobody of the run.
	const STRANGERS: [AccountId; 2] = [AccountId([5; 32]), AccountId([6; 32])];
	const FACE: Balance = 1_000;

	/// All have so much at first.
	const MONEY: Balance = 100_000;

	const SHARES: Payout = Payout {
		relayer: 780,
		broadcaster: 200,
		treasury: 20,
	};

	fn ticket(sender: AccountId, recipient: AccountId) -> Redeemed {
		Redeemed {
			id: Hash([0; 32]),
			sender,
			recipient,
			payout: SHARES,
		}
	}

	/// After changes of this much.
	fn money(changes: &[(AccountId, i128)]) -> Snapshot {
		let all = [RELAYER, BROADCASTER, VIEWER, TREASURY, STRANGERS[0], STRANGERS[1]];
		let accounts = all.map(|account| {
			let change: i128 = changes
				.iter()
				.filter(|(of, _)| *of == account)
				.map(|(_, change)| change)
				.sum();
			let free = Balance::try_from(i128::try_from(MONEY).unwrap() + change).unwrap();
			(account, Funds { free, reserved: 0 })
		});
		Snapshot {
			block: Block {
				number: 1,
				hash: Hash([0; 32]),
			},
			issuance: MONEY * all.len() as Balance,
			accounts: accounts.into(),
		}
	}

	/// What this ticket moves.
	fn moves(ticket: &Redeemed) -> [(AccountId, i128); 4] {
		[
			(ticket.sender, -1_000),
			(ticket.recipient, 780),
			(BROADCASTER, 200),
			(TREASURY, 20),
		]
	}

	/// What the check finds where these were redeemed, and moved this on top.
	fn found(redeemed: &[Redeemed], more: &[(AccountId, i128)]) -> [String; 2] {
		let roles = Roles {
			relayers: vec![(RELAYER, FACE)],
			broadcaster: BROADCASTER,
			viewer: VIEWER,
		};
		let activity = Activity {
			redeemed: redeemed.to_vec(),
			..Activity::default()
		};
		let moved: Vec<_> = redeemed.iter().flat_map(moves).chain(more.iter().copied()).collect();
		[false, true].map(|is_shared| {
			let checked = roles.check_money(&money(&[]), &money(&moved), &activity, is_shared);
			checked.map_or_else(|error| error.to_string(), |()| "right".into())
		})
	}

	#[test]
	fn money_check_finds_each_ticket_that_is_paid_to_or_by_a_stranger() {
		let honest = ticket(VIEWER, RELAYER);
		assert_eq!(found(&[honest.clone(), honest.clone()], &[]), ["right"; 2]);
		for sender in [VIEWER, RELAYER, STRANGERS[0]] {
			for said in found(&[honest.clone(), ticket(sender, STRANGERS[1])], &[]) {
				assert!(said.starts_with("a ticket was paid to a stranger"), "{said}");
			}
		}
		// Also where it moved nothing of ours: shares of another stream.
		let elsewhere = ticket(STRANGERS[0], STRANGERS[1]);
		for said in found(&[elsewhere], &[(BROADCASTER, -200), (STRANGERS[0], 200)]) {
			assert!(said.starts_with("a ticket was paid to a stranger"), "{said}");
		}
		for said in found(&[ticket(STRANGERS[0], RELAYER)], &[]) {
			assert!(said.starts_with("tickets moved money of strangers"), "{said}");
		}
	}

	#[test]
	fn money_check_finds_each_micro_usdc_that_no_ticket_moved() {
		for account in [RELAYER, BROADCASTER, VIEWER] {
			for said in found(&[ticket(VIEWER, RELAYER)], &[(account, 1), (TREASURY, -1)]) {
				assert!(said.starts_with(&format!("account {account} changed by")), "{said}");
			}
		}
		let [own, shared] = found(&[ticket(VIEWER, RELAYER)], &[(STRANGERS[0], 1)]);
		assert!(own.contains("accounts hold"), "{own}");
		assert_eq!(shared, "right", "others use the network");
	}
}
