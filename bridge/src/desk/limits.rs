//! How often somebody may ask: token buckets, sans-IO. Who asks is an address (of IPv6 the /64, which is one customer's) or a wallet. The
//! table is bounded: where it is full, those go that have all their tokens again, and then whoever asked longest ago.

use std::{
	collections::HashMap,
	hash::Hash,
	net::{IpAddr, Ipv6Addr},
	time::{Duration, Instant},
};

/// Most that are remembered at a time, of each kind.
const MOST: usize = 10_000;

/// So much at once, and one more each so often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
	pub(crate) burst: u32,
	pub(crate) each: Duration,
}

/// Requests of an address: somebody who watches a deposit asks once a second.
pub(crate) const REQUESTS: Rate = Rate {
	burst: 60,
	each: Duration::from_millis(500),
};

/// New deposits and actions of an address: each costs us a call that is tried.
pub(crate) const ORDERS: Rate = Rate {
	burst: 10,
	each: Duration::from_secs(6),
};

/// New deposits and actions of a wallet.
pub(crate) const WALLET: Rate = Rate {
	burst: 6,
	each: Duration::from_secs(60),
};

/// Buckets by who asks.
#[derive(Debug)]
pub(crate) struct Limits<K> {
	rate: Rate,
	/// When all tokens are back; in the past where they are.
	full_at: HashMap<K, Instant>,
}

impl<K: Hash + Eq + Copy> Limits<K> {
	pub(crate) fn new(rate: Rate) -> Self {
		Self {
			rate,
			full_at: HashMap::new(),
		}
	}

	/// Takes a token of somebody; where there is none, how long until there is.
	pub(crate) fn take(&mut self, who: K, now: Instant) -> Result<(), Duration> {
		let full_at = self.full_at.get(&who).copied().unwrap_or(now).max(now);
		let after = full_at + self.rate.each;
		let most = self.rate.each * self.rate.burst;
		if after > now + most {
			return Err(after - (now + most));
		}
		if self.full_at.len() >= MOST && !self.full_at.contains_key(&who) {
			self.make_room(now);
		}
		self.full_at.insert(who, after);
		Ok(())
	}

	fn make_room(&mut self, now: Instant) {
		self.full_at.retain(|_, full_at| *full_at > now);
		if self.full_at.len() < MOST {
			return;
		}
		let soonest = self.full_at.iter().min_by_key(|(_, full_at)| **full_at);
		if let Some(who) = soonest.map(|(who, _)| *who) {
			self.full_at.remove(&who);
		}
	}
}

/// What was tried and refused, for a while: whoever gives it again has the same answer, and costs us nothing.
#[derive(Debug)]
pub(crate) struct Refused<K, R> {
	until: HashMap<K, (Instant, R)>,
}

/// What a chain refuses now it may take in the next block or two.
const REFUSED_FOR: Duration = Duration::from_secs(10);

impl<K: Hash + Eq + Copy, R: Clone> Refused<K, R> {
	pub(crate) fn new() -> Self {
		Self { until: HashMap::new() }
	}

	pub(crate) fn get(&self, id: &K, now: Instant) -> Option<R> {
		let (until, why) = self.until.get(id)?;
		(now < *until).then(|| why.clone())
	}

	pub(crate) fn note(&mut self, id: K, why: R, now: Instant) {
		if self.until.len() >= MOST {
			self.until.retain(|_, (until, _)| now < *until);
		}
		// So many in ten seconds: then none is remembered, and all are tried.
		if self.until.len() < MOST {
			self.until.insert(id, (now + REFUSED_FOR, why));
		}
	}
}

/// Whom an address counts for.
pub(crate) fn customer(address: IpAddr) -> IpAddr {
	match address.to_canonical() {
		IpAddr::V6(address) => {
			let prefix = u128::from(address) >> 64 << 64;
			IpAddr::V6(Ipv6Addr::from(prefix))
		},
		v4 => v4,
	}
}

/// Who asked a proxy of ours, by the fields `X-Forwarded-For`: the last address of the last one, which the proxy wrote; all before it is
/// anybody's word.
pub(crate) fn forwarded<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Option<IpAddr> {
	let last = fields.into_iter().last()?;
	std::str::from_utf8(last).ok()?.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
	use super::*;

	const RATE: Rate = Rate {
		burst: 3,
		each: Duration::from_secs(10),
	};

	#[test]
	fn burst_is_allowed_and_then_one_each_so_often() {
		let (mut limits, start) = (Limits::new(RATE), Instant::now());
		let at = |seconds| start + Duration::from_secs(seconds);
		for _ in 0..3 {
			assert_eq!(limits.take(1, at(0)), Ok(()));
		}
		assert_eq!(limits.take(1, at(0)), Err(Duration::from_secs(10)));
		assert_eq!(limits.take(1, at(4)), Err(Duration::from_secs(6)));
		assert_eq!(limits.take(2, at(4)), Ok(()), "others are not meant");
		assert_eq!(limits.take(1, at(10)), Ok(()));
		assert!(limits.take(1, at(10)).is_err(), "what is refused is not owed");
		for _ in 0..3 {
			assert_eq!(limits.take(1, at(100)), Ok(()));
		}
		assert!(limits.take(1, at(100)).is_err(), "no more than a burst is saved up");
	}

	#[test]
	fn table_is_bounded_and_whoever_asks_much_stays_in_it() {
		let (mut limits, now) = (Limits::new(RATE), Instant::now());
		while limits.take(0u32, now).is_ok() {}
		for stranger in 1..MOST as u32 + 500 {
			assert_eq!(limits.take(stranger, now), Ok(()));
		}
		assert!(limits.full_at.len() <= MOST, "{}", limits.full_at.len());
		assert!(limits.take(0, now).is_err(), "strangers do not wash anybody clean");
	}

	#[test]
	fn customer_is_an_address_or_a_prefix() {
		let of = |text: &str| customer(text.parse().unwrap());
		assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2::"));
		assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
		assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
		assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
	}

	#[test]
	fn proxys_word_is_the_last_one_and_no_other_is_taken_for_it() {
		let said = |fields: &[&str]| forwarded(fields.iter().map(|field| field.as_bytes()));
		let proxy = Some("192.0.2.1".parse().unwrap());
		assert_eq!(said(&["198.51.100.7, 192.0.2.1"]), proxy);
		assert_eq!(
			said(&["198.51.100.7", "203.0.113.4, 192.0.2.1"]),
			proxy,
			"a line of its own"
		);
		for unreadable in [&[][..], &[""], &["1.2.3.4, nobody"], &["1.2.3.4", "nobody"]] {
			assert_eq!(said(unreadable), None, "{unreadable:?}");
		}
		assert_eq!(forwarded([&b"1.2.3.4"[..], b"\xff"]), None);
	}

	#[test]
	fn what_was_refused_is_tried_again_after_a_while_and_no_sooner() {
		let (mut refused, now) = (Refused::new(), Instant::now());
		refused.note(1, "no", now);
		assert_eq!(
			refused.get(&1, now + REFUSED_FOR - Duration::from_millis(1)),
			Some("no")
		);
		assert_eq!(refused.get(&1, now + REFUSED_FOR), None);
		assert_eq!(refused.get(&2, now), None);
		for id in 0..MOST + 10 {
			refused.note(id, "no", now);
		}
		assert_eq!(refused.until.len(), MOST);
	}
}
