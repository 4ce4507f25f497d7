//! The other side of an agent's desk: what a wallet signed, handed to one agent after the other until it is done. Whom, and for how
//! much, is [`handover`]'s to say; whether it is done is said by nodes of the user's own choice, never by an agent.

use crate::{
	acts::{Acted, Acts},
	handover::{self, Earlier, Expected, Plan, Sum},
	l2::{L2Error, L2},
	pending::Pending,
	signing::{self, SignedAction},
	wire::{Failure, Refusal, SignedDeposit, Terms, MAX_VALIDITY},
};
use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use anyhow::{bail, ensure, Context};
use bytes::Bytes;
use clustercast_chain::Chain;
use clustercast_primitives::{
	bridge::{Deposit, Domain, EthereumAction},
	Balance, BlockNumber, EthereumSignature, Hash, Usdc,
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{header, Method, Request, Uri};
use hyper_tls::HttpsConnector;
use hyper_util::{
	client::legacy::{connect::HttpConnector, Client},
	rt::TokioExecutor,
};
use serde::{
	de::{DeserializeOwned, IgnoredAny},
	Deserialize, Serialize,
};
use std::{
	fmt,
	str::FromStr,
	time::{Duration, Instant},
};
use tokio::time::{sleep, timeout};

/// How long an agent may take for an answer: a deposit is tried before it is taken.
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// Largest answer that is read, bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Pause between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// Where an agent is: `http://` or `https://`, without what comes behind the host and the path before `/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentUrl(String);

impl FromStr for AgentUrl {
	type Err = String;

	fn from_str(text: &str) -> Result<Self, String> {
		let uri: Uri = text.parse().map_err(|_| "not a URL".to_owned())?;
		let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
		if !is_web || uri.host().is_none() || uri.query().is_some() {
			return Err("expected http://HOST or https://HOST".into());
		}
		Ok(Self(text.trim_end_matches('/').to_owned()))
	}
}

impl fmt::Display for AgentUrl {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.write_str(&self.0)
	}
}

/// Several agents, in the order in which they are turned to.
pub struct Agents {
	urls: Vec<AgentUrl>,
	http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
	/// How long one of them has until the next is given the same bytes.
	patience: Duration,
}

/// What an agent said to a question.
type Answered<T> = Result<T, Trouble>;

/// Why an agent did not do it.
#[derive(Debug, thiserror::Error)]
enum Trouble {
	#[error("{}", plain(.0))]
	Refused(Refusal),
	#[error("{}", plain(.0))]
	Silent(String),
}

impl Agents {
	/// Turns to these.
	pub fn new(urls: Vec<AgentUrl>, patience: Duration) -> Self {
		Self {
			urls,
			http: Client::builder(TokioExecutor::new()).build(HttpsConnector::new()),
			patience,
		}
	}

	/// Who of them does something for how much: see [`handover::plan`]. An error where none does.
	pub async fn plan(
		&self,
		expected: &Expected,
		asks: impl Fn(&Terms) -> Option<Balance>,
		most: Balance,
	) -> anyhow::Result<Plan> {
		let terms = self.urls.iter().map(|url| async move {
			let terms: Answered<Terms> = self.get(url, "terms").await;
			terms.map_err(|error| error.to_string())
		});
		let plan = handover::plan(futures::future::join_all(terms).await, expected, asks, most);
		let why = plan
			.passed
			.iter()
			.map(|(place, why)| format!("{}: {why}", self.urls[*place]));
		let why = why.collect::<Vec<_>>().join("; ");
		ensure!(!plan.agents.is_empty(), "no agent does it: {why}");
		if !why.is_empty() {
			tracing::warn!("agents passed over: {why}");
		}
		Ok(plan)
	}

	/// Hands a deposit over, to one after the other, until the L2 says that it is made; then where it is.
	pub async fn deposit(&self, l2: &L2, signed: &SignedDeposit, plan: &Plan, from: u64) -> anyhow::Result<Made> {
		let mut failures = Vec::new();
		for place in &plan.agents {
			let url = &self.urls[*place];
			if let Err(error) = self.post(url, "deposits", signed).await {
				failures.push(format!("{url}: {error}"));
				// What the token or the vault refuses is tried by the others too, for what it is worth: it costs nothing.
				continue;
			}
			let until = Instant::now() + self.patience;
			while Instant::now() < until {
				if let Some(made) = made(l2, signed, from).await? {
					return Ok(made);
				}
				sleep(LOOK).await;
			}
			failures.push(format!("{url}: {}", self.late()));
			tracing::warn!("{url} does not submit the deposit; the next agent is given the same bytes");
		}
		// Whoever was given it may still be at it.
		match made(l2, signed, from).await? {
			Some(made) => Ok(made),
			None => bail!(
				"not deposited yet: {}. The authorisation is good for {} s more; the same command again hands over the same one, \
				and nothing else is signed before it is used or over",
				failures.join("; "),
				signed.valid_before.saturating_sub(l2.now().await?)
			),
		}
	}

