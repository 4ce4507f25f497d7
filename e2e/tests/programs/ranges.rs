//! A viewer of our own at two real relayers at once: parts of each window from either, one that is cancelled in the middle, a line
//! that breaks. Each relayer is paid for what it brought, by its own books, by the viewer's and by the chain's.

use anyhow::{bail, ensure, Context, Result};
use clustercast_chain::{Chain, Wait, Wallet};
use clustercast_e2e::{
	lab::Lab,
	network::Network,
	programs::Terms,
	scene::{Scene, PRICE_PER_GB, TERMS},
};
use clustercast_network::{node::Limits, Address, Node, Subscription};
use clustercast_primitives::{
	amount::{ticket_bytes, USDC},
	chain::VoucherPlace,
	crypto::KeyPair,
	receipt::Kind,
	subscribe::Binding,
	AccountId, Hash, StreamId,
};
use clustercast_protocol::{
	viewer::Event, Assembly, EncodedWindow, Fetch, Follow, PaymentTerms, Purse, PurseConfig, Range, SessionKey,
	StreamKeys, ViewerConfig, ViewerSession,
};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::{timeout, Instant};

/// By voucher, redeemed when the relayer ends.
const AT_THE_END: Terms = Terms {
	redeem_value: 100 * USDC,
	redeem_age_s: 100_000,
	payment: "vouchers",
	..TERMS
};

/// For each wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// Windows that are put together from parts: so many that the chain pays for what each relayer brought.
const WINDOWS: usize = 9;

#[test]
fn parts_of_a_window_from_two_relayers_are_paid_to_each_for_what_it_brought() {
	Lab::run(async |lab| {
		let network = Network::shared(lab).await?;
		let mut scene = Scene::start_on(lab, network, &[AT_THE_END, AT_THE_END]).await?;
		let mut viewer = Viewer::new(&scene).await?;
		let mut sources = Vec::new();
		for relayer in &scene.relayers {
			let address: Address = relayer.address.parse()?;
			sources.push(viewer.subscribe(&address, relayer.person.account).await?);
		}
		for turn in 0..WINDOWS {
			let window = viewer.put_together(&mut sources, turn).await?;
			ensure!(
				window.header().has(clustercast_primitives::window::flags::INDEPENDENT),
				"{window:?}"
			);
			if turn == 2 {
				// Its line breaks: nothing is said, and what is owed is not paid.
				let (address, account) = (sources[1].address.clone(), sources[1].account);
				let taken = sources[1].taken.clone();
				sources[1] = viewer.subscribe(&address, account).await?;
				sources[1].before = taken;
			}
		}
		for source in &mut sources {
			viewer.leave(source).await?;
		}
		for (source, relayer) in sources.iter().zip(&mut scene.relayers) {
			relayer.stop().await?;
			let place = viewer.place(source.account);
			let kept = relayer.voucher(&scene.network, &place)?.context("a voucher is kept")?;
			let newest = &kept.newest.message;
			// Each subscription is counted in units: who leaves pays for all that came, and a line that broke left something.
			ensure!(
				source.taken.paid == ticket_bytes(source.taken.came),
				"{:?}",
				source.taken
			);
			ensure!(
				source.before.paid <= ticket_bytes(source.before.came),
				"{:?}",
				source.before
			);
			let (paid, amount) = (source.before.paid + source.taken.paid, viewer.signed(source.account));
			ensure!(
				(newest.bytes, newest.amount) == (paid, amount),
				"{newest:?}, {paid} bytes for {amount}"
			);
			let cost = u128::from(paid) * u128::from(PRICE_PER_GB) / 1_000_000_000;
			ensure!(cost.abs_diff(amount) <= 1, "{paid} bytes cost {cost}, not {amount}");
			let after = scene.network.books().settle().await?;
			let redeemed = viewer.chain.vouchers_paid(&[place], Some(after.hash)).await?[0];
			ensure!(redeemed.amount == amount, "{redeemed:?} of {amount}");
			println!(
				"{} bytes came from {}, {paid} are paid: {amount} micro-USDC",
				source.before.came + source.taken.came,
				source.account
			);
		}
		Ok(())
	});
}

