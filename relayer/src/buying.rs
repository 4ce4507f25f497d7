//! Buys windows of other relayers: one account, session key and purse for all streams. What shares it pays is credited to the account
//! when it sells. Who is bought from is said by [`crate::sources`], whom to turn to next by [`crate::upstream`].

use crate::{
	config::{buying::Buying, streams::Upstream},
	metrics,
	rewards::Rewards,
	sources::Seller,
	streams::Served,
};
use clustercast_chain::{Chain, Wallet};
use clustercast_cli::Seldom;
use clustercast_network::Subscription;
use clustercast_pay::{
	accusation::{Inquest, Reporter},
	beside::Beside,
	funds::{self, FundsError},
	pocket::{PayError, Pocket, StateFolder},
	registration::{self, Registration, Unfit},
};
use clustercast_primitives::{
	chain::{ChannelInfo, ChannelKey, RelayerInfo, VoucherTotals},
	subscribe::{SignedSubscription, Subscription as Request},
	AccountId, Balance, BlockNumber, PublicKey, Usdc,
};
use clustercast_protocol::{
	thrift::{TooMuch, Wish},
	viewer::{Due, Event},
	EncodedWindow, PaymentMode, PaymentTerms, PurseError, SessionKey, Terms, Thrift, ThriftConfig,
};
use std::{
	collections::HashMap,
	path::Path,
	sync::{Arc, Mutex, MutexGuard, PoisonError},
	time::Duration,
};
use tokio::{
	sync::{watch, Notify},
	time::{sleep, timeout, timeout_at, Instant},
};

/// In the state folder: session key, purse, evidence.
const FOLDER: &str = "buying";

/// How often it is looked whether deposit and session key last.
const LOOK: Duration = Duration::from_secs(60);

/// Between two looks at least, however often somebody says that we cannot pay.
const LOOK_PAUSE: Duration = Duration::from_secs(10);

/// How long the chain may take to answer in the middle of a broadcast.
const ANSWER: Duration = Duration::from_secs(2);

/// Where it does not, it is asked again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// A relayer that is left may take so long to ask for what it delivered: what verified is paid.
const SETTLE: Duration = Duration::from_secs(3);

/// And so long to hear that we leave.
const FAREWELL: Duration = Duration::from_secs(1);

/// See the module.
pub struct Buyer {
	chain: Chain,
	/// Of the account that registered.
	wallet: Arc<Wallet>,
	folder: StateFolder,
	limits: Buying,
	/// Replaced, session key and all, before its session ends.
	purse: watch::Sender<Arc<Purse>>,
	/// Of the account, micro-USDC, when it was looked at last.
	deposit: Mutex<Balance>,
	/// By session, and who it is reserved for: of all streams that it sells us.
	savings: Mutex<HashMap<(PublicKey, AccountId), Saving>>,
	/// What was reserved of late.
	rewards: Mutex<Rewards>,
	/// As it was read last.
	registered: Mutex<Arc<[RelayerInfo]>>,
	inquest: Inquest,
	/// Somebody says that we cannot pay.
	doubt: Notify,
}

/// A purse that several subscriptions pay from.
struct Purse {
	session: PublicKey,
	pocket: Mutex<Pocket>,
}

impl Purse {
	fn new(pocket: Pocket) -> Arc<Self> {
		Arc::new(Self {
			session: pocket.session(),
			pocket: Mutex::new(pocket),
		})
	}
}

/// What is reserved for a relayer.
#[derive(Default)]
struct Saving {
	/// `None` where it asks for nothing.
	thrift: Option<Thrift>,
	/// A reservation is being signed.
	busy: bool,
	/// Subscriptions at it.
	deals: usize,
}

