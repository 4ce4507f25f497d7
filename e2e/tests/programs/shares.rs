//! Relayers that buy from relayers, on a real chain: three payments over two hops, redeemed in every order.

use anyhow::{ensure, Context, Result};
use clustercast_chain::{
	calls::{Call, NewRelayer, NewStream},
	Chain, Wait, Wallet,
};
use clustercast_e2e::{
	lab::Lab,
	network::{Network, START_MONEY},
};
use clustercast_primitives::{
	amount::{share as share_of, ticket_bytes, USDC},
	chain::{Payout, StreamTerms, PPM},
	crypto::KeyPair,
	notice::RelayerProof,
	receipt::Kind,
	ticket::EXPIRY_GRID,
	AccountId, Balance, Hash, StreamId, Voucher,
};
use std::collections::BTreeMap;

/// What a relayer puts up, micro-USDC.
const BOND: Balance = 10 * USDC;

/// What the viewer pays the last relayer, and each relayer the one before it, micro-USDC.
const PRICES: [Balance; 3] = [1_000_001, 600_003, 300_007];

/// The order in which the payments are redeemed: all there are.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// The broadcaster's share, and the treasury's, parts per million.
const SHARES: (u32, u32) = (100_000, 20_000);

#[test]
fn the_last_price_alone_pays_the_shares_in_every_order() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let cast = Cast::enter(&network).await?;
		let books = network.books();
		let before = books.snapshot(books.settle().await?).await?;
		let mut fees = [0; 4];
		for (stream, order) in cast.streams.iter().zip(ORDERS) {
			let redeemed = cast.redeem_in_order(*stream, order).await;
			for (sum, fee) in fees.iter_mut().zip(redeemed.with_context(|| format!("{order:?}"))?) {
				*sum += fee;
			}
		}
		let after = books.snapshot(books.settle().await?).await?;
		cast.compare(&before.changes(&after), fees)
	});
}

/// Who pays with a session.
struct Buyer {
	wallet: Wallet,
	session: KeyPair,
}

/// Everybody, and what they set up.
struct Cast<'a> {
	chain: &'a Chain,
	broadcaster: Wallet,
	/// The viewer, the relayer that it pays, the one which that buys from, and the one which that buys from.
	hops: Vec<Buyer>,
	/// One for each order.
	streams: Vec<StreamId>,
}

impl<'a> Cast<'a> {
	async fn enter(network: &'a Network) -> Result<Self> {
		let chain = network.books().chain();
		let broadcaster = Wallet::from_suri("//shares//broadcaster")?;
		let hops: Vec<_> = (0..4)
			.map(|n| {
				Ok(Buyer {
					wallet: Wallet::from_suri(&format!("//shares//{n}"))?,
					session: KeyPair::from_seed([70 + n; 32]),
				})
			})
			.collect::<Result<_>>()?;
		let mut accounts: Vec<_> = hops.iter().map(|hop| (hop.wallet.account(), START_MONEY)).collect();
		accounts.push((broadcaster.account(), START_MONEY));
		network.fund(&accounts).await?;
		for (n, hop) in (0..).zip(&hops) {
			if n > 0 {
				let signing_key = KeyPair::from_seed([80 + n; 32]);
				let proof = RelayerProof {
					account: hop.wallet.account(),
				};
				let registration = NewRelayer {
					signing_key: signing_key.public(),
					proof: signing_key.sign(proof, &chain.genesis()).signature,
					addresses: vec!["/ip4/127.0.0.1/udp/1/quic-v1".into()],
					price_per_gb: 2_000_000,
					bond: BOND,
				};
				chain.register_relayer(&hop.wallet, &registration).await?;
			}
			let expiry = chain.head().best + 10_000;
			let deposit = 10 * USDC;
			chain
				.deposit_and_authorize(&hop.wallet, deposit, &hop.session, deposit, expiry, Wait::InBlock)
				.await?;
		}
		let mut streams = Vec::new();
		for n in 0..ORDERS.len() {
			let stream = NewStream {
				signing_key: KeyPair::from_seed([90; 32]).public(),
				title: format!("shares {n}"),
				category: "test".into(),
				max_viewers: 0,
				terms: StreamTerms {
					price_per_gb: 2_000_000,
					max_surge_ppm: PPM,
					broadcaster_share_ppm: SHARES.0,
				},
			};
			streams.push(chain.mint(&broadcaster, &stream).await?);
		}
		Ok(Self {
			chain,
			broadcaster,
			hops,
			streams,
		})
	}

