//! Which streams are relayed: the tables `[[streams]]` of the file, or the one that `stream` and `upstream` name.

use super::{one_or_many, MAX_SURGE};
use clustercast_network::{
	crew::{MOST_STANDBYS, STANDBYS},
	Address, AddressError, Multiaddr,
};
use clustercast_primitives::{PublicKey, StreamId};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, str::FromStr};

/// Streams of one relayer: each asks the node twice a block, and wakes everybody who watches with each window.
pub const MAX_STREAMS: usize = 64;

/// One table of the file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamSettings {
	/// Stream key on the chain.
	pub id: u64,
	/// Where the origin is or may be, and relayers that sell it.
	#[serde(deserialize_with = "one_or_many")]
	pub upstream: Vec<String>,
	/// Micro-USDC per 10^9 bytes; that of all streams if `None`, as the next two.
	pub price_per_gb: Option<u64>,
	/// Highest price, as a multiple of that.
	pub surge: Option<f64>,
	/// Viewers at a time.
	pub max_viewers: Option<u32>,
	/// Fetched only while somebody who can pay waits for it.
	#[serde(default)]
	pub on_demand: bool,
	/// Micro-USDC per 10^9 bytes, asked at least on top of what it costs us; of what is fetched on demand.
	pub margin_per_gb: Option<u64>,
	/// Upstreams beside the one that sends windows: [`STANDBYS`] if `None`.
	pub standbys: Option<usize>,
}

/// Asked on top of what a stream on demand costs, unless its table says otherwise, micro-USDC per 10^9 bytes: a quarter of the
/// usual price.
pub const MARGIN_PER_GB: u64 = 5_000;

/// Where windows may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
	/// Its address.
	pub place: Multiaddr,
	/// Who is named as being there. A relayer that the registry has is bought from; of the origin, whose key may be replaced, it
	/// says nothing.
	pub peer: Option<PublicKey>,
}

impl FromStr for Upstream {
	type Err = AddressError;

	fn from_str(text: &str) -> Result<Self, AddressError> {
		Ok(Self {
			place: clustercast_network::place(text)?,
			peer: text.parse::<Address>().ok().map(|address| address.peer()),
		})
	}
}

/// What holds for a stream whose table says nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Usual {
	/// Micro-USDC per 10^9 bytes.
	pub price_per_gb: u64,
	/// A multiple of that.
	pub surge: f64,
	/// Viewers at a time.
	pub max_viewers: u32,
}

/// One stream, complete and checked.
#[derive(Clone, Debug)]
pub struct Stream {
	/// Stream key on the chain.
	pub id: StreamId,
	/// Where windows come from; at least one.
	pub upstreams: Vec<Upstream>,
	/// Micro-USDC per 10^9 bytes.
	pub price_per_gb: u64,
	/// Highest price, micro-USDC per 10^9 bytes.
	pub highest_price_per_gb: u64,
	/// At a time.
	pub max_viewers: usize,
	/// Fetched only while somebody who can pay waits for it: micro-USDC per 10^9 bytes on top of what it costs us.
	pub on_demand: Option<u64>,
	/// Upstreams beside the one that sends windows, at most.
	pub standbys: usize,
}

/// Streams that cannot be served so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StreamsError {
	/// Neither form names one.
	#[error("stream is missing: give --stream and --upstream, or [[streams]] in the file")]
	None,
	/// The one stream has no place.
	#[error("upstream is missing: give --upstream")]
	NoUpstream,
	/// A table has no place.
	#[error("stream {0}: upstream is empty")]
	Nowhere(StreamId),
	/// Both forms are used.
	#[error("there are [[streams]], and stream or upstream beside them: take one of these forms")]
	BothForms,
	/// Two tables name it.
	#[error("stream {0} stands in [[streams]] twice")]
	Twice(StreamId),
	/// More than one process serves.
	#[error("{0} streams are more than the {MAX_STREAMS} that one relayer serves")]
	TooMany(usize),
	/// What is no place.
	#[error("stream {stream}: upstream: {text}: {error}")]
	Upstream {
		/// Whose.
		stream: StreamId,
		/// As it is written.
		text: String,
		/// Why.
		error: AddressError,
	},
	/// The highest price is below the lowest, or out of bounds.
	#[error("stream {0}: surge must be 1 to {MAX_SURGE}: it multiplies price_per_gb")]
	Surge(StreamId),
	/// What is always fetched costs the same whoever watches.
	#[error("stream {0}: margin_per_gb is of streams with on_demand = true")]
	Margin(StreamId),
	/// More would take seats from others, and bring nothing.
	#[error("stream {0}: standbys must be at most {MOST_STANDBYS}")]
	Standbys(StreamId),
	/// Nobody could watch, or more than the relayer serves.
	#[error("stream {stream}: max_viewers must be 1 to {most}, the relayer's own")]
	Viewers {
		/// Whose.
		stream: StreamId,
		/// Of the relayer.
		most: u32,
	},
}

