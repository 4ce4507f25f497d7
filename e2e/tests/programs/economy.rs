//! The chain's economy on a real chain of four validators: vouchers, tips, evidence, and the treasury's two of three.

use anyhow::{ensure, Context, Result};
use clustercast_chain::{
	calls::{self, Call, NewRelayer, NewStream},
	treasury::{Payment, Signatories},
	Chain, ChainError, Included, Wait, Wallet,
};
use clustercast_e2e::{
	lab::Lab,
	network::{Network, START_MONEY},
};
use clustercast_primitives::{
	amount::{ticket_bytes, USDC},
	chain::{Payout, StreamKeyInfo, StreamTerms, PPM},
	crypto::KeyPair,
	fraud::{Account, ChunkFraud, Equivocation},
	merkle::{self, DEFAULT_CHUNK_LOG2},
	notice::RelayerProof,
	receipt::{deliveries_root, Kind, PayerOpening},
	ticket::EXPIRY_GRID,
	window::{flags, SignedHeader},
	Balance, BlockNumber, Delivery, Hash, Receipt, SignedVoucher, StreamId, Tip, Voucher, WindowHeader, WindowId,
};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the relayer puts up, micro-USDC.
const BOND: Balance = 10 * USDC;

/// Of Alice, Bob and Charlie, who hold the treasury, so many must agree.
const TREASURY_THRESHOLD: u16 = 2;

#[test]
fn every_rule_of_the_economy_holds_on_a_real_chain() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let cast = Cast::enter(&network).await?;
		let before = network.books().snapshot(network.books().settle().await?).await?;

		cast.vouchers_are_paid_by_difference_in_one_call().await?;
		cast.a_tip_arrives_less_the_treasurys_share().await?;
		cast.a_wrong_chunk_freezes_the_bond().await?;
		cast.an_equivocating_broadcaster_is_flagged().await?;
		a_treasury_payment_needs_two_of_three(cast.chain).await?;

		let after = network.books().snapshot(network.books().settle().await?).await?;
		ensure!(after.sum() == after.issuance, "{} {}", after.sum(), after.issuance);
		let activity = network
			.books()
			.activity(before.block.number, after.block.number)
			.await?;
		ensure!(
			before.issuance - activity.burnt == after.issuance,
			"issuance went from {} to {} and {} micro-USDC were burnt",
			before.issuance,
			after.issuance,
			activity.burnt
		);
		Ok(())
	});
}

/// Everybody, and what they set up.
struct Cast<'a> {
	chain: &'a Chain,
	broadcaster: Wallet,
	relayer: Wallet,
	viewer: Wallet,
	/// Signs window headers.
	stream_key: KeyPair,
	/// Signs receipts.
	relayer_key: KeyPair,
	/// Signs vouchers and tips.
	session: KeyPair,
	stream: StreamId,
}

impl<'a> Cast<'a> {
	async fn enter(network: &'a Network) -> Result<Self> {
		let chain = network.books().chain();
		let wallet = |name: &str| Wallet::from_suri(name);
		let (broadcaster, relayer, viewer) = (
			wallet("//economy//broadcaster")?,
			wallet("//economy//relayer")?,
			wallet("//economy//viewer")?,
		);
		let accounts = [&broadcaster, &relayer, &viewer].map(|who| (who.account(), START_MONEY));
		network.fund(&accounts).await?;
		let key = |seed| KeyPair::from_seed([seed; 32]);
		let (stream_key, relayer_key, session) = (key(1), key(2), key(3));

		let stream = NewStream {
			signing_key: stream_key.public(),
			title: "economy".into(),
			category: "test".into(),
			max_viewers: 0,
			terms: StreamTerms {
				price_per_gb: 2_000_000,
				max_surge_ppm: PPM,
				broadcaster_share_ppm: 100_000,
			},
		};
		let stream = chain.mint(&broadcaster, &stream).await?;
		let proof = RelayerProof {
			account: relayer.account(),
		};
		let registration = NewRelayer {
			signing_key: relayer_key.public(),
			proof: relayer_key.sign(proof, &chain.genesis()).signature,
			addresses: vec!["/ip4/127.0.0.1/udp/1/quic-v1".into()],
			price_per_gb: 2_000_000,
			bond: BOND,
		};
		chain.register_relayer(&relayer, &registration).await?;
		let expiry = chain.head().best + 10_000;
		chain
			.deposit_and_authorize(&viewer, 20 * USDC, &session, 20 * USDC, expiry, Wait::Finalised)
			.await?;
		Ok(Self {
			chain,
			broadcaster,
			relayer,
			viewer,
			stream_key,
			relayer_key,
			session,
			stream,
		})
	}

	/// All that an account has that is not held.
	async fn free(&self, who: &Wallet) -> Result<Balance> {
		Ok(self.chain.viewer_account(&who.account(), None).await?.free)
	}

	/// On the grid, some ten minutes ahead.
	fn expiry(&self) -> BlockNumber {
		(self.chain.head().best + 300).next_multiple_of(EXPIRY_GRID)
	}

