//! A stream key is rented: the renter broadcasts with a key of its own and is paid, and the owner cannot take it back. That
//! it returns by itself, twenty minutes later at the earliest, is for the pallet's tests.

use anyhow::{bail, ensure, Context, Result};
use clustercast_chain::{
	calls::{self, Call},
	Wait, Wallet,
};
use clustercast_e2e::{
	lab::{free_port, Lab},
	network::{Network, Person, START_MONEY},
	programs::{mint, trade, Origin, Player, Relayer},
	scene::{PRICE_PER_GB, TERMS},
};
use clustercast_primitives::{amount::USDC, chain::StreamKeyInfo, AccountId, Balance, BlockNumber, Hash, StreamId};
use std::{collections::BTreeSet, time::Duration};

/// The period: the shortest.
const BLOCKS: BlockNumber = 600;

/// The price of it.
const RENT: Balance = 2 * USDC;

/// What of it goes to the treasury: 5 %.
const ROYALTY: Balance = RENT / 20;

/// In this block of the rental the viewer begins. A payment counts for a block up to 180 before that in which it is
/// signed, so those of the first 360 s may still be the owner's.
const BEGIN: BlockNumber = 160;

/// Windows that the viewer watches: 80 s, of which the last 40 are the renter's for sure.
const WINDOWS: usize = 40;

/// For each wait.
const PATIENCE: Duration = Duration::from_secs(240);

#[test]
fn a_rented_key_broadcasts_and_stays_rented() {
	Lab::run(async |lab| {
		let cast = Cast::enter(lab).await?;
		let until = cast.the_key_is_rented_at_its_price().await?;
		cast.the_owner_cannot_take_it_back(lab, until).await?;
		cast.the_renter_broadcasts_and_is_paid(lab, until).await?;
		cast.a_tip_is_the_renters().await
	});
}

/// Everybody, and what they set up.
struct Cast {
	network: Network,
	owner: Person,
	renter: Person,
	viewer: Person,
	stream: u64,
}

impl Cast {
	async fn enter(lab: &Lab) -> Result<Self> {
		let network = Network::shared(lab).await?;
		let person = |name| Person::new(lab, name);
		let (owner, renter, viewer) = (person("owner")?, person("renter")?, person("viewer")?);
		let accounts = [&owner, &renter, &viewer].map(|person| (person.account, START_MONEY));
		network.fund(&accounts).await?;
		let stream = mint(&network, &owner, PRICE_PER_GB).await?;
		Ok(Self {
			network,
			owner,
			renter,
			viewer,
			stream,
		})
	}

	/// What the chain says of the stream key.
	async fn key(&self) -> Result<StreamKeyInfo> {
		let key = self.network.books().chain().stream_key(StreamId(self.stream)).await?;
		key.context("the stream key exists")
	}

	/// All that these have, held or not, when everything is final.
	async fn totals<const N: usize>(&self, who: [AccountId; N]) -> Result<[Balance; N]> {
		let books = self.network.books();
		let snapshot = books.snapshot(books.settle().await?).await?;
		Ok(who.map(|who| snapshot.total(&who)))
	}

	/// Offers and rents the key; returns the first block in which it is the owner's again.
	async fn the_key_is_rented_at_its_price(&self) -> Result<BlockNumber> {
		let (price, blocks) = (&(RENT / USDC).to_string(), &BLOCKS.to_string());
		let offer = ["--price", price, "--blocks", blocks];
		trade(&self.network, &self.owner, "rent-out", self.stream, &offer).await?;
		let key_file = self.renter.key_file.to_string_lossy().into_owned();
		let rent = |max_price| {
			[
				"--signing-key",
				&key_file,
				"--max-price",
				max_price,
				"--min-blocks",
				blocks,
			]
		};
		let dear = trade(&self.network, &self.renter, "rent", self.stream, &rent("1.999999")).await;
		let Err(error) = dear else {
			bail!("rented above the price that was accepted");
		};
		ensure!(format!("{error:#}").contains("AboveMaxPrice"), "{error:#}");

		let [before] = self.totals([self.owner.account]).await?;
		let answer = trade(&self.network, &self.renter, "rent", self.stream, &rent(price)).await?;
		let [after] = self.totals([self.owner.account]).await?;
		ensure!(after == before + RENT - ROYALTY, "the owner had {before}, then {after}");
		let until = answer["rentedUntil"].as_u64().with_context(|| answer.to_string())?;
		let key = self.key().await?;
		ensure!(
			key.owner == self.owner.account
				&& key.broadcaster == self.renter.account
				&& key.signing_key == self.renter.key
				&& key.rented_until.map(u64::from) == Some(until),
			"{key:?}"
		);
		Ok(until.try_into()?)
	}