/// All streams, in the order of the tables.
pub fn streams(
	tables: Vec<StreamSettings>,
	stream: Option<u64>,
	upstream: Vec<String>,
	usual: Usual,
) -> Result<Vec<Stream>, StreamsError> {
	let tables = match (tables.is_empty(), stream) {
		(true, None) => return Err(StreamsError::None),
		(true, Some(_)) if upstream.is_empty() => return Err(StreamsError::NoUpstream),
		(true, Some(id)) => vec![StreamSettings {
			id,
			upstream,
			price_per_gb: None,
			surge: None,
			max_viewers: None,
			on_demand: false,
			margin_per_gb: None,
			standbys: None,
		}],
		(false, None) if upstream.is_empty() => tables,
		(false, _) => return Err(StreamsError::BothForms),
	};
	if tables.len() > MAX_STREAMS {
		return Err(StreamsError::TooMany(tables.len()));
	}
	let mut seen = BTreeSet::new();
	if let Some(twice) = tables.iter().find(|table| !seen.insert(table.id)) {
		return Err(StreamsError::Twice(StreamId(twice.id)));
	}
	tables.into_iter().map(|table| table.check(usual)).collect()
}

impl StreamSettings {
	fn check(self, usual: Usual) -> Result<Stream, StreamsError> {
		let id = StreamId(self.id);
		if self.upstream.is_empty() {
			return Err(StreamsError::Nowhere(id));
		}
		let upstreams = self.upstream.into_iter().map(|text| {
			text.parse().map_err(|error| StreamsError::Upstream {
				stream: id,
				text,
				error,
			})
		});
		let upstreams = upstreams.collect::<Result<_, _>>()?;
		let price_per_gb = self.price_per_gb.unwrap_or(usual.price_per_gb);
		let surge = self.surge.unwrap_or(usual.surge);
		if !(1.0..=MAX_SURGE).contains(&surge) {
			return Err(StreamsError::Surge(id));
		}
		let max_viewers = self.max_viewers.unwrap_or(usual.max_viewers);
		if !(1..=usual.max_viewers).contains(&max_viewers) {
			return Err(StreamsError::Viewers {
				stream: id,
				most: usual.max_viewers,
			});
		}
		if self.margin_per_gb.is_some() && !self.on_demand {
			return Err(StreamsError::Margin(id));
		}
		let margin = self.margin_per_gb.unwrap_or(MARGIN_PER_GB);
		let standbys = self.standbys.unwrap_or(STANDBYS);
		if standbys > MOST_STANDBYS {
			return Err(StreamsError::Standbys(id));
		}
		Ok(Stream {
			id,
			upstreams,
			price_per_gb,
			highest_price_per_gb: (price_per_gb as f64 * surge) as u64,
			max_viewers: max_viewers as usize,
			on_demand: self.on_demand.then_some(margin),
			standbys,
		})
	}
}

#[cfg(test)]
mod tests {
	use super::*;
	use clustercast_primitives::crypto::KeyPair;

	const PLACE: &str = "/ip4/127.0.0.1/udp/4001/quic-v1";
	const USUAL: Usual = Usual {
		price_per_gb: 20_000,
		surge: 1.5,
		max_viewers: 100,
	};

	fn table(id: u64) -> StreamSettings {
		StreamSettings {
			id,
			upstream: vec![PLACE.into()],
			price_per_gb: None,
			surge: None,
			max_viewers: None,
			on_demand: false,
			margin_per_gb: None,
			standbys: None,
		}
	}

	fn of(tables: Vec<StreamSettings>) -> Result<Vec<Stream>, StreamsError> {
		streams(tables, None, Vec::new(), USUAL)
	}