	/// Hands a message over, to one after the other, until a final block of the chain has it.
	async fn action(&self, chain: &Chain, acts: &mut Acts, message: &Message, plan: &Plan) -> anyhow::Result<Acted> {
		let mut failures = Vec::new();
		for place in &plan.agents {
			let url = &self.urls[*place];
			match self.post(url, "actions", &message.signed).await {
				Ok(()) => {},
				// An agent before this one did submit it, if this is true.
				Err(Trouble::Refused(Refusal::Chain { reason })) if reason.contains("AlreadyUsed") => {},
				Err(error) => {
					failures.push(format!("{url}: {error}"));
					continue;
				},
			}
			let until = Instant::now() + self.patience;
			while Instant::now() < until {
				if let Some(acted) = acts.look(chain, &message.key).await? {
					return Ok(acted);
				}
				sleep(LOOK).await;
			}
			failures.push(format!("{url}: {}", self.late()));
			tracing::warn!("{url} does not submit the message; the next agent is given the same bytes");
		}
		// Whoever was given it may still be at it.
		match acts.look(chain, &message.key).await? {
			Some(acted) => Ok(acted),
			None => bail!(
				"not done yet: {}. The message is good until block {}; the same command again hands over the same one, and nothing else \
				is signed before it is used or over",
				failures.join("; "),
				message.signed.action.deadline()
			),
		}
	}

	fn late(&self) -> String {
		format!("took it, and did not submit it in {} s", self.patience.as_secs())
	}

	/// Hands a message over that was signed before.
	pub async fn submit(&self, chain: &Chain, message: &Message, plan: &Plan) -> anyhow::Result<Acted> {
		let mut acts = Acts::from(message.from);
		self.action(chain, &mut acts, message, plan).await
	}

	async fn get<T: DeserializeOwned>(&self, url: &AgentUrl, path: &str) -> Answered<T> {
		self.ask(Method::GET, url, path, Bytes::new()).await
	}

	/// Gives it something to do. What it says of it is not believed anyway.
	async fn post(&self, url: &AgentUrl, path: &str, body: &impl Serialize) -> Answered<()> {
		let body = serde_json::to_vec(body).map_err(|error| Trouble::Silent(error.to_string()))?;
		let taken: Answered<IgnoredAny> = self.ask(Method::POST, url, path, body.into()).await;
		taken.map(drop)
	}

	async fn ask<T: DeserializeOwned>(&self, method: Method, url: &AgentUrl, path: &str, body: Bytes) -> Answered<T> {
		let silent = |error: &dyn fmt::Display| Trouble::Silent(error.to_string());
		let request = Request::builder()
			.method(method)
			.uri(format!("{url}/v1/{path}"))
			.header(header::CONTENT_TYPE, "application/json")
			.body(Full::new(body))
			.map_err(|error| silent(&error))?;
		let exchange = async {
			let response = self.http.request(request).await.map_err(|error| silent(&error))?;
			let status = response.status();
			let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
			let body = body.map_err(|error| silent(&error))?.to_bytes();
			if status.is_success() {
				return serde_json::from_slice(&body).map_err(|error| silent(&error));
			}
			match serde_json::from_slice::<Failure>(&body) {
				Ok(failure) => Err(Trouble::Refused(failure.error)),
				Err(_) => Err(silent(&format_args!("answers {status}"))),
			}
		};
		timeout(ANSWER_TIME, exchange)
			.await
			.unwrap_or_else(|_| Err(silent(&format_args!("no answer in {} s", ANSWER_TIME.as_secs()))))
	}
}

/// What was signed for a deposit.
pub struct Authorised {
	/// Its digest, by which agents know it.
	pub id: Hash,
	/// To the agent that submitted it, micro-USDC.
	pub fee: Balance,
}

