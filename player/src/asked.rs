//! What the chain is asked while windows come: beside the loop that moves them, one question of each kind at a time. A node whose
//! requests hang holds up nobody's video.

use crate::{beside::Beside, view::ChainView};
use clustercast_chain::ChainError;
use clustercast_primitives::{
	chain::{ChannelInfo, ChannelKey, RelayerInfo, StreamKeyInfo, ViewerAccount, VoucherPlace, VoucherTotals},
	AccountId, PublicKey, StreamId,
};
use clustercast_protocol::{routes::Names, thrift::Wish, Fault};
use std::{collections::VecDeque, future::Future, time::Duration};
use tokio::time::{timeout, Instant};

/// How long the chain may take to say something, in the middle of a broadcast.
pub(crate) const LOOK_UP: Duration = Duration::from_secs(2);

/// Where it does not say what was paid, it is asked again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// Refusals of which the registry is to say whom they name, and standbys about which the chain is to say something, at most: more than
/// there are at a time. The oldest goes.
const MOST: usize = 8;

/// What the chain says; `None` where it does not answer in time.
#[allow(clippy::large_enum_variant, reason = "handed on at once, one at a time")]
pub(crate) enum Answer {
	/// Who is registered.
	Registry(Option<Vec<RelayerInfo>>),
	/// What the account has.
	Account(Option<ViewerAccount>),
	/// The stream's key and terms.
	Stream(Option<StreamKeyInfo>),
	/// What was paid to this recipient, for whom something is to be reserved.
	Paid(AccountId, Wish, Option<Paid>),
}

/// What a channel has paid, and what vouchers have paid at its places.
pub(crate) type Paid = (ChannelInfo, Vec<VoucherTotals>);

/// One that stood by and is left for something that may be honest, as the chain is to say.
pub(crate) struct Doubt {
	pub(crate) relayer: PublicKey,
	/// Its peer id, in words.
	pub(crate) peer: String,
	pub(crate) why: Why,
}

pub(crate) enum Why {
	/// It brought what this key, which is the stream's as far as we know, has not signed; so many bytes were wrong.
	Unsigned(Fault, u64, PublicKey),
	/// It says that we cannot pay.
	Means,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Asked {
	registry: Beside<Option<Vec<RelayerInfo>>>,
	account: Beside<Option<ViewerAccount>>,
	stream: Beside<Option<StreamKeyInfo>>,
	paid: Beside<(AccountId, Wish, Option<Paid>)>,
	/// It is not asked again before this.
	paid_at: Option<Instant>,
	/// Who refuses us, and whom it names.
	named: VecDeque<(PublicKey, Names)>,
	doubts: VecDeque<Doubt>,
}

impl Asked {
	/// Who is registered.
	pub(crate) fn registry(&mut self, chain: &impl ChainView) {
		let chain = chain.clone();
		self.registry.ask(async move { within(chain.relayers()).await });
	}

	/// Who those are whom this one names.
	pub(crate) fn names(&mut self, by: PublicKey, names: Names, chain: &impl ChainView) {
		push(&mut self.named, (by, names));
		self.registry(chain);
	}

	/// Whether the registry is to say who somebody is.
	pub(crate) fn awaits_names(&self) -> bool {
		!self.named.is_empty() && self.registry.is_asked()
	}

	/// Those refusals, once.
	pub(crate) fn take_named(&mut self) -> VecDeque<(PublicKey, Names)> {
		std::mem::take(&mut self.named)
	}

	/// What the account has.
	pub(crate) fn account(&mut self, account: AccountId, chain: &impl ChainView) {
		let chain = chain.clone();
		self.account.ask(async move { within(chain.account(&account)).await });
	}

	/// The stream's key and terms.
	pub(crate) fn stream(&mut self, stream: StreamId, chain: &impl ChainView) {
		let chain = chain.clone();
		self.stream
			.ask(async move { within(chain.stream_key(stream)).await.flatten() });
	}

	/// The chain is to say whether this one is at fault.
	pub(crate) fn doubt(&mut self, doubt: Doubt) {
		push(&mut self.doubts, doubt);
	}

	/// Those doubts, once.
	pub(crate) fn take_doubts(&mut self, which: impl Fn(&Why) -> bool) -> Vec<Doubt> {
		let all = std::mem::take(&mut self.doubts).into_iter();
		let (taken, left): (Vec<_>, Vec<_>) = all.partition(|doubt| which(&doubt.why));
		self.doubts = left.into();
		taken
	}

	/// Whether it may be asked what was paid.
	pub(crate) fn may_ask_paid(&self) -> bool {
		!self.paid.is_asked() && self.paid_at.is_none_or(|at| at <= Instant::now())
	}

	/// What was paid in this channel and at these places of it; more is to be reserved for whom it pays.
	pub(crate) fn paid(&mut self, channel: ChannelKey, places: Vec<VoucherPlace>, wish: Wish, chain: &impl ChainView) {
		let (chain, recipient) = (chain.clone(), channel.recipient);
		self.paid.ask(async move {
			let paid = within(chain.paid(channel, places)).await;
			(recipient, wish, paid)
		});
	}

	/// Nothing could be reserved: it is tried again by and by.
	pub(crate) fn put_off(&mut self) {
		self.paid_at = Some(Instant::now() + AGAIN);
	}

	/// The next answer; never where nothing was asked. Cancel safe.
	pub(crate) async fn next(&mut self) -> Answer {
		tokio::select! {
			registered = self.registry.answer() => Answer::Registry(registered),
			account = self.account.answer() => Answer::Account(account),
			stream = self.stream.answer() => Answer::Stream(stream),
			(recipient, wish, paid) = self.paid.answer() => Answer::Paid(recipient, wish, paid),
		}
	}
}

fn push<T>(to: &mut VecDeque<T>, what: T) {
	if to.len() >= MOST {
		to.pop_front();
	}
	to.push_back(what);
}

async fn within<T>(question: impl Future<Output = Result<T, ChainError>>) -> Option<T> {
	match timeout(LOOK_UP, question).await {
		Ok(answer) => answer
			.inspect_err(|error| tracing::warn!(%error, "the chain does not say what it was asked"))
			.ok(),
		Err(_) => None,
	}
}