	#[test]
	fn stream_takes_what_holds_for_all_unless_its_table_says_otherwise() {
		let own = StreamSettings {
			price_per_gb: Some(50_000),
			surge: Some(2.0),
			max_viewers: Some(7),
			..table(9)
		};
		let streams = of(vec![table(3), own]).unwrap();
		let figures = streams.iter().map(|stream| {
			let Stream {
				id,
				price_per_gb,
				highest_price_per_gb,
				max_viewers,
				..
			} = stream;
			(id.0, *price_per_gb, *highest_price_per_gb, *max_viewers)
		});
		assert_eq!(
			figures.collect::<Vec<_>>(),
			[(3, 20_000, 30_000, 100), (9, 50_000, 100_000, 7)]
		);
	}

	#[test]
	fn stream_on_demand_has_a_margin() {
		let on_demand = |margin_per_gb| StreamSettings {
			on_demand: true,
			margin_per_gb,
			..table(3)
		};
		let margin = |table| of(vec![table]).unwrap()[0].on_demand;
		assert_eq!(margin(table(3)), None);
		assert_eq!(margin(on_demand(None)), Some(MARGIN_PER_GB));
		assert_eq!(margin(on_demand(Some(0))), Some(0));
	}

	#[test]
	fn one_upstream_stands_by_unless_it_is_said_otherwise() {
		let standbys = |standbys| {
			let table = StreamSettings { standbys, ..table(3) };
			of(vec![table]).unwrap()[0].standbys
		};
		assert_eq!([None, Some(0), Some(4)].map(standbys), [1, 0, 4]);
	}

	#[test]
	fn who_is_named_is_kept_beside_where_it_is() {
		let key = KeyPair::from_seed([7; 32]).public();
		let named = format!("{PLACE}/p2p/{}", clustercast_network::peer_id(&key).unwrap());
		let upstream = |text: &str| text.parse::<Upstream>().unwrap();
		assert_eq!((upstream(PLACE).peer, upstream(&named).peer), (None, Some(key)));
		assert_eq!(upstream(PLACE).place, upstream(&named).place);
	}

	#[test]
	fn short_form_is_one_stream() {
		let streams = streams(Vec::new(), Some(3), vec![PLACE.into(), PLACE.into()], USUAL).unwrap();
		assert_eq!(
			(streams.len(), streams[0].id, streams[0].upstreams.len()),
			(1, StreamId(3), 2)
		);
	}

	#[test]
	fn streams_that_cannot_be_served_are_refused_by_name() {
		type E = StreamsError;
		assert!(matches!(of(Vec::new()), Err(E::None)));
		let short = |tables, stream, upstream: &[&str]| {
			let upstream = upstream.iter().map(ToString::to_string).collect();
			streams(tables, stream, upstream, USUAL)
		};
		assert!(matches!(short(Vec::new(), None, &[PLACE]), Err(E::None)));
		assert!(matches!(short(Vec::new(), Some(3), &[]), Err(E::NoUpstream)));
		assert!(matches!(short(vec![table(3)], Some(4), &[]), Err(E::BothForms)));
		assert!(matches!(short(vec![table(3)], None, &[PLACE]), Err(E::BothForms)));
		assert!(matches!(
			of(vec![table(3), table(4), table(3)]),
			Err(E::Twice(StreamId(3)))
		));
		let many = |n| (0..n).map(table).collect::<Vec<_>>();
		assert_eq!(of(many(MAX_STREAMS as u64)).unwrap().len(), MAX_STREAMS);
		assert!(matches!(of(many(MAX_STREAMS as u64 + 1)), Err(E::TooMany(65))));
		let wrong = |change: fn(&mut StreamSettings)| {
			let mut table = table(5);
			change(&mut table);
			of(vec![table]).unwrap_err()
		};
		assert!(matches!(wrong(|t| t.upstream.clear()), E::Nowhere(StreamId(5))));
		assert!(matches!(
			wrong(|t| t.upstream.push("/dns/x".into())),
			E::Upstream { .. }
		));
		assert!(matches!(wrong(|t| t.standbys = Some(5)), E::Standbys(StreamId(5))));
		assert!(matches!(wrong(|t| t.margin_per_gb = Some(1)), E::Margin(StreamId(5))));
		for surge in [0.9, 11.0, f64::NAN] {
			let table = StreamSettings {
				surge: Some(surge),
				..table(5)
			};
			assert!(matches!(of(vec![table]), Err(E::Surge(StreamId(5)))), "{surge}");
		}
		assert!(matches!(wrong(|t| t.max_viewers = Some(0)), E::Viewers { .. }));
		assert!(matches!(
			wrong(|t| t.max_viewers = Some(101)),
			E::Viewers { most: 100, .. }
		));
	}
}
