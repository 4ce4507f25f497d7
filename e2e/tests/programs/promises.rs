//! A viewer that promised, and then does all it can alone to void it: what the real relayer delivered on a reservation is
//! paid to the last unit.

use anyhow::{ensure, Context, Result};
use clustercast_chain::{
	calls::{self, Call},
	keys, Chain, Wait, Wallet,
};
use clustercast_e2e::{
	lab::Lab,
	network::{Network, Person, START_MONEY},
	programs::Terms,
	scene::{Scene, TERMS},
};
use clustercast_primitives::{
	amount::{ticket_bytes, USDC},
	chain::{ChannelInfo, ChannelKey, Payout, VoucherPlace},
	channel::Close,
	crypto::KeyPair,
	receipt::Kind,
	ticket::{self, EXPIRY_GRID},
	AccountId, Balance, BlockNumber, Hash, StreamId, Ticket, WinningTicket,
};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// By voucher, redeemed when the relayer ends.
const AT_THE_END: Terms = Terms {
	redeem_value: 100 * USDC,
	redeem_age_s: 100_000,
	payment: "vouchers",
	..TERMS
};

/// For each wait.
const PATIENCE: Duration = Duration::from_secs(120);

/// Windows that are watched after the attacks that a player does not see: 16 s.
const MORE: usize = 8;

#[test]
fn nothing_that_a_viewer_does_alone_voids_what_it_reserved() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let accomplice = Person::new(lab, "accomplice")?;
		network.fund(&[(accomplice.account, START_MONEY)]).await?;
		let mut scene = Scene::start_on(lab, network, &[AT_THE_END]).await?;
		// The registry has those of other tests too.
		let address = scene.relayers[0].address.clone();
		let mut player = scene.watch_from(lab, "player", &[&address], &[])?;
		player.wait_windows(2, PATIENCE).await?;
		let villain = Villain {
			chain: scene.network.books().chain().clone(),
			wallet: Wallet::from_suri(&scene.viewer.uri)?,
			session: keys::load_or_create(&lab.path("wallet").join("session.key"))?,
			accomplice: Wallet::from_suri(&accomplice.uri)?,
			relayer: scene.relayers[0].person.account,
			stream: StreamId(scene.origin.stream),
		};
		let reserved = villain.reserved().await?;

		villain.spends_all_that_is_free().await?;
		villain.cannot_hand_in_what_pays_the_relayer().await?;
		villain.closes(reserved.counter).await?;
		let watched = player.windows()?.len();
		player.wait_windows(watched + MORE, PATIENCE).await?;
		villain.revokes().await?;
		// It watches on until it has read that on the chain.
		let ends = player.process.wait(PATIENCE).await?;
		ensure!(!ends.success(), "a player goes on with a revoked key");
		villain.books_agree(&mut scene).await
	});
}

/// A viewer with an accomplice that relays, and with its player's session key.
struct Villain {
	chain: Chain,
	wallet: Wallet,
	session: KeyPair,
	accomplice: Wallet,
	relayer: AccountId,
	stream: StreamId,
}

impl Villain {
	async fn channel(&self) -> Result<ChannelInfo> {
		let key = ChannelKey {
			session: self.session.public(),
			recipient: self.relayer,
		};
		Ok(self.chain.channels(&[key], None).await?[0].unwrap_or_default())
	}

	/// Waits until something is reserved for the relayer.
	async fn reserved(&self) -> Result<ChannelInfo> {
		let wait = async {
			loop {
				let channel = self.channel().await?;
				if channel.open > 0 {
					return Ok(channel);
				}
				sleep(Duration::from_millis(500)).await;
			}
		};
		timeout(PATIENCE, wait).await.context("nothing is reserved")?
	}

	/// On the grid, some ten minutes ahead.
	fn expiry(&self) -> BlockNumber {
		(self.chain.head().best + 200).next_multiple_of(EXPIRY_GRID)
	}

	/// A ticket that always wins.
	fn ticket(&self, recipient: AccountId, nonce: u64, face_value: Balance) -> Result<WinningTicket> {
		let rand = Hash([7; 32]);
		let ticket = Ticket {
			sender: self.wallet.account(),
			session: self.session.public(),
			recipient,
			stream: self.stream,
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			bytes: ticket_bytes(u64::try_from(face_value * 500)?),
			face_value,
			win_probability: ticket::CERTAIN,
			commitment: ticket::commitment(&rand),
			nonce,
			expiry: self.expiry(),
		};
		Ok(WinningTicket {
			signed: self.session.sign(ticket, &self.chain.genesis()),
			rand,
		})
	}

