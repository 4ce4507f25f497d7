//! The keeper against a chain that is slow, refuses, and finalises in its own time.

use super::*;
use crate::desk::tests::{asking, channel, modern, owes, reservation, seat_of, who_pays, NOW};
use clustercast_network::serve::{Closed, Policy, Unpaid};
use clustercast_protocol::EndReason;
use std::sync::{Mutex, MutexGuard};

/// What is handed in stands in the next block.
#[derive(Default)]
struct State {
	finalised: BlockNumber,
	refuses: bool,
	stands: Option<ChannelInfo>,
	handed_in: usize,
	released: Vec<Release>,
	/// Releases fail, or get into no block.
	stuck: bool,
	cannot_be_asked: bool,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

impl Fake {
	fn state(&self) -> MutexGuard<'_, State> {
		self.0.lock().unwrap()
	}
}

impl Chain for Fake {
	type Error = &'static str;

	async fn finalised(&self) -> Result<(BlockNumber, Hash), Self::Error> {
		Ok((self.state().finalised, Hash([0; 32])))
	}

	async fn channels(&self, keys: &[ChannelKey], _: Hash) -> Result<Vec<Option<ChannelInfo>>, Self::Error> {
		Ok(vec![self.state().stands; keys.len()])
	}

	async fn reserve(&self, reservation: &SignedReservation) -> Result<(), Self::Error> {
		let mut state = self.state();
		state.handed_in += 1;
		match state.refuses {
			true => Err("the deposit is gone"),
			false => {
				let message = &reservation.message;
				state.stands = Some(channel(message.counter, message.cap));
				Ok(())
			},
		}
	}

	async fn reserved(&self, _: Hash, most: usize) -> Result<Vec<(SessionKey, ChannelInfo)>, Self::Error> {
		let state = self.state();
		match state.cannot_be_asked {
			true => Err("not connected"),
			false => Ok(state
				.stands
				.map(|info| (who_pays(), info))
				.into_iter()
				.take(most)
				.collect()),
		}
	}

	async fn release(&self, releases: &[Release]) -> Result<(), Self::Error> {
		let mut state = self.state();
		state.released.extend_from_slice(releases);
		match state.stuck {
			true => Err("no money for the fee"),
			false => {
				state.stands = state.stands.map(|info| ChannelInfo { open: 0, ..info });
				Ok(())
			},
		}
	}
}

#[tokio::test]
async fn reservation_is_handed_in_followed_and_released_when_its_viewer_is_gone() {
	let dir = tempfile::tempdir().unwrap();
	let (desk, mut ordered) = asking(dir.path());
	let (desk, chain) = (Arc::new(desk), Fake::default());
	let keeper = Keeper::new(chain.clone(), desk.clone(), desk.store.clone());
	let seat = modern(&desk).await.1;
	desk.reserve(&seat, reservation(1, 2_000)).await.unwrap();
	keeper.hand_in(ordered.try_recv().unwrap()).await;
	assert_eq!(desk.reserved(&seat), Ok(None), "not looked up yet");
	chain.state().finalised = NOW;
	keeper.look().await;
	assert_eq!(desk.reserved(&seat), Ok(Some(1)));
	assert!(chain.state().released.is_empty(), "its viewer watches");

	desk.closed(Some(seat), Unpaid::default(), &Closed::Left);
	keeper.look().await;
	let release = Release {
		recipient: desk.recipient,
		session: who_pays().key,
		registered: 1,
		counter: 1,
		kept: 0,
	};
	assert_eq!(chain.state().released, [release]);
	keeper.look().await;
	assert_eq!(chain.state().released.len(), 1, "once");
	assert_eq!(desk.store.released(&who_pays().key).unwrap(), Some(1));
}

#[tokio::test]
async fn refused_reservation_ends_its_viewers_subscription() {
	let dir = tempfile::tempdir().unwrap();
	let (desk, mut ordered) = asking(dir.path());
	let (desk, chain) = (Arc::new(desk), Fake::default());
	chain.state().refuses = true;
	let keeper = Keeper::new(chain.clone(), desk.clone(), desk.store.clone());
	let seat = modern(&desk).await.1;
	desk.reserve(&seat, reservation(1, 2_000)).await.unwrap();
	keeper.hand_in(ordered.try_recv().unwrap()).await;
	keeper.look().await;
	assert!(matches!(desk.reserved(&seat), Err(EndReason::ReservationRefused(_))));
	assert_eq!(chain.state().handed_in, 1);
}

/// The viewer's connection breaks: another one finds what it had reserved.
#[tokio::test]
async fn lost_viewer_finds_its_reservation_again() {
	let dir = tempfile::tempdir().unwrap();
	let (desk, _) = asking(dir.path());
	let (desk, chain) = (Arc::new(desk), Fake::default());
	chain.state().stands = Some(channel(1, 2_000));
	chain.state().finalised = NOW;
	let keeper = Keeper::new(chain.clone(), desk.clone(), desk.store.clone());
	let seat = seat_of(&desk).await;
	desk.closed(Some(seat), Unpaid::default(), &Closed::Stalled);
	keeper.look().await;
	assert!(chain.state().released.is_empty());
	let seat = seat_of(&desk).await;
	keeper.look().await;
	assert!(desk.book.lock().unwrap().credit().is_covered(&who_pays(), 2_000));
	drop(seat);
}

