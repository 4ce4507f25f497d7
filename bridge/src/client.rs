//! The other side of an agent's desk: what a wallet signed, handed to one agent after the other until it is done. Whom, and for how
//! much, is [`handover`]'s to say; whether a deposit is made the L2 says, not an agent.

use crate::{
	handover::{self, Earlier, Expected, Plan},
	l2::{L2Error, L2},
	signing::{self, SignedAction},
	wire::{Failure, Refusal, Report, SignedDeposit, State, Terms, LAG, MAX_VALIDITY},
};
use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use anyhow::{bail, ensure, Context};
use bytes::Bytes;
use clustercast_chain::{files, Chain};
use clustercast_primitives::{bridge::Deposit, Balance, EthereumAddress, EthereumSignature, Hash, Usdc};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{header, Method, Request, Uri};
use hyper_tls::HttpsConnector;
use hyper_util::{
	client::legacy::{connect::HttpConnector, Client},
	rt::TokioExecutor,
};
use serde::{de::DeserializeOwned, Serialize};
use std::{
	fmt, fs,
	path::{Path, PathBuf},
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
	#[error("{0}")]
	Refused(Refusal),
	#[error("{0}")]
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
			let report: Answered<Report> = self.post(url, "deposits", signed).await;
			match report {
				Ok(_) => {},
				Err(error) => {
					failures.push(format!("{url}: {error}"));
					// What the token or the vault refuses is tried by the others too, for what it is worth: it costs nothing.
					continue;
				},
			}
			let until = Instant::now() + self.patience;
			while Instant::now() < until {
				if let Some(made) = made(l2, signed, from).await? {
					return Ok(made);
				}
				sleep(LOOK).await;
			}
			failures.push(format!(
				"{url}: took it, and did not submit it in {} s",
				self.patience.as_secs()
			));
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

	/// Hands an action over, to one after the other, until one says that the chain took it.
	pub async fn action(&self, chain: &Chain, signed: &SignedAction, id: &Hash, plan: &Plan) -> anyhow::Result<Report> {
		let mut failures = Vec::new();
		for place in &plan.agents {
			let url = &self.urls[*place];
			let mut report: Answered<Report> = self.post(url, "actions", signed).await;
			let until = Instant::now() + self.patience;
			let failure = loop {
				match &report {
					Ok(report) if matches!(report.state, State::Waiting { .. } | State::Sent { .. }) => {},
					Ok(Report {
						state: State::Refused { error },
						..
					}) => break error.to_string(),
					Ok(report) => match self.is_true(chain, signed, report).await? {
						true => return Ok(report.clone()),
						false => break "it names a withdrawal that is another's".into(),
					},
					// An agent before this one did submit it.
					Err(Trouble::Refused(Refusal::Chain { reason })) if reason.contains("AlreadyUsed") => {
						return Ok(Report {
							id: *id,
							state: State::Done { block: None },
						})
					},
					Err(error) => break error.to_string(),
				}
				if Instant::now() >= until {
					break self.late();
				}
				sleep(LOOK).await;
				report = self.get(url, &format!("actions/{id}")).await;
			};
			failures.push(format!("{url}: {failure}"));
		}
		bail!("not done yet: {}", failures.join("; "))
	}

	fn late(&self) -> String {
		format!("took it, and did not submit it in {} s", self.patience.as_secs())
	}

	/// Whether the withdrawal that an agent names is to whom the message says, on a node of our own choice.
	async fn is_true(&self, chain: &Chain, signed: &SignedAction, report: &Report) -> anyhow::Result<bool> {
		use clustercast_primitives::bridge::EthereumAction::Withdraw;
		let (
			State::Queued { withdrawal } | State::Released { withdrawal } | State::Paid { withdrawal },
			Withdraw { to, .. },
		) = (&report.state, &signed.action)
		else {
			return Ok(true);
		};
		// Our node may be a block behind.
		for _ in 0..10 {
			let page = chain.withdrawals(*withdrawal, 1, None).await?;
			if let Some(info) = page.iter().find(|info| info.withdrawal.id == *withdrawal) {
				return Ok(info.withdrawal.to == *to);
			}
			sleep(LOOK).await;
		}
		Ok(false)
	}

	async fn get<T: DeserializeOwned>(&self, url: &AgentUrl, path: &str) -> Answered<T> {
		self.ask(Method::GET, url, path, Bytes::new()).await
	}

	async fn post<T: DeserializeOwned>(&self, url: &AgentUrl, path: &str, body: &impl Serialize) -> Answered<T> {
		let body = serde_json::to_vec(body).map_err(|error| Trouble::Silent(error.to_string()))?;
		self.ask(Method::POST, url, path, body.into()).await
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

/// The authorisation of a wallet that agents were given, kept until it is used or over: whoever runs the command again after a failure
/// hands over the same one.
pub struct Pending {
	path: PathBuf,
}

/// What is kept of it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
	deposit: SignedDeposit,
	/// Block of the L2 behind which it is to be found.
	from: u64,
}

impl Pending {
	/// Of this wallet on this L2, in this folder.
	pub fn of(folder: &Path, l2: &L2, depositor: &EthereumAddress) -> Self {
		Self {
			path: folder.join(format!("deposit-{}-{}-{depositor}.json", l2.chain_id, l2.vault)),
		}
	}

	fn read(&self) -> anyhow::Result<Option<Kept>> {
		match fs::read(&self.path) {
			Ok(text) => serde_json::from_slice(&text)
				.map(Some)
				.with_context(|| self.path.display().to_string()),
			Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
			Err(error) => Err(error).with_context(|| self.path.display().to_string()),
		}
	}

	/// Makes this deposit by these agents: with the authorisation that they were given before, if there is one that is open, else with
	/// a new one, which is kept before anybody sees it. `deposit` is complete but for amount, which is what `amount` says for a fee, fee,
	/// time and signature. What agents have to serve is `expected`; at most `most` is paid to one.
	pub async fn make(
		&self,
		agents: &Agents,
		l2: &L2,
		signer: &PrivateKeySigner,
		(mut deposit, amount): (SignedDeposit, impl Fn(Balance) -> Balance),
		(expected, most): (&Expected, Balance),
	) -> anyhow::Result<(Made, Authorised)> {
		let token = signing::token(l2).await?;
		let authorised = |deposit: &SignedDeposit| Authorised {
			id: deposit.digest(l2.vault, &token),
			fee: deposit.fee,
		};
		if let Some(kept) = self.read()? {
			deposit.amount = amount(kept.deposit.fee);
			let spent = l2
				.is_spent(Address::from(kept.deposit.depositor.0), kept.deposit.nonce())
				.await?;
			match handover::earlier(&kept.deposit, spent, l2.now().await?) {
				Earlier::Over => {},
				// It is what was meant, where the command ended before it was told. Or it is done, and this is another.
				Earlier::Spent => {
					let made = made(l2, &kept.deposit, kept.from).await?;
					let is_certain = made.is_some() || l2.now().await? >= kept.deposit.valid_before.saturating_add(LAG);
					ensure!(
						is_certain,
						"the authorisation that was handed over before is used, and its deposit is not seen yet: ask again in a minute"
					);
					self.forget()?;
					if let Some(made) = made.filter(|_| handover::is_same_order(&kept.deposit, &deposit)) {
						tracing::warn!(
							"this deposit was made already, by the authorisation that was handed over before"
						);
						return Ok((made, authorised(&kept.deposit)));
					}
				},
				Earlier::Open => {
					ensure!(
						handover::is_same_order(&kept.deposit, &deposit),
						"an authorisation of {} USDC that was handed over before may still be used, for {} s: until then nothing \
						else is signed",
						Usdc(kept.deposit.amount),
						kept.deposit.valid_before.saturating_sub(l2.now().await?)
					);
					let plan = agents.plan(expected, |terms| Some(terms.deposit.fee), most).await?;
					let made = agents.deposit(l2, &kept.deposit, &plan, kept.from).await?;
					self.forget()?;
					return Ok((made, authorised(&kept.deposit)));
				},
			}
		}
		let plan = agents.plan(expected, |terms| Some(terms.deposit.fee), most).await?;
		(deposit.fee, deposit.amount) = (plan.pays, amount(plan.pays));
		deposit.valid_before = l2.now().await? + MAX_VALIDITY;
		deposit.signature = EthereumSignature([0; 65]);
		let digest = deposit.digest(l2.vault, &token);
		signing::sign(signer, &mut deposit, &digest)?;
		let from = l2.block_number().await?;
		let kept = Kept { deposit, from };
		files::write_atomic(&self.path, &serde_json::to_vec(&kept)?)
			.with_context(|| self.path.display().to_string())?;
		let made = agents.deposit(l2, &kept.deposit, &plan, from).await?;
		self.forget()?;
		Ok((made, authorised(&kept.deposit)))
	}

	fn forget(&self) -> anyhow::Result<()> {
		files::remove(&self.path).with_context(|| self.path.display().to_string())
	}
}

#[cfg(test)]
mod tests {
	use super::*;

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