impl Buyer {
	/// Makes sure of deposit and session key, which takes a few blocks where they are not there.
	pub async fn prepare(
		chain: Chain,
		wallet: Arc<Wallet>,
		limits: Buying,
		state: &Path,
		registered: Vec<RelayerInfo>,
	) -> Result<Self, FundsError> {
		let folder = StateFolder::open(&state.join(FOLDER))?;
		let pocket = funds::prepare(&chain, &wallet, &folder, limits.wanted).await?;
		let deposit = chain.viewer_account(&wallet.account(), None).await?.deposit;
		let court = Reporter {
			chain: chain.clone(),
			wallet: wallet.clone(),
		};
		let docket = folder.docket(&chain.genesis());
		Ok(Self {
			chain,
			wallet,
			folder,
			limits,
			purse: watch::Sender::new(Purse::new(pocket)),
			deposit: Mutex::new(deposit),
			savings: Mutex::default(),
			rewards: Mutex::default(),
			registered: Mutex::new(registered.into()),
			inquest: Inquest::start(Some(court), docket),
			doubt: Notify::new(),
		})
	}

	/// Keeps deposit and session key good, for ever.
	pub async fn keep_funded(&self) {
		let mut trouble = Seldom::default();
		loop {
			sleep(LOOK_PAUSE).await;
			let _ = timeout(LOOK, self.doubt.notified()).await;
			// Of a node that is behind: what it says may be long spent.
			if self.chain.tip().is_late() {
				continue;
			}
			match self.look().await {
				Ok(()) => drop(trouble.well()),
				Err(error) => {
					if trouble.due(Instant::now().into_std()).is_some() {
						tracing::warn!(%error, "what is bought may not be paid for much longer");
					}
				},
			}
		}
	}

	async fn look(&self) -> Result<(), FundsError> {
		let session = self.purse.borrow().session;
		let renewed = funds::renew(&self.chain, &self.wallet, &self.folder, self.limits.wanted, &session).await?;
		if let Some(pocket) = renewed {
			tracing::info!("what is bought is paid with another session key from now on");
			self.purse.send_replace(Purse::new(pocket));
		}
		*lock(&self.deposit) = self.chain.viewer_account(&self.wallet.account(), None).await?.deposit;
		Ok(())
	}

	/// Somebody says that we cannot pay.
	pub fn doubt(&self) {
		self.doubt.notify_one();
	}

	/// The registry: as it is now, or as it was read last where the chain does not answer.
	pub async fn registered(&self) -> Arc<[RelayerInfo]> {
		if let Ok(Ok(read)) = timeout(ANSWER, self.chain.relayers()).await {
			*lock(&self.registered) = read.into();
		}
		lock(&self.registered).clone()
	}

	/// Where this relayer is, by the registry as it was read last, if we would buy from it.
	pub fn place_of(&self, key: &PublicKey) -> Option<Upstream> {
		let registered = lock(&self.registered).clone();
		let info = registered.iter().find(|info| info.signing_key == *key)?;
		let fits = info.unbonds_at.is_none()
			&& info.price_per_gb <= self.limits.max_price_per_gb
			&& info.account != self.account();
		let mut places = info.addresses.iter().filter(|_| fits);
		let place = places.find_map(|address| clustercast_network::place(address).ok())?;
		Some(Upstream {
			place,
			peer: Some(*key),
		})
	}

	/// Stores what was spent: at an orderly end.
	pub fn save(&self) {
		if let Err(error) = lock(&self.purse.borrow().pocket).save() {
			tracing::warn!(%error, "cannot store the purse");
		}
	}

	/// A window that verified, whoever brought it: what others sign for its place is judged by it.
	pub fn note(&self, window: &EncodedWindow) {
		self.inquest.window(window);
	}

	/// The account that pays.
	pub fn account(&self) -> AccountId {
		self.wallet.account()
	}

	/// Begins to buy a stream.
	pub fn deal(self: &Arc<Self>, seller: Seller, stream: Arc<Served>) -> Deal {
		let mut purse = self.purse.subscribe();
		let now = purse.borrow_and_update().clone();
		let place = (now.session, seller.account);
		lock(&self.savings).entry(place).or_default().deals += 1;
		Deal {
			buyer: self.clone(),
			seller,
			stream,
			place,
			purse: now,
			renewed: purse,
			registration: Registration::default(),
			registry_at: Instant::now() + registration::AGAIN,
			registry: Beside::default(),
			paid: Beside::default(),
			asking: None,
			paid_at: Instant::now(),
			price_per_gb: None,
		}
	}