	async fn the_owner_cannot_take_it_back(&self, lab: &Lab, until: BlockNumber) -> Result<()> {
		let wallet = Wallet::from_suri(&self.owner.uri)?;
		let refused = async |call: Call| {
			let outcome = self.network.books().chain().submit(&wallet, &call, Wait::InBlock).await;
			let error = outcome
				.err()
				.with_context(|| format!("{} was taken", call.full_name()))?;
			ensure!(error.to_string().contains("StillRented"), "{error}");
			anyhow::Ok(())
		};
		let stream = StreamId(self.stream);
		refused(calls::burn(stream)).await?;
		refused(calls::set_terms(stream, &self.key().await?.terms())).await?;
		trade(&self.network, &self.owner, "rent-out", self.stream, &["--withdraw"]).await?;
		let origin = Origin::start_as(lab, "owner", &self.network, &self.owner, self.stream, false).await;
		let Err(error) = origin else {
			bail!("the owner broadcasts on a key that is rented");
		};
		let said = format!("{error:#}");
		ensure!(
			said.contains("is rented") && said.contains(&until.to_string()),
			"{said}"
		);
		let key = self.key().await?;
		ensure!(key.broadcaster == self.renter.account, "{key:?}");
		Ok(())
	}

	async fn the_renter_broadcasts_and_is_paid(&self, lab: &Lab, until: BlockNumber) -> Result<()> {
		let relayer = Person::new(lab, "relayer")?;
		self.network.fund(&[(relayer.account, START_MONEY)]).await?;
		let mut relayer = Relayer::register(lab, &self.network, relayer, "relayer", TERMS).await?;
		let origin = Origin::start_as(lab, "renter", &self.network, &self.renter, self.stream, false).await?;
		relayer.run(lab, &self.network, &origin.address, self.stream).await?;

		let begin = until - BLOCKS + BEGIN;
		while self.network.books().chain().head().finalised < begin {
			let next = self.network.books().chain().head().finalised + 10;
			self.network.books().finalised(next.min(begin)).await?;
		}
		let (owner, renter) = (self.owner.account, self.renter.account);
		let before = self.totals([owner, renter]).await?;
		let from = self.network.books().settle().await?.number;
		let mut player = Player::watch(
			lab,
			"player",
			&self.network,
			&self.viewer,
			self.stream,
			free_port()?,
			&["--relayer", &relayer.address],
		)?;
		player.wait_windows(WINDOWS, PATIENCE).await?;
		let summary = player.stop().await?;
		ensure!(
			summary["gaps"] == 0 && summary["rejectedBytes"] == 0,
			"the renter's windows are good: {summary}"
		);
		ensure!(
			self.network.books().chain().head().best < until,
			"all this within the rental"
		);
		// It posts what it holds before it goes.
		relayer.stop().await?;
		let winners = relayer.winners(&self.network)?;
		let to = self.network.books().settle().await?.number;
		let activity = self.network.books().activity(from, to).await?;
		let activity = activity.redeemed_by(&relayer.person.account);
		let paid: BTreeSet<Hash> = activity.redeemed.iter().map(|ticket| ticket.id).collect();
		ensure!(winners == paid, "{winners:?} won, {paid:?} are paid");
		let after = self.totals([owner, renter]).await?;
		let [to_owner, to_renter] = [after[0] - before[0], after[1] - before[1]];
		println!("broadcaster's shares: {to_owner} micro-USDC to the owner, {to_renter} to the renter");
		ensure!(to_renter > 0, "the renter is paid");
		ensure!(
			to_owner + to_renter == activity.shares(|payout| payout.broadcaster),
			"broadcaster's shares go to owner and renter"
		);
		Ok(())
	}

	async fn a_tip_is_the_renters(&self) -> Result<()> {
		let (owner, renter) = (self.owner.account, self.renter.account);
		let before = self.totals([owner, renter]).await?;
		let tip = Call::new("TicketBroker", "tip")
			.argument("stream", &StreamId(self.stream))
			.number("amount", USDC);
		let wallet = Wallet::from_suri(&self.viewer.uri)?;
		self.network
			.books()
			.chain()
			.submit(&wallet, &tip, Wait::Finalised)
			.await?;
		let after = self.totals([owner, renter]).await?;
		ensure!(
			after[0] == before[0],
			"nothing is the owner's: {before:?}, then {after:?}"
		);
		ensure!(
			after[1] > before[1],
			"a tip is the renter's: {before:?}, then {after:?}"
		);
		Ok(())
	}
}
