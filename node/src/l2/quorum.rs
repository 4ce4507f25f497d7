//! Several endpoints as one: what a strict majority of all that are configured says, counts. Whoever says something
//! else is logged and counted, and changes nothing.

use super::{
	endpoint::{Endpoint, EndpointError, Place, UrlError},
	metrics::Metrics,
};
use clustercast_primitives::bridge::Attestation;
use futures::future::join_all;
use std::{future::Future, time::Duration};
use tokio::time::Instant;

/// An endpoint that does not answer is left alone this long at first, twice as long each time after.
const FIRST_PAUSE: Duration = Duration::from_secs(2);

/// And at most this long.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why there is nothing to attest to.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
	#[error("{answers} of {endpoints} endpoints of the L2 answer, {needed} are needed")]
	TooFew {
		answers: usize,
		endpoints: usize,
		needed: usize,
	},
	#[error("the L2's endpoints contradict each other: {agree} of {endpoints} agree, {needed} are needed")]
	Contradiction {
		agree: usize,
		endpoints: usize,
		needed: usize,
	},
}

/// The endpoints.
pub struct Quorum {
	members: Vec<Member>,
	metrics: Metrics,
}

struct Member {
	endpoint: Endpoint,
	standing: Standing,
}

/// How an endpoint has done so far.
struct Standing {
	/// Its place among the URLs, from 1: what logs call it, since a URL may hold a key.
	number: usize,
	/// Not asked before.
	rests_until: Option<Instant>,
	/// Next pause.
	pause: Duration,
	/// What was last logged of it: a failure that lasts is logged once.
	trouble: Option<EndpointError>,
}

impl Standing {
	fn rests(&self) -> bool {
		self.rests_until.is_some_and(|until| Instant::now() < until)
	}

	/// Takes a successful answer on, and deals with a failure. `complete` answers show that nothing is wrong any more;
	/// others only that it answers.
	fn judge<T>(&mut self, answer: Result<T, EndpointError>, complete: bool, metrics: &Metrics) -> Option<T> {
		let unreachable = |error: &EndpointError| matches!(error, EndpointError::Unreachable { .. });
		match answer {
			Ok(answer) => {
				if self.trouble.take_if(|error| complete || unreachable(error)).is_some() {
					log::info!("L2 endpoint {} is well again", self.number);
				}
				(self.rests_until, self.pause) = (None, FIRST_PAUSE);
				Some(answer)
			},
			Err(error) => {
				metrics.failed(self.number);
				if unreachable(&error) {
					self.rests_until = Some(Instant::now() + self.pause);
					self.pause = (self.pause * 2).min(LONGEST_PAUSE);
				}
				if self.trouble.as_ref().map(EndpointError::to_string) != Some(error.to_string()) {
					log::warn!("L2 endpoint {}: {error}", self.number);
					self.trouble = Some(error);
				}
				None
			},
		}
	}
}

impl Quorum {
	/// All endpoints by their URLs.
	pub fn new(urls: &[String], metrics: Metrics) -> Result<Self, UrlError> {
		let member = |(number, url): (usize, &String)| {
			Ok(Member {
				endpoint: Endpoint::new(number, url)?,
				standing: Standing {
					number,
					rests_until: None,
					pause: FIRST_PAUSE,
					trouble: None,
				},
			})
		};
		Ok(Self {
			members: (1..).zip(urls).map(member).collect::<Result<_, _>>()?,
			metrics,
		})
	}

	/// How many must agree: more than half of all, whether they answer or not.
	fn needed(&self) -> usize {
		self.members.len() / 2 + 1
	}

	/// The newest block that enough endpoints call final. One that runs ahead or lags behind does not matter.
	pub async fn finalised(&mut self) -> Result<u64, QuorumError> {
		let (needed, endpoints) = (self.needed(), self.members.len());
		let mut heads = self.ask(false, |endpoint| endpoint.finalised()).await;
		heads.sort_unstable_by(|a, b| b.cmp(a));
		heads.get(needed - 1).copied().ok_or(QuorumError::TooFew {
			answers: heads.len(),
			endpoints,
			needed,
		})
	}

	/// What enough endpoints would attest to when block `checkpoint` is final; `None` as long as nobody deposited.
	pub async fn statement(&mut self, place: &Place, checkpoint: u64) -> Result<Option<Attestation>, QuorumError> {
		let (needed, endpoints) = (self.needed(), self.members.len());
		let answers = self.ask(true, |endpoint| endpoint.statement(place, checkpoint)).await;
		let backing = |answer: &Option<Attestation>| answers.iter().filter(|other| *other == answer).count();
		let best = answers
			.iter()
			.map(|answer| (backing(answer), *answer))
			.max_by_key(|(agree, _)| *agree);
		let (agree, statement) = best.unwrap_or_default();
		if agree < answers.len() {
			self.metrics.disagreements.inc();
			log::error!("L2 endpoints disagree about block {checkpoint}: {answers:?}");
		}
		if agree >= needed {
			return Ok(statement);
		}
		Err(match answers.len() < needed {
			true => QuorumError::TooFew {
				answers: answers.len(),
				endpoints,
				needed,
			},
			false => QuorumError::Contradiction {
				agree,
				endpoints,
				needed,
			},
		})
	}

	/// Puts one question to all endpoints that do not rest, at the same time; the answers that came. For `complete` see
	/// [`Standing::judge`].
	async fn ask<'a, T, F>(&'a mut self, complete: bool, question: impl Fn(&'a Endpoint) -> F) -> Vec<T>
	where
		F: Future<Output = Result<T, EndpointError>>,
	{
		let metrics = &self.metrics;
		let asked = self.members.iter_mut().filter(|member| !member.standing.rests());
		let answers = asked.map(|Member { endpoint, standing }| {
			let answer = question(endpoint);
			async move { standing.judge(answer.await, complete, metrics) }
		});
		join_all(answers).await.into_iter().flatten().collect()
	}
}