/// Bytes that one subscription brought.
#[derive(Clone, Debug, Default)]
struct Taken {
	/// For which was paid, in units.
	paid: u64,
	/// Which verified.
	came: u64,
}

/// A relayer, as the viewer sees it.
struct Source {
	address: Address,
	account: AccountId,
	subscription: Subscription,
	/// Announced and not put together.
	announced: BTreeMap<u64, Assembly>,
	taken: Taken,
	/// Of the subscription before.
	before: Taken,
}

struct Viewer {
	chain: Chain,
	node: Node,
	wallet: AccountId,
	stream: StreamId,
	key: KeyPair,
	keys: StreamKeys,
	terms: u32,
	purse: Purse,
	/// The next window to put together.
	next: Option<u64>,
}

impl Viewer {
	async fn new(scene: &Scene) -> Result<Self> {
		let chain = scene.network.books().chain().clone();
		let wallet = Wallet::from_suri(&scene.viewer.uri)?;
		let key = KeyPair::from_seed([0x52; 32]);
		let expiry = chain.head().best + 2_000;
		chain
			.deposit_and_authorize(&wallet, 10 * USDC, &key, 10 * USDC, expiry, Wait::Finalised)
			.await?;
		let stream = StreamId(scene.origin.stream);
		let info = chain.stream_key(stream).await?.context("a stream")?;
		let purse = Purse::new(
			PurseConfig {
				genesis: chain.genesis(),
				sender: wallet.account(),
				session_expiry: expiry,
				ticket_life: 450,
				budget: 10 * USDC,
			},
			key.clone(),
		);
		let (node, _) = Node::start(&KeyPair::from_seed([0x53; 32]), Limits::default())?;
		Ok(Self {
			chain,
			node,
			wallet: wallet.account(),
			stream,
			key,
			keys: info.signing_key.into(),
			terms: info.terms_counter,
			purse,
			next: None,
		})
	}

	fn place(&self, recipient: AccountId) -> VoucherPlace {
		VoucherPlace {
			session: self.key.public(),
			recipient,
			stream: self.stream,
			kind: Kind::LIVE,
			context: Hash([0; 32]),
			terms: self.terms,
		}
	}

	/// What the newest voucher to this account owes, micro-USDC.
	fn signed(&self, recipient: AccountId) -> u128 {
		let place = self.place(recipient);
		let newest = self.purse.vouchers_to(&recipient).find(|(at, _)| *at == place);
		newest.map_or(0, |(_, amount)| amount)
	}

	async fn subscribe(&mut self, address: &Address, account: AccountId) -> Result<Source> {
		let stream = self.node.connect(address).await?;
		let session = ViewerSession::new(ViewerConfig {
			genesis: self.chain.genesis(),
			stream: self.stream,
			track: 0,
			keys: self.keys.clone(),
			relayer_key: address.peer(),
			relayer_account: Some(account),
			binding: Binding::PeerKey(address.peer().0),
			payment: Some(PaymentTerms {
				session: SessionKey {
					account: self.wallet,
					key: self.key.public(),
				},
				vouchers: true,
				terms: self.terms,
				max_price_per_gb: PRICE_PER_GB,
				max_face_value: USDC,
			}),
			head: self.chain.head().best,
			latest_start_ms: u64::MAX,
			resume: None,
			follow: Follow::Announcements,
		});
		Ok(Source {
			address: address.clone(),
			account,
			subscription: Subscription::new(stream, session, PATIENCE),
			announced: BTreeMap::new(),
			taken: Taken::default(),
			before: Taken::default(),
		})
	}