	async fn submit(&self, who: &Wallet, call: &Call) -> Result<Included> {
		Ok(self.chain.submit(who, call, Wait::InBlock).await?)
	}

	async fn stream_key(&self) -> Result<StreamKeyInfo> {
		let key = self.chain.stream_key(self.stream).await?;
		key.context("the stream key exists")
	}

	async fn vouchers_are_paid_by_difference_in_one_call(&self) -> Result<()> {
		let voucher = |amount: Balance| {
			let voucher = Voucher {
				sender: self.viewer.account(),
				session: self.session.public(),
				recipient: self.relayer.account(),
				stream: self.stream,
				kind: Kind::LIVE,
				context: Hash([0; 32]),
				terms: 0,
				amount,
				// As many as this buys at the stream key's price.
				bytes: ticket_bytes(u64::try_from(amount * 500)?),
				expiry: self.expiry(),
			};
			Ok::<_, anyhow::Error>(self.session.sign(voucher, &self.chain.genesis()))
		};
		let redeem =
			|vouchers: Vec<SignedVoucher>| Call::new("TicketBroker", "redeem_vouchers").argument("vouchers", &vouchers);
		let before = self.free(&self.relayer).await?;
		// The newest replaces those before it, so this is three micro-USDC millions in all, not six.
		let all = redeem(vec![
			voucher(USDC)?,
			voucher(2 * USDC)?,
			voucher(3 * USDC)?,
			voucher(2 * USDC)?,
		]);
		let included = self.submit(&self.relayer, &all).await?;
		let paid: Vec<_> = included
			.events
			.iter()
			.filter(|e| e.is("TicketBroker", "VoucherRedeemed"))
			.collect();
		let payouts: Vec<Payout> = paid.iter().map(|e| e.field("payout")).collect::<Result<_, _>>()?;
		let each = Payout {
			relayer: 880_000,
			broadcaster: 100_000,
			treasury: 20_000,
		};
		ensure!(payouts == [each; 3], "{payouts:?}");
		let refused = included.event("TicketBroker", "VoucherRefused");
		ensure!(refused.is_some(), "{included:?}");
		let after = self.free(&self.relayer).await?;
		ensure!(after == before + 3 * each.relayer - included.fee, "{before} {after}");
		let viewer = self.chain.viewer_account(&self.viewer.account(), None).await?;
		ensure!(viewer.deposit == 17 * USDC, "{viewer:?}");
		println!("four vouchers in one call cost {} micro-USDC", included.fee);
		Ok(())
	}

	async fn a_tip_arrives_less_the_treasurys_share(&self) -> Result<()> {
		let tip = Tip {
			sender: self.viewer.account(),
			session: self.session.public(),
			stream: self.stream,
			amount: USDC,
			reward: 1_000,
			nonce: 0,
			expiry: self.expiry(),
		};
		let tip = self.session.sign(tip, &self.chain.genesis());
		let call = Call::new("TicketBroker", "submit_tip").argument("tip", &tip);
		let (broadcaster, relayer) = (self.free(&self.broadcaster).await?, self.free(&self.relayer).await?);
		let included = self.submit(&self.relayer, &call).await?;
		// 2 % are the treasury's, and of the rest a tenth stays on the stream key's deposit.
		ensure!(
			self.free(&self.broadcaster).await? == broadcaster + USDC / 100 * 98 / 10 * 9,
			"the tip arrives"
		);
		ensure!(
			self.free(&self.relayer).await? == relayer + 1_000 - included.fee,
			"whoever submits it has the reward"
		);
		let again = self.submit(&self.relayer, &call).await;
		ensure!(again.is_err(), "a tip is paid once");
		Ok(())
	}

	/// Header of a window over these bytes that began now.
	fn header(&self, data: &[u8]) -> Result<SignedHeader> {
		let leaves = merkle::leaves(data, DEFAULT_CHUNK_LOG2);
		let header = WindowHeader {
			id: WindowId {
				stream: self.stream,
				..WindowId::default()
			},
			number: 0,
			history: merkle::empty_root(),
			flags: flags::INDEPENDENT | flags::LAST_PART,
			start_ms: SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().try_into()?,
			duration_ms: 2_000,
			bytes: data.len().try_into()?,
			chunks: leaves.len().try_into()?,
			chunk_log2: DEFAULT_CHUNK_LOG2,
			root: merkle::root(&leaves),
			catalog: Hash([0; 32]),
			ext: Hash([0; 32]),
		};
		Ok(self.stream_key.sign(header, &self.chain.genesis()))
	}