/// A deposit on the L2.
pub struct Made {
	/// As the vault has it.
	pub deposit: Deposit,
	/// In which transaction.
	pub transaction: Hash,
	/// In which block.
	pub block: u64,
}

/// The deposit that an authorisation made, once it is used.
async fn made(l2: &L2, signed: &SignedDeposit, from: u64) -> Result<Option<Made>, L2Error> {
	let depositor = Address::from(signed.depositor.0);
	if !l2.is_spent(depositor, signed.nonce()).await? {
		return Ok(None);
	}
	let to = l2.block_number().await?;
	let found = l2
		.deposits_by(depositor, from, to)
		.await?
		.into_iter()
		.find(|(made, _, _)| {
			(made.kind, made.amount, made.refund_to, &made.body)
				== (signed.kind, signed.amount, signed.refund_to, &signed.body)
		});
	Ok(found.map(|(deposit, transaction, block)| Made {
		deposit,
		transaction: Hash(transaction.0),
		block,
	}))
}

/// Words of a stranger, of which people may see some: without what would move their cursor.
fn plain(words: &impl fmt::Display) -> String {
	let words = words.to_string();
	words.chars().filter(|c| !c.is_control()).collect()
}

/// An authorisation of a wallet that agents were given.
#[derive(Debug, Serialize, Deserialize)]
pub struct Authorisation {
	deposit: SignedDeposit,
	/// All that there was is meant, not a sum.
	is_all: bool,
	/// Block of the L2 behind which its deposit is to be found.
	from: u64,
}

impl Authorisation {
	/// The name of what is [`Pending`] of this wallet on this L2.
	pub fn name(l2: &L2, depositor: &Address) -> String {
		format!("deposit-{}-{}-{depositor}", l2.chain_id, l2.vault)
	}
}

/// Makes this deposit by these agents: with the authorisation that they were given before, if there is one that is open, else with a new
/// one. `deposit` is complete but for amount, fee, time and signature. What agents have to serve is `expected`; at most `most` is paid to
/// one.
pub async fn deposit(
	agents: &Agents,
	pending: &mut Pending<Authorisation>,
	l2: &L2,
	signer: &PrivateKeySigner,
	(mut deposit, sum): (SignedDeposit, Sum),
	(expected, most): (&Expected, Balance),
) -> anyhow::Result<(Made, Authorised)> {
	let token = signing::token(l2).await?;
	let authorised = |deposit: &SignedDeposit| Authorised {
		id: deposit.digest(l2.vault, &token),
		fee: deposit.fee,
	};
	let asks = |terms: &Terms| Some(terms.deposit.fee);
	if let Some(kept) = pending.kept() {
		// Time first: what a final block behind the end does not have, nobody can do any more.
		let last = l2.final_block().await?;
		let made = made(l2, &kept.deposit, kept.from).await?;
		let is_same = handover::is_same_order((&kept.deposit, kept.is_all), &deposit, &sum);
		match handover::earlier(made, last.time, kept.deposit.valid_before) {
			Earlier::Over => pending.forget()?,
			// It is what was meant, where the command ended before it was told. Or it is done, and this is another.
			Earlier::Used(made) => {
				let earlier = authorised(&kept.deposit);
				pending.forget()?;
				if is_same {
					tracing::warn!("this deposit was made already, by the authorisation that was handed over before");
					return Ok((made, earlier));
				}
			},
			Earlier::Open => {
				let left = kept.deposit.valid_before.saturating_sub(last.time);
				ensure!(
					is_same,
					"an authorisation of {} USDC that was handed over before may still be used: until then nothing else is signed. It is \
					good for {left} s, by final blocks",
					Usdc(kept.deposit.amount)
				);
				let depositor = Address::from(kept.deposit.depositor.0);
				ensure!(
					!l2.is_spent(depositor, kept.deposit.nonce()).await?,
					"the authorisation that was handed over before is used or cancelled, and no deposit is seen yet: ask again, for {left} s \
					at most"
				);
				let plan = agents.plan(expected, asks, most).await?;
				let made = agents.deposit(l2, &kept.deposit, &plan, kept.from).await?;
				let earlier = authorised(&kept.deposit);
				pending.forget()?;
				return Ok((made, earlier));
			},
		}
	}
	let plan = agents.plan(expected, asks, most).await?;
	(deposit.fee, deposit.amount) = (plan.pays, sum.amount(plan.pays)?);
	deposit.valid_before = l2.now().await? + MAX_VALIDITY;
	deposit.signature = EthereumSignature([0; 65]);
	let digest = deposit.digest(l2.vault, &token);
	let from = l2.block_number().await?;
	signing::sign(signer, &mut deposit, &digest)?;
	let kept = pending.keep(Authorisation {
		deposit,
		is_all: sum.asked.is_none(),
		from,
	})?;
	let made = agents.deposit(l2, &kept.deposit, &plan, from).await?;
	let authorised = authorised(&kept.deposit);
	pending.forget()?;
	Ok((made, authorised))
}