	/// Half of it through a ticket to the accomplice, the rest as a tip; what is reserved stays.
	async fn spends_all_that_is_free(&self) -> Result<()> {
		let account = self.wallet.account();
		let free = |found: clustercast_primitives::chain::ViewerAccount| found.deposit - found.reserved;
		let all = free(self.chain.viewer_account(&account, None).await?);
		let own = self.ticket(self.accomplice.account(), 0, all / 2)?;
		let included = self
			.chain
			.submit(&self.accomplice, &calls::redeem_batch(&[own]), Wait::InBlock)
			.await?;
		ensure!(
			included.event("TicketBroker", "TicketRedeemed").is_some(),
			"{included:?}"
		);
		let rest = free(self.chain.viewer_account(&account, None).await?);
		let tip = |amount| {
			Call::new("TicketBroker", "tip_from_deposit")
				.argument("stream", &self.stream)
				.number("amount", amount)
		};
		let too_much = self.chain.submit(&self.wallet, &tip(rest + 1), Wait::InBlock).await;
		ensure!(too_much.is_err(), "a tip took what is reserved");
		self.chain.submit(&self.wallet, &tip(rest), Wait::InBlock).await?;
		let left = self.chain.viewer_account(&account, None).await?;
		ensure!(left.deposit == left.reserved && left.reserved > 0, "{left:?}");
		Ok(())
	}

	/// A ticket for the relayer whose nonce would make all its own too old.
	async fn cannot_hand_in_what_pays_the_relayer(&self) -> Result<()> {
		let leap = calls::redeem_batch(&[self.ticket(self.relayer, u64::MAX - 1, 1_000)?]);
		for who in [&self.wallet, &self.accomplice] {
			let refused = self.chain.submit(who, &leap, Wait::InBlock).await;
			ensure!(refused.is_err(), "{refused:?}");
		}
		ensure!(self.channel().await?.next_nonce == 0, "a stranger spent a nonce");
		Ok(())
	}

	async fn closes(&self, counter: u32) -> Result<()> {
		let close = Close {
			sender: self.wallet.account(),
			session: self.session.public(),
			recipient: self.relayer,
			counter,
			submit_by: self.chain.head().best + 100,
		};
		let close = calls::close_channel(&self.session.sign(close, &self.chain.genesis()));
		self.chain.submit(&self.accomplice, &close, Wait::InBlock).await?;
		Ok(())
	}

	async fn revokes(&self) -> Result<()> {
		let revoke = calls::revoke_session(&self.session.public());
		self.chain.submit(&self.wallet, &revoke, Wait::InBlock).await?;
		Ok(())
	}

	/// All that the relayer took is paid: its own books and the chain's say the same.
	async fn books_agree(&self, scene: &mut Scene) -> Result<()> {
		let relayer = &mut scene.relayers[0];
		relayer.stop().await?;
		let place = VoucherPlace {
			session: self.session.public(),
			recipient: self.relayer,
			stream: self.stream,
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			terms: 0,
		};
		let kept = relayer.voucher(&scene.network, &place)?.context("a voucher is kept")?;
		let newest = &kept.newest.message;
		let books = scene.network.books();
		let after = books.settle().await?;
		let paid = self.chain.vouchers_paid(&[place], Some(after.hash)).await?[0];
		ensure!(
			newest.amount > 0 && paid.amount == newest.amount,
			"{paid:?} of {newest:?}"
		);
		ensure!(
			kept.paid == paid.amount && kept.settled == paid.amount,
			"{kept:?}, {paid:?}"
		);
		let channel = self.channel().await?;
		ensure!(channel.paid == paid.amount, "{channel:?}");

		// And what it has is what it was paid, less fees.
		let mut expected = 0i128;
		for number in scene.before.block.number + 1..=after.number {
			let hash = self.chain.block_hash(number).await?;
			for event in self.chain.events(hash).await? {
				if event.is("TicketBroker", "VoucherRedeemed") && event.field::<AccountId>("recipient")? == self.relayer
				{
					expected += event.field::<Payout>("payout")?.relayer as i128;
				}
				if event.is("TicketBroker", "Reserved") && event.field::<AccountId>("recipient")? == self.relayer {
					expected += event.field::<Balance>("reward")? as i128;
				}
				if event.is("TransactionPayment", "TransactionFeePaid")
					&& event.field::<AccountId>("who")? == self.relayer
				{
					expected -= event.field::<Balance>("actual_fee")? as i128;
				}
			}
		}
		let snapshot = books.snapshot(after).await?;
		let change = snapshot.total(&self.relayer) as i128 - scene.before.total(&self.relayer) as i128;
		ensure!(change == expected, "the relayer has {change} more, not {expected}");
		println!(
			"{} micro-USDC owed on a reservation of {} were paid, whatever became of the rest",
			newest.amount, channel.cap
		);
		Ok(())
	}
}