	/// The next thing that happens at a relayer, acted upon where that is always the same.
	async fn event(&mut self, source: &mut Source) -> Result<Event> {
		source.subscription.session().set_head(self.chain.head().best);
		let event = timeout(PATIENCE, source.subscription.next())
			.await
			.context("nothing happens")??;
		match &event {
			Event::Challenged(challenge) => {
				let signed = self.purse.subscribe(challenge.clone());
				source.subscription.session().subscribe(signed);
			},
			Event::Terms(Some(terms)) => {
				if let clustercast_protocol::PaymentMode::Vouchers { newest: Some(newest) } = &terms.mode {
					self.purse.adopt(newest)?;
				}
			},
			Event::Announced(of) => {
				source.announced.insert(of.id().segment, Assembly::new(of.clone()));
			},
			Event::Chunks(chunks) => source.taken.came += chunks.data().len() as u64,
			Event::PaymentDue(due) => {
				let head = self.chain.head().best;
				self.purse.reserve(&due.recipient, head);
				let payment = self.purse.pay(due, head)?;
				source.taken.paid += due.share.bytes();
				source.subscription.session().pay(due, payment)?;
			},
			Event::Ended(reason) => bail!("ended: {reason}"),
			_ => {},
		}
		Ok(event)
	}

	/// Waits until a relayer has announced this window, or, for none, any.
	async fn announced(&mut self, source: &mut Source, segment: Option<u64>) -> Result<u64> {
		let deadline = Instant::now() + PATIENCE;
		loop {
			match segment {
				Some(segment) if source.announced.contains_key(&segment) => return Ok(segment),
				None => {
					if let Some(newest) = source.announced.keys().next_back() {
						return Ok(*newest);
					}
				},
				_ => {},
			}
			ensure!(Instant::now() < deadline, "{segment:?} is not announced");
			self.event(source).await?;
		}
	}

	/// The next window, from parts.
	async fn put_together(&mut self, sources: &mut [Source], turn: usize) -> Result<EncodedWindow> {
		let segment = match self.next {
			Some(next) => next,
			None => self.announced(&mut sources[0], None).await? + 1,
		};
		for source in sources.iter_mut() {
			self.announced(source, Some(segment)).await?;
		}
		let mut assembly = sources[0].announced.remove(&segment).context("announced")?;
		// The first one is asked for all of it in one turn, and told that it is enough.
		let cut = turn == 1;
		let chunks = assembly.announced().header().chunks;
		let first = match cut {
			true => chunks,
			false => chunks / 2,
		};
		let range = |first: u32, count: u32| Range {
			first,
			count,
			..assembly.announced().range()
		};
		let mut asked = vec![(0, range(0, first))];
		if !cut {
			asked.push((1, range(first, chunks - first)));
		}
		for (at, range) in &asked {
			let fetch = Fetch {
				range: *range,
				within_ms: 30_000,
			};
			ensure!(
				sources[*at].subscription.session().fetch(fetch),
				"{range} cannot be fetched"
			);
			if cut {
				sources[*at].subscription.session().cancel(*range);
			}
		}
		for (at, _) in asked {
			self.take(&mut sources[at], &mut assembly).await?;
		}
		// What the first one did not bring.
		for missing in assembly.missing() {
			let fetch = Fetch {
				range: missing,
				within_ms: 30_000,
			};
			ensure!(
				sources[1].subscription.session().fetch(fetch),
				"{missing} cannot be fetched"
			);
			self.take(&mut sources[1], &mut assembly).await?;
		}
		self.next = Some(segment + 1);
		assembly.finish().context("it is whole")
	}

	/// Waits for what was fetched; it may not come.
	async fn take(&mut self, source: &mut Source, assembly: &mut Assembly) -> Result<()> {
		loop {
			match self.event(source).await? {
				Event::Chunks(chunks) => {
					ensure!(assembly.put(&chunks), "chunks of another window");
					return Ok(());
				},
				Event::Lacks(_) => return Ok(()),
				_ => {},
			}
		}
	}

	/// Pays what came, and goes.
	async fn leave(&mut self, source: &mut Source) -> Result<()> {
		source.subscription.session().leave();
		while source.subscription.session().owes() {
			self.event(source).await?;
		}
		Ok(())
	}
}