/// The fee is missing, or the pool is full: it is not done because it was tried.
#[tokio::test]
async fn failed_release_is_tried_again_until_a_finalised_block_has_it() {
	let dir = tempfile::tempdir().unwrap();
	let (desk, _) = asking(dir.path());
	let (desk, chain) = (Arc::new(desk), Fake::default());
	chain.state().stands = Some(channel(1, 2_000));
	chain.state().finalised = NOW;
	chain.state().stuck = true;
	let keeper = Keeper::new(chain.clone(), desk.clone(), desk.store.clone());
	let seat = seat_of(&desk).await;
	keeper.look().await;
	desk.closed(Some(seat), Unpaid::default(), &Closed::Left);
	for block in NOW..NOW + 100 {
		desk.at_block(block);
		chain.state().finalised = block;
		keeper.look().await;
	}
	assert_eq!(chain.state().released.len(), 3, "after 30 and 90 blocks");
	chain.state().stuck = false;
	for block in NOW + 100..NOW + 1_000 {
		desk.at_block(block);
		chain.state().finalised = block;
		keeper.look().await;
	}
	assert_eq!(chain.state().released.len(), 4, "no more once it is free");
	assert!(desk.payers().is_empty(), "forgotten");
}

/// Nothing is remembered of a viewer who paid all and is gone: the chain knows.
#[tokio::test]
async fn what_was_reserved_before_the_start_is_released_unless_its_viewer_comes_back() {
	let dir = tempfile::tempdir().unwrap();
	let (desk, _) = asking(dir.path());
	let (desk, chain) = (Arc::new(desk), Fake::default());
	chain.state().stands = Some(channel(1, 2_000));
	chain.state().finalised = NOW;
	chain.state().cannot_be_asked = true;
	let keeper = Keeper::new(chain.clone(), desk.clone(), desk.store.clone());
	keeper.look().await;
	assert!(desk.payers().is_empty());
	chain.state().cannot_be_asked = false;
	keeper.look().await;
	assert_eq!(desk.payers(), [who_pays()], "asked again");
	let seat = seat_of(&desk).await;
	desk.at_block(NOW + 1_000);
	keeper.look().await;
	assert!(chain.state().released.is_empty(), "back");
	desk.closed(Some(seat), Unpaid::default(), &Closed::Stalled);

	// Another run, to which nobody comes back.
	let dir = tempfile::tempdir().unwrap();
	let (desk, _) = asking(dir.path());
	let desk = Arc::new(desk);
	let keeper = Keeper::new(chain.clone(), desk.clone(), desk.store.clone());
	keeper.look().await;
	desk.at_block(NOW + clustercast_protocol::credit::GRACE - 1);
	keeper.look().await;
	assert!(chain.state().released.is_empty());
	desk.at_block(NOW + clustercast_protocol::credit::GRACE);
	keeper.look().await;
	assert_eq!(chain.state().released.len(), 1);
}

#[tokio::test]
async fn what_owes_nothing_is_released_when_the_relayer_ends() {
	let dir = tempfile::tempdir().unwrap();
	let (desk, _) = asking(dir.path());
	let (desk, chain) = (Arc::new(desk), Fake::default());
	chain.state().stands = Some(channel(1, 2_000));
	chain.state().finalised = NOW;
	let keeper = Keeper::new(chain.clone(), desk.clone(), desk.store.clone());
	let seat = seat_of(&desk).await;
	keeper.look().await;
	keeper.finish().await;
	assert!(chain.state().released.is_empty(), "somebody watches");
	desk.closed(Some(seat), Unpaid::default(), &Closed::Ended(EndReason::ShuttingDown));
	keeper.finish().await;
	assert_eq!(chain.state().released.len(), 1);
	// It does not wait for ever where that fails.
	chain.state().stuck = true;
	keeper.finish().await;
}

/// A debt of less than its fee: a later voucher may bring it, and nothing waits for it.
#[tokio::test]
async fn small_debt_is_given_up_with_its_reservation_and_noted() {
	let dir = tempfile::tempdir().unwrap();
	let (mut desk, _) = asking(dir.path());
	let (owed, place) = owes(&mut desk, 9).await;
	let (desk, chain) = (Arc::new(desk), Fake::default());
	chain.state().stands = Some(channel(1, 2_000));
	chain.state().finalised = NOW;
	let keeper = Keeper::new(chain.clone(), desk.clone(), desk.store.clone());
	keeper.look().await;
	assert_eq!(chain.state().released.len(), 1, "owing {owed}");
	assert!(desk.store.owing().unwrap().is_empty());
	assert_eq!(desk.store.voucher_sums().unwrap().lost, owed);
	assert_eq!(desk.store.voucher(&place).unwrap().unwrap().settled, owed);
}