	fn block(&self) -> BlockNumber {
		self.chain.tip().block()
	}
}

/// Why a relayer is not bought from.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
	/// It wants too much reserved.
	#[error(transparent)]
	TooMuch(#[from] TooMuch),
	/// It shows a voucher that our purse does not take.
	#[error("the voucher that it shows: {0}")]
	Voucher(PurseError),
	/// It cannot be paid.
	#[error("cannot be paid: {0}")]
	Pay(#[from] PayError),
	/// No bond answers for it any more.
	#[error(transparent)]
	Unfit(#[from] Unfit),
}

/// What was paid of what is reserved, by the chain; `None` where it does not answer.
pub type Paid = Option<(ChannelInfo, Vec<VoucherTotals>)>;

/// What there is to know of a subscription that is paid.
pub enum Told {
	/// It is to be left: a bond does not answer for it any more, or what pays is another session key from now on (`None`).
	Over(Option<Unfit>),
	/// What the chain was asked for: [`Deal::reserve`].
	Paid(Paid),
}

/// While the chain is asked what was paid, nothing else is reserved at this place.
struct Asking {
	buyer: Arc<Buyer>,
	place: (PublicKey, AccountId),
	wish: Wish,
}

impl Drop for Asking {
	fn drop(&mut self) {
		let mut savings = lock(&self.buyer.savings);
		savings
			.get_mut(&self.place)
			.into_iter()
			.for_each(|saving| saving.busy = false);
	}
}

/// One subscription that is paid.
pub struct Deal {
	buyer: Arc<Buyer>,
	/// Whom we pay.
	pub seller: Seller,
	stream: Arc<Served>,
	place: (PublicKey, AccountId),
	purse: Arc<Purse>,
	renewed: watch::Receiver<Arc<Purse>>,
	registration: Registration,
	registry_at: Instant,
	/// What the registry says, where it answers.
	registry: Beside<Option<Vec<RelayerInfo>>>,
	/// What was paid of what is reserved, for what is to be reserved beyond it.
	paid: Beside<Paid>,
	asking: Option<Asking>,
	/// The chain is not asked for that before this.
	paid_at: Instant,
	/// As its subscription says.
	price_per_gb: Option<u64>,
}

impl Deal {
	/// What is paid at most, and with what.
	pub fn payment(&self) -> PaymentTerms {
		PaymentTerms {
			session: SessionKey {
				account: self.buyer.wallet.account(),
				key: self.purse.session,
			},
			vouchers: true,
			terms: self.stream.terms(),
			max_price_per_gb: self.buyer.limits.max_price_per_gb,
			max_face_value: self.buyer.limits.max_face_value,
		}
	}

	/// Signs what it asks for before it serves.
	pub fn subscribe(&self, request: Request) -> SignedSubscription {
		lock(&self.purse.pocket).subscribe(request)
	}

	/// It states its terms.
	pub fn terms(&mut self, terms: &Terms) -> Result<(), Refused> {
		self.price_per_gb = Some(terms.price_per_gb);
		if let Some(asked) = terms.reserve {
			let config = ThriftConfig {
				deposit: *lock(&self.buyer.deposit),
			};
			let thrift = Thrift::new(config, asked, terms.price_per_gb, self.buyer.block())?;
			self.with_saving(|saving| {
				let thrift = saving.thrift.get_or_insert(thrift);
				thrift.pays(matches!(terms.mode, PaymentMode::Vouchers { .. }));
			});
		}
		match &terms.mode {
			PaymentMode::Vouchers { newest: Some(newest) } => {
				lock(&self.purse.pocket).adopt(newest).map_err(Refused::Voucher)
			},
			_ => Ok(()),
		}
	}

	/// It sends windows: what it asks is what the stream costs. One that stands by brings next to nothing.
	pub fn leads(&self) {
		if let Some(price) = self.price_per_gb {
			self.stream.set_cost(price);
		}
	}

	/// The stream's terms, as the chain has them by now.
	pub fn keep_up(&self, subscription: &mut Subscription) {
		subscription.session().set_terms(self.stream.terms());
	}

	/// Asks the chain what was paid, where more is to be reserved: [`Deal::told`] has the answer.
	pub fn tend(&mut self) {
		let now = Instant::now();
		if self.asking.is_some() || now < self.paid_at || !lock(&self.buyer.rewards).may(&self.seller.account, now) {
			return;
		}
		let block = self.buyer.block();
		let wish = self.with_saving(|saving| {
			let wish = saving.thrift.as_ref().filter(|_| !saving.busy)?.wish(block)?;
			saving.busy = true;
			Some(wish)
		});
		let Some(wish) = wish.flatten() else {
			return;
		};
		self.asking = Some(Asking {
			buyer: self.buyer.clone(),
			place: self.place,
			wish,
		});
		let recipient = self.seller.account;
		let places = lock(&self.purse.pocket).vouchers_to(&recipient);
		let places: Vec<_> = places.into_iter().map(|(place, _)| place).collect();
		let channel = ChannelKey {
			session: self.purse.session,
			recipient,
		};
		let chain = self.buyer.chain.clone();
		self.paid.ask(async move {
			let asked = timeout(ANSWER, funds::paid(&chain, channel, &places)).await;
			asked
				.ok()?
				.inspect_err(
					|error| tracing::warn!(%error, "nothing is reserved: the chain does not say what was paid"),
				)
				.ok()
		});
	}

	/// It stands by from now on: nothing more is reserved for it.
	pub fn rests(&mut self) {
		self.paid.forget();
		self.asking = None;
	}

	/// Signs and sends the reservation for which the chain was asked this; whether it was.
	pub fn reserve(&mut self, subscription: &mut Subscription, paid: Paid) -> bool {
		let Some(asking) = self.asking.take() else {
			return false;
		};
		let sent = paid.is_some_and(|(channel, paid)| self.cover(subscription, &asking.wish, &channel, &paid));
		match sent {
			true => {
				lock(&self.buyer.rewards).note(self.seller.account, Instant::now());
				self.with_saving(|saving| {
					if let Some(thrift) = &mut saving.thrift {
						thrift.sent(&asking.wish);
					}
				});
			},
			false => self.paid_at = Instant::now() + AGAIN,
		}
		sent
	}

	fn cover(
		&self,
		subscription: &mut Subscription,
		wish: &Wish,
		channel: &ChannelInfo,
		paid: &[VoucherTotals],
	) -> bool {
		let covered = lock(&self.purse.pocket).cover(&self.seller.account, wish, channel, paid);
		match covered {
			Ok(reservation) => {
				tracing::info!(amount = %Usdc(wish.amount), reward = %Usdc(wish.reward), "reserving for upstream");
				subscription.session().reserve(reservation)
			},
			Err(error) => {
				tracing::warn!(%error, "nothing is reserved");
				false
			},
		}
	}

	/// Pays what is due.
	pub fn pay(&self, subscription: &mut Subscription, due: &Due) -> Result<(), PayError> {
		let payment = lock(&self.purse.pocket).pay(due, self.buyer.block())?;
		// Refused only where a fault was found meanwhile: the next event says which.
		if subscription.session().pay(due, payment).is_err() {
			return Ok(());
		}
		let worth = due.share.worth_q64().unwrap_or_default();
		let worth = (worth >> 64) + Balance::from(worth << 64 != 0);
		self.with_saving(|saving| {
			if let Some(thrift) = &mut saving.thrift {
				thrift.signed(worth);
			}
		});
		let worth = u64::try_from(worth).unwrap_or(u64::MAX);
		::metrics::counter!(metrics::BOUGHT, "stream" => self.stream.id.to_string()).increment(worth);
		Ok(())
	}

	/// Takes note of what it brought, for what is reserved and for what is found against it.
	pub fn note(&self, event: &Event) {
		match event {
			Event::Window(window) => self.window(window),
			Event::Status(status) => self.buyer.inquest.status(status),
			Event::Catalog(catalog) => self.buyer.inquest.catalog(catalog),
			Event::Reserved(_) => {
				self.with_saving(|saving| {
					if let Some(thrift) = &mut saving.thrift {
						thrift.confirmed();
					}
				});
			},
			_ => {},
		}
	}

	fn window(&self, window: &EncodedWindow) {
		let header = window.header();
		self.with_saving(|saving| {
			if let Some(thrift) = &mut saving.thrift {
				thrift.window(header.bytes, header.duration_ms, self.buyer.block());
			}
		});
	}

	/// What there is to know of it. Cancel safe: a question to the chain goes on, however often waiting for it is broken off.
	pub async fn told(&mut self) -> Told {
		loop {
			tokio::select! {
				// Whoever replaces it lives as long as we do.
				Ok(()) = self.renewed.changed() => return Told::Over(None),
				paid = self.paid.answer() => return Told::Paid(paid),
				() = tokio::time::sleep_until(self.registry_at) => {
					self.registry_at = Instant::now() + registration::AGAIN;
					if self.buyer.chain.tip().is_late() {
						continue;
					}
					let chain = self.buyer.chain.clone();
					self.registry.ask(async move { timeout(ANSWER, chain.relayers()).await.ok()?.ok() });
				},
				registered = self.registry.answer() => {
					if let Some(unfit) = registered.and_then(|registered| self.is_over(&registered)) {
						return Told::Over(Some(unfit));
					}
				},
			}
		}
	}

	/// Whether a bond does not answer for it any more, with the registry as it is now.
	pub fn is_over(&mut self, registered: &[RelayerInfo]) -> Option<Unfit> {
		self.registration
			.read(&self.seller.key, Some(self.seller.account), registered)
			.err()
	}

	/// What pays is another session key from now on.
	pub fn is_renewed(&self) -> bool {
		self.renewed.has_changed().unwrap_or(false)
	}

	/// Leaves; where that is no sudden end, what was delivered is asked for and paid. What a fault may still show is kept as evidence.
	pub async fn part(mut self, mut subscription: Subscription, sudden: bool) {
		if subscription.session().fault().is_some() {
			self.buyer.inquest.fault(subscription);
			return;
		}
		if sudden {
			// Nobody waits for who may be dead.
			tokio::spawn(subscription.leave(FAREWELL));
			return;
		}
		self.settle(&mut subscription).await;
		subscription.leave(FAREWELL).await;
	}

	async fn settle(&mut self, subscription: &mut Subscription) {
		let by = Instant::now() + SETTLE;
		subscription.session().leave();
		while subscription.session().owes() {
			match timeout_at(by, subscription.next()).await {
				Ok(Ok(Event::PaymentDue(due))) => {
					if let Err(error) = self.pay(subscription, &due) {
						tracing::warn!(%error, "what was delivered last is not paid");
						return;
					}
				},
				Ok(Ok(Event::Ended(_)) | Err(_)) | Err(_) => return,
				// Windows that were on their way are paid, and not relayed.
				Ok(Ok(_)) => subscription.session().set_head(self.buyer.block()),
			}
		}
	}

	/// `None` where it is gone, which it is not as long as we are.
	fn with_saving<T>(&self, then: impl FnOnce(&mut Saving) -> T) -> Option<T> {
		lock(&self.buyer.savings).get_mut(&self.place).map(then)
	}
}

impl Drop for Deal {
	fn drop(&mut self) {
		let mut savings = lock(&self.buyer.savings);
		if let Some(saving) = savings.get_mut(&self.place) {
			saving.deals -= 1;
			// What it held is released by then, or soon is.
			if saving.deals == 0 {
				savings.remove(&self.place);
			}
		}
	}
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
	// A purse whose caller panicked half-way has reserved its nonces on disk; the rest is changed in one step.
	mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
