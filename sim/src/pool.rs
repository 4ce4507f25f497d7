//! What says the same at all nodes is in memory once, as long as it is new: windows and what announces them. Each node has verified its own
//! by then, and what is compared is all of it, so nobody gets what somebody else has and it has not.

use clustercast_primitives::Hash;
use clustercast_protocol::{Announced, EncodedWindow};
use std::{
	collections::{BTreeMap, VecDeque},
	sync::Arc,
};

/// Windows that are new: as many as a session remembers.
const NEW: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Pool {
	windows: Newest<EncodedWindow>,
	announced: Newest<Arc<Announced>>,
}

#[derive(Debug)]
struct Newest<T> {
	by_header: BTreeMap<Hash, T>,
	order: VecDeque<Hash>,
}

impl<T> Default for Newest<T> {
	fn default() -> Self {
		Self {
			by_header: BTreeMap::new(),
			order: VecDeque::new(),
		}
	}
}

impl<T: Clone> Newest<T> {
	/// The one that was here first, where it says the same.
	fn share(&mut self, header: Hash, own: T, same: impl Fn(&T, &T) -> bool) -> T {
		match self.by_header.get(&header) {
			Some(first) if same(first, &own) => first.clone(),
			Some(_) => own,
			None => {
				if self.order.len() >= NEW {
					self.order.pop_front().map(|oldest| self.by_header.remove(&oldest));
				}
				self.order.push_back(header);
				self.by_header.insert(header, own.clone());
				own
			},
		}
	}
}

impl Pool {
	/// This window, or the same.
	pub fn window(&mut self, own: EncodedWindow) -> EncodedWindow {
		self.windows.share(own.hash(), own, |one, other| {
			(one.announcement(true), one.setting(), one.history(), one.data())
				== (other.announcement(true), other.setting(), other.history(), other.data())
		})
	}

	/// This announcement, or the same.
	pub fn announced(&mut self, own: Arc<Announced>) -> Arc<Announced> {
		self.announced.share(own.hash(), own, |one, other| one == other)
	}
}