	/// What the relayer signs for these leaves of a window.
	fn receipt_for(&self, header: &WindowHeader, delivered: &[Hash]) -> Result<Account> {
		let deliveries = vec![Delivery {
			header: header.hash(),
			first: 0,
			count: delivered.len().try_into()?,
			delivered: merkle::root(delivered),
		}];
		let payer = PayerOpening {
			salt: Hash([8; 32]),
			account: self.viewer.account(),
			session: self.session.public(),
		};
		let receipt = Receipt {
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			payer: payer.hash(),
			payee: self.relayer.account(),
			key: self.relayer_key.public(),
			stream: self.stream,
			root: deliveries_root(&deliveries),
			bytes: header.bytes.into(),
			price: 2_000_000,
			commitment: Hash([4; 32]),
			block: self.chain.head().best,
		};
		Ok(Account {
			receipt: self.relayer_key.sign(receipt, &self.chain.genesis()),
			payer,
			deliveries,
		})
	}

	/// A day passes before anybody is paid: here it is the freeze alone that is seen.
	async fn a_wrong_chunk_freezes_the_bond(&self) -> Result<()> {
		let right = vec![7; 375_000];
		let mut wrong = right.clone();
		wrong[200_000] ^= 1;
		let header = self.header(&right)?.message;
		let leaves = |data: &[u8]| merkle::leaves(data, DEFAULT_CHUNK_LOG2);
		let (signed, delivered) = (leaves(&right), leaves(&wrong));
		let account = self.receipt_for(&header, &delivered)?;
		let evidence = ChunkFraud::find(&account, 0, &header, &signed, &delivered).context("one chunk differs")?;
		let report =
			|evidence: &ChunkFraud| Call::new("FraudProofs", "report_invalid_chunk").argument("evidence", evidence);
		// An honest receipt convicts nobody.
		let account = self.receipt_for(&header, &signed)?;
		let honest = ChunkFraud {
			receipt: account.receipt,
			delivery: account.deliveries[0],
			..evidence.clone()
		};
		ensure!(self.submit(&self.viewer, &report(&honest)).await.is_err(), "framed");

		let before = self.free(&self.viewer).await?;
		let included = self.submit(&self.viewer, &report(&evidence)).await?;
		ensure!(
			included.fee == 0,
			"good evidence is free of charge, not {}",
			included.fee
		);
		let after = self.free(&self.viewer).await?;
		ensure!(
			after == before,
			"nobody is paid yet: the viewer has {before}, then {after}"
		);
		let relayers = self.chain.relayers().await?;
		let listed = relayers.iter().any(|r| r.account == self.relayer.account());
		ensure!(!listed, "a frozen relayer is in no list");
		let leave = calls::unbond(&self.relayer.account());
		ensure!(self.submit(&self.relayer, &leave).await.is_err(), "it cannot leave");
		ensure!(self.submit(&self.viewer, &report(&evidence)).await.is_err(), "twice");
		Ok(())
	}

	async fn an_equivocating_broadcaster_is_flagged(&self) -> Result<()> {
		let evidence = Equivocation::Headers {
			first: self.header(b"one")?,
			second: self.header(b"other")?,
		};
		let report = calls::report_equivocation(&self.stream_key.public(), &evidence);
		ensure!(!self.stream_key().await?.flagged, "not yet");
		self.submit(&self.viewer, &report).await?;
		ensure!(self.stream_key().await?.flagged, "flagged");
		Ok(())
	}
}

async fn a_treasury_payment_needs_two_of_three(chain: &Chain) -> Result<()> {
	let [alice, bob, charlie] = ["//Alice", "//Bob", "//Charlie"].map(Wallet::from_suri);
	let (alice, bob, charlie) = (alice?, bob?, charlie?);
	let holders = [&alice, &bob, &charlie].map(Wallet::account);
	let signatories = Signatories::new(holders.into(), TREASURY_THRESHOLD)?;
	ensure!(chain.treasury().await? == Some(signatories.account()), "they hold it");

	let payee = Wallet::from_suri("//economy//payee")?.account();
	let amount = 20_000;
	let pay = async |who: &Wallet| {
		chain
			.pay_together(who, &signatories, &payee, amount, Wait::Finalised)
			.await
	};
	let cancel = async |who: &Wallet| {
		chain
			.cancel_payment(who, &signatories, &payee, amount, Wait::Finalised)
			.await
	};
	let received = async || Ok::<_, anyhow::Error>(chain.viewer_account(&payee, None).await?.free);
	let refused_with = |error: ChainError, rule: &str| {
		ensure!(error.dispatch().is_some_and(|name| name.contains(rule)), "{error}");
		Ok(())
	};

	let first = pay(&alice).await?;
	ensure!(matches!(first, Payment::Waiting { approvals: 1, .. }), "{first:?}");
	ensure!(received().await? == 0, "one signature moves nothing");
	let twice = pay(&alice).await.err().context("one cannot sign for two")?;
	refused_with(twice, "AlreadyApproved")?;
	let other = cancel(&bob).await.err().context("only who opened it takes it back")?;
	refused_with(other, "NotOwner")?;
	cancel(&alice).await?;

	let first = pay(&bob).await?;
	ensure!(matches!(first, Payment::Waiting { approvals: 1, .. }), "{first:?}");
	let second = pay(&charlie).await?;
	ensure!(matches!(second, Payment::Paid(_)), "{second:?}");
	ensure!(received().await? == amount, "two signatures do");
	Ok(())
}
