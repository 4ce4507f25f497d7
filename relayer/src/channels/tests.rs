//! The keeper against a chain that is slow, refuses, and finalises in its own time.

use super::*;
use crate::desk::tests::{asking, channel, modern, reservation, seat_of, who_pays, NOW};
use clustercast_network::serve::{Closed, Policy};
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

	async fn release(&self, releases: &[Release]) -> Result<(), Self::Error> {
		self.state().released.extend_from_slice(releases);
		Ok(())
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

	desk.closed(Some(seat), Vec::new(), &Closed::Left);
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
	desk.closed(Some(seat), Vec::new(), &Closed::Stalled);
	keeper.look().await;
	assert!(chain.state().released.is_empty());
	let seat = seat_of(&desk).await;
	keeper.look().await;
	assert!(desk.book.lock().unwrap().credit().is_covered(&who_pays(), 2_000));
	drop(seat);
}
