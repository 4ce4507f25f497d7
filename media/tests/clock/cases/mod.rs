//! What people have met, and its relatives, by name.

mod network;
mod pace;
mod stamps;
mod tracks;
mod turns;

use crate::stage::*;
use clustercast_media::{
	mixer::{Mixer, Shows, SourceId},
	timeline::{
		Fault,
		Track::{self, Picture, Sound},
	},
};
use clustercast_testing::publisher::*;

/// What holds whatever the publisher does.
fn play_all(play: Play) -> Stage {
	let stage = play.run();
	stage.holds().nothing_old().fresh();
	stage
}

fn play(publisher: Publisher) -> Stage {
	let length = publisher.to;
	play_all(Play {
		publishers: vec![publisher],
		length,
		..Play::default()
	})
}

/// The same for one whose stamps have to be found out first.
fn unruly(publisher: Publisher) -> Stage {
	let length = publisher.to;
	let stage = Play {
		publishers: vec![publisher],
		length,
		..Play::default()
	}
	.run();
	stage.holds().nothing_old();
	stage
}

/// Every picture of 30 a second is shown, once.
fn whole_picture(stage: &Stage, from: f64, to: f64) {
	let repeated = stage
		.between(from, to)
		.filter(|o| o.shows != Shows::New)
		.map(|o| o.at)
		.collect::<Vec<_>>();
	assert!(repeated.is_empty(), "nothing new at {repeated:?}; {:?}", stage.figures);
}

fn whole_sound(stage: &Stage, from: f64, to: f64) {
	let silent = stage
		.between(from, to)
		.filter(|o| o.loud < 0.99)
		.map(|o| o.at)
		.collect::<Vec<_>>();
	assert!(silent.is_empty(), "not heard at {silent:?}; {:?}", stage.figures);
}

fn silence(stage: &Stage, from: f64, to: f64) {
	let heard = stage
		.between(from, to)
		.filter(|o| o.loud > 0.0)
		.map(|o| o.at)
		.collect::<Vec<_>>();
	assert!(heard.is_empty(), "heard at {heard:?}; {:?}", stage.figures);
}