	/// Who `n` hops from the viewer pays, its voucher for all that it owes there, redeemed by whom it pays: who got what,
	/// and the fee.
	async fn redeem(&self, stream: StreamId, n: usize) -> Result<(Payout, Balance)> {
		let (buyer, seller) = (&self.hops[n], &self.hops[n + 1]);
		let voucher = Voucher {
			sender: buyer.wallet.account(),
			session: buyer.session.public(),
			recipient: seller.wallet.account(),
			stream,
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			terms: 0,
			amount: PRICES[n],
			// As many as this buys at the stream key's price.
			bytes: ticket_bytes(u64::try_from(PRICES[n] * 500)?),
			expiry: (self.chain.head().best + 300).next_multiple_of(EXPIRY_GRID),
		};
		let vouchers = vec![buyer.session.sign(voucher, &self.chain.genesis())];
		let call = Call::new("TicketBroker", "redeem_vouchers").argument("vouchers", &vouchers);
		let included = self.chain.submit(&seller.wallet, &call, Wait::InBlock).await?;
		let paid = included.event("TicketBroker", "VoucherRedeemed");
		let paid = paid.with_context(|| format!("{included:?}"))?;
		Ok((paid.field("payout")?, included.fee))
	}

	/// Redeems the three payments for a stream, for which the last price alone pays the shares: the fees of each hop.
	async fn redeem_in_order(&self, stream: StreamId, order: [usize; 3]) -> Result<[Balance; 4]> {
		let (mut broadcaster, mut treasury, mut fees) = (0, 0, [0; 4]);
		for n in order {
			let (payout, fee) = self.redeem(stream, n).await?;
			broadcaster += payout.broadcaster;
			treasury += payout.treasury;
			fees[n + 1] += fee;
		}
		let due = [SHARES.0, SHARES.1].map(share);
		ensure!(
			[broadcaster, treasury] == due,
			"{broadcaster} and {treasury} of {}",
			PRICES[0]
		);
		Ok(fees)
	}

	/// Whether everybody has what six times the last price leaves to each.
	fn compare(&self, changes: &BTreeMap<AccountId, i128>, fees: [Balance; 4]) -> Result<()> {
		let change = |who: &Wallet| changes.get(&who.account()).copied().unwrap_or_default();
		let orders = ORDERS.len() as i128;
		let broadcaster = change(&self.broadcaster);
		ensure!(
			broadcaster == orders * share(SHARES.0) as i128,
			"the broadcaster has {broadcaster} more"
		);
		for n in 1..4 {
			let margin = PRICES[n - 1] - PRICES.get(n).copied().unwrap_or_default();
			let whole = orders * (margin - share_of(margin, SHARES.0 + SHARES.1)) as i128;
			let earned = change(&self.hops[n].wallet) + fees[n] as i128;
			// A micro-USDC for each of two shares of each of two payments.
			ensure!(
				(earned - whole).abs() <= 4 * orders,
				"relayer {n} has {earned} of {whole}"
			);
		}
		let viewer = change(&self.hops[0].wallet);
		ensure!(viewer == -orders * PRICES[0] as i128, "the viewer paid {viewer}");
		Ok(())
	}
}

/// A share of the last price, micro-USDC.
fn share(ppm: u32) -> Balance {
	share_of(PRICES[0], ppm)
}
