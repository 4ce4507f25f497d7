//! The door of an agent: HTTP, as docs/agent-api.md says. Bodies are bounded, as are connections (`clustercast_cli::http`) and how often
//! somebody asks; pages of any origin may ask, since nothing here is anybody's secret.

use super::{
	limits::{customer, forwarded, Limits, ORDERS, REQUESTS},
	locked, Desk,
};
use crate::wire::{Failure, Refusal, Report, MAX_BODY};
use anyhow::Context;
use axum::{
	body::{to_bytes, Body},
	extract::{Path, Request, State},
	http::{header, HeaderValue, Method, StatusCode},
	middleware::{self, Next},
	response::{IntoResponse, Response},
	routing::{get, post},
	Router,
};
use clustercast_cli::http::{self, Limits as Connections, Peer};
use clustercast_primitives::Hash;
use hyper_util::service::TowerToHyperService;
use serde::{de::DeserializeOwned, Serialize};
use std::{
	future::Future,
	net::{IpAddr, Ipv4Addr, SocketAddr},
	sync::{Arc, Mutex},
	time::{Duration, Instant},
};
use tokio::net::TcpListener;

/// How long the body of a request may take.
const BODY_TIME: Duration = Duration::from_secs(5);

/// How long a page may keep the answer to its question whether it may ask, seconds.
const PREFLIGHT: &str = "86400";

/// A desk with what is counted at its door.
struct Door {
	desk: Arc<Desk>,
	/// Requests come through a proxy of ours, which says of whom.
	behind_proxy: bool,
	requests: Mutex<Limits<IpAddr>>,
	orders: Mutex<Limits<IpAddr>>,
}

/// Listens; what is returned first is where, then the server, which runs until it is dropped.
pub(crate) async fn serve(
	desk: Arc<Desk>,
	address: SocketAddr,
	behind_proxy: bool,
) -> anyhow::Result<(SocketAddr, impl Future<Output = ()>)> {
	let listener = TcpListener::bind(address)
		.await
		.with_context(|| format!("serve: {address}"))?;
	let address = listener.local_addr()?;
	let door = Arc::new(Door {
		desk,
		behind_proxy,
		requests: Mutex::new(Limits::new(REQUESTS)),
		orders: Mutex::new(Limits::new(ORDERS)),
	});
	let service = TowerToHyperService::new(router(door));
	Ok((address, http::serve(listener, service, Connections::default())))
}

fn router(door: Arc<Door>) -> Router {
	Router::new()
		.route("/v1/terms", get(terms))
		.route("/v1/deposits", post(deposit))
		.route("/v1/deposits/{id}", get(report))
		.route("/v1/actions", post(action))
		.route("/v1/actions/{id}", get(report))
		.fallback(|| async { Failed(Refusal::NoSuchPath) })
		.method_not_allowed_fallback(|| async { Failed(Refusal::Method) })
		.layer(middleware::from_fn_with_state(door.clone(), admit))
		.with_state(door)
}

/// A refusal as an answer.
#[derive(Debug)]
struct Failed(Refusal);

impl From<Refusal> for Failed {
	fn from(refusal: Refusal) -> Self {
		Self(refusal)
	}
}

impl IntoResponse for Failed {
	fn into_response(self) -> Response {
		let status = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
		let wait = match &self.0 {
			Refusal::TooMany { seconds } => Some(*seconds),
			_ => None,
		};
		let mut response = json(status, &Failure::from(self.0));
		if let Some(seconds) = wait {
			response
				.headers_mut()
				.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
		}
		response
	}
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
	match serde_json::to_vec(body) {
		Ok(body) => (status, [(header::CONTENT_TYPE, "application/json")], body).into_response(),
		Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
	}
}

/// Counts who asks, and says to pages that they may.
async fn admit(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
	let mut response = match (request.method(), door.count(&request)) {
		(_, Err(refusal)) => Failed(refusal).into_response(),
		(&Method::OPTIONS, Ok(())) => {
			let headers = [
				(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
				(header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
				(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT),
			];
			(StatusCode::NO_CONTENT, headers).into_response()
		},
		(_, Ok(())) => next.run(request).await,
	};
	let headers = response.headers_mut();
	let all = HeaderValue::from_static("*");
	headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, all);
	let retry_after = HeaderValue::from_static("retry-after");
	headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, retry_after);
	headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
	response
}

impl Door {
	fn count(&self, request: &Request) -> Result<(), Refusal> {
		let who = customer(self.who(request)?);
		let now = Instant::now();
		let mut taken = locked(&self.requests).take(who, now);
		if taken.is_ok() && request.method() == Method::POST {
			taken = locked(&self.orders).take(who, now);
		}
		taken.map_err(|wait| Refusal::TooMany {
			seconds: wait.as_secs() + 1,
		})
	}

	fn who(&self, request: &Request) -> Result<IpAddr, Refusal> {
		if self.behind_proxy {
			let fields = request.headers().get_all("x-forwarded-for");
			// Without it everybody would count as one.
			return forwarded(fields.iter().map(HeaderValue::as_bytes)).ok_or_else(|| Refusal::Malformed {
				reason: "the proxy does not say whom it was asked by".into(),
			});
		}
		let peer = request.extensions().get::<Peer>();
		Ok(peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip()))
	}
}

/// A body of JSON, of bounded size, in bounded time.
async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
	let bytes = tokio::time::timeout(BODY_TIME, to_bytes(body, MAX_BODY)).await;
	let bytes = bytes.ok().and_then(Result::ok).ok_or(Refusal::TooLong)?;
	serde_json::from_slice(&bytes).map_err(|error| Refusal::Malformed {
		reason: error.to_string(),
	})
}

async fn terms(State(door): State<Arc<Door>>) -> Result<Response, Failed> {
	Ok(json(StatusCode::OK, &door.desk.terms().await?))
}

async fn deposit(State(door): State<Arc<Door>>, request: Request) -> Result<Response, Failed> {
	let taken = door.desk.take_deposit(read(request.into_body()).await?).await?;
	Ok(json(StatusCode::ACCEPTED, &taken))
}

async fn action(State(door): State<Arc<Door>>, request: Request) -> Result<Response, Failed> {
	let taken = door.desk.take_action(read(request.into_body()).await?).await?;
	Ok(json(StatusCode::ACCEPTED, &taken))
}

async fn report(State(door): State<Arc<Door>>, Path(id): Path<String>) -> Result<Response, Failed> {
	let id: Hash = id.parse().map_err(|_| Refusal::UnknownId)?;
	let report: Report = door.desk.report(&id).await.ok_or(Refusal::UnknownId)?;
	Ok(json(StatusCode::OK, &report))
}