/// A message of a wallet that agents were given.
#[derive(Debug, Serialize, Deserialize)]
pub struct Message {
	/// What was signed.
	pub signed: SignedAction,
	/// By what agents know it.
	pub key: Hash,
	/// Block of the chain behind which it is to be found.
	pub from: BlockNumber,
}

impl Message {
	/// The name of what is [`Pending`] of this wallet on this chain.
	pub fn name(genesis: &Hash, domain: &Domain, signer: &Address) -> String {
		format!("action-{genesis}-{}-{}-{signer}", domain.chain_id, domain.vault)
	}
}

/// What became of a message that agents were given before.
pub enum Before {
	/// Nothing is open.
	Nothing,
	/// The chain followed it, and it is what is wanted now.
	Done(Box<Message>, Acted),
	/// It is what is wanted now, and still open.
	Open,
}

/// Looks for what was handed over before, and forgets it where it is used or over. `insists`: on a nonce, which tells two messages apart.
pub async fn before(
	pending: &mut Pending<Message>,
	chain: &Chain,
	wanted: &EthereumAction,
	insists: Option<u64>,
) -> anyhow::Result<Before> {
	let Some(kept) = pending.kept() else {
		return Ok(Before::Nothing);
	};
	let mut acts = Acts::from(kept.from);
	let acted = acts.look(chain, &kept.key).await?;
	let deadline = kept.signed.action.deadline();
	let is_same = handover::is_same_action(&kept.signed.action, wanted, insists);
	let read = u64::from(acts.read_to());
	Ok(match handover::earlier(acted, read, u64::from(deadline) + 1) {
		Earlier::Used(acted) => {
			let message = Message {
				signed: kept.signed.clone(),
				..*kept
			};
			pending.forget()?;
			match is_same {
				true => Before::Done(Box::new(message), acted),
				false => Before::Nothing,
			}
		},
		Earlier::Over => {
			let is_known = acts.is_whole(kept.from);
			pending.forget()?;
			ensure!(
				is_known || !is_same,
				"a message that was handed over before is over, and this node does not remember whether the chain followed it: look at the \
				account, and give the command again where it did not"
			);
			Before::Nothing
		},
		Earlier::Open => {
			ensure!(
				is_same,
				"a message that was handed over before may still be followed, until block {deadline} is final: until then nothing else is \
				signed"
			);
			Before::Open
		},
	})
}

/// Hands over what is pending, and forgets it where the chain followed it.
pub async fn act(
	agents: &Agents,
	pending: &mut Pending<Message>,
	chain: &Chain,
	plan: &Plan,
) -> anyhow::Result<(SignedAction, Hash, Acted)> {
	let message = pending.kept().context("nothing was signed")?;
	let acted = agents.submit(chain, message, plan).await?;
	let done = (message.signed.clone(), message.key, acted);
	pending.forget()?;
	Ok(done)
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn words_of_agents_move_nobodys_cursor() {
		let said = r#"{"error": {"code": "away", "reason": "a\u001b[2J\nb"}, "message": ""}"#;
		let failure: Failure = serde_json::from_str(said).unwrap();
		let shown = Trouble::Refused(failure.error).to_string();
		assert!(shown.contains('b') && !shown.contains(char::is_control), "{shown:?}");
	}

	#[test]
	fn agent_is_named_by_a_web_address() {
		let shown = |text: &str| text.parse::<AgentUrl>().map(|url| url.to_string());
		assert_eq!(shown("https://a.example/"), Ok("https://a.example".into()));
		assert_eq!(
			shown("http://127.0.0.1:8090/usdc"),
			Ok("http://127.0.0.1:8090/usdc".into())
		);
		for wrong in [
			"",
			"a.example",
			"ftp://a.example",
			"ws://a.example",
			"https://",
			"http://a/?b",
		] {
			assert!(shown(wrong).is_err(), "{wrong}");
		}
	}
}
