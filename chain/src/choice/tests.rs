//! Nodes that come and go, played in steps of a tenth of a second.

use super::*;
use proptest::prelude::*;

const BLOCK_TIME: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(100);
const OURS: Hash = Hash([1; 32]);
const THEIRS: Hash = Hash([2; 32]);

/// A node as it is, whatever anybody knows of it.
#[derive(Clone, Copy)]
struct Real {
	/// `None` where nobody answers.
	chain: Option<Hash>,
	/// Blocks behind the chain.
	behind: BlockNumber,
	/// The block at which it stands still.
	still: Option<BlockNumber>,
	/// How long it takes to answer.
	delay: Duration,
	/// Blocks that it says it is ahead of the chain.
	boasts: BlockNumber,
	/// It answers no requests but those for its chain and head.
	hangs: bool,
}

const WHOLE: Real = Real {
	chain: Some(OURS),
	behind: 0,
	still: None,
	delay: Duration::ZERO,
	boasts: 0,
	hangs: false,
};
const DOWN: Real = Real { chain: None, ..WHOLE };

struct Play {
	start: Instant,
	now: Instant,
	choice: Choice,
	real: Vec<Real>,
	/// Who is being asked, and when it answers.
	pending: Vec<(usize, Instant)>,
	/// How often each was asked.
	looks: Vec<usize>,
	uses: Vec<(usize, Why)>,
	remarks: Vec<Remark>,
	/// While the chain itself makes no blocks.
	halted: Option<BlockNumber>,
}

impl Play {
	fn new(real: &[Real]) -> Self {
		let start = Instant::now();
		Self {
			start,
			now: start,
			choice: Choice::new(real.len(), BLOCK_TIME, start),
			real: real.to_vec(),
			pending: Vec::new(),
			looks: vec![0; real.len()],
			uses: Vec::new(),
			remarks: Vec::new(),
			halted: None,
		}
	}

	fn chain(&self) -> BlockNumber {
		let blocks = (self.now - self.start).as_secs() / BLOCK_TIME.as_secs();
		self.halted.unwrap_or(1_000 + BlockNumber::try_from(blocks).unwrap())
	}

	fn best(&self, node: usize) -> BlockNumber {
		let real = self.real[node];
		real.still.unwrap_or(self.chain() + real.boasts - real.behind)
	}

	fn act(&mut self) {
		while let Some(action) = self.choice.poll(self.now) {
			match action {
				Action::Ask(node) => {
					self.looks[node] += 1;
					self.pending.push((node, self.now + self.real[node].delay));
				},
				Action::Use(node, why) => {
					assert_eq!(self.real[node].chain, Some(OURS), "a stranger is asked");
					self.uses.push((node, why));
				},
				Action::Say(remark) => self.remarks.push(remark),
				Action::Try(node) => self.choice.tried(node, !self.real[node].hangs, self.now),
				Action::Discard(_) => {},
			}
		}
	}

	fn pass(&mut self, time: Duration) -> &mut Self {
		let until = self.now + time;
		while self.now < until {
			self.act();
			self.now += STEP;
			let now = self.now;
			let (answered, pending) = self.pending.iter().partition(|(_, at)| *at <= now);
			self.pending = pending;
			let answered: Vec<(usize, Instant)> = answered;
			for (node, _) in answered {
				match self.real[node].chain {
					Some(chain) => self.choice.answered(node, chain, self.best(node), now),
					None => self.choice.failed(node, "connection refused".into(), now),
				}
				self.act();
			}
			if let Some(node) = self.choice.in_use() {
				match self.real[node].chain {
					Some(OURS) => self.choice.head(self.best(node), now),
					_ => self.choice.lost("reset".into(), now),
				}
			}
			// Whoever drives it sleeps until then: nothing may become due without being announced.
			let wakes = self.choice.wake();
			let mut later = now;
			while self.pending.is_empty() && wakes.is_some_and(|wake| later + STEP < wake) && later < now + STEP * 20 {
				later += STEP;
				assert_eq!(self.choice.poll(later), None, "not announced");
			}
			self.act();
		}
		self
	}

	fn seconds(&mut self, seconds: u64) -> &mut Self {
		self.pass(Duration::from_secs(seconds))
	}

	/// Who was asked from when on, in order.
	fn nodes(&self) -> Vec<usize> {
		self.uses.iter().map(|(node, _)| *node).collect()
	}
}

#[test]
fn first_in_the_list_that_is_whole_is_asked_and_stays() {
	let mut play = Play::new(&[WHOLE, WHOLE, WHOLE]);
	play.seconds(600);
	assert_eq!(play.uses, [(0, Why::First)]);
	assert!(play.remarks.is_empty());
	assert_eq!(play.looks[0], 1, "who is asked anyway is not looked at");
	assert!(play.looks[1] <= 21, "{:?}", play.looks);
}

#[test]
fn one_that_is_slow_to_answer_delays_nobody_for_long() {
	let slow = Real {
		delay: Duration::from_secs(9),
		..WHOLE
	};
	let mut play = Play::new(&[slow, WHOLE]);
	play.pass(Duration::from_millis(900));
	assert_eq!(play.uses, [], "it comes first, so it is waited for a little");
	play.pass(Duration::from_millis(400));
	assert_eq!(play.uses, [(1, Why::First)]);
}

#[test]
fn another_one_is_asked_within_seconds_where_the_connection_ends() {
	let mut play = Play::new(&[WHOLE, WHOLE]);
	play.seconds(60);
	play.real[0] = DOWN;
	play.seconds(2);
	assert_eq!(play.uses[1..], [(1, Why::Ended("reset".into()))]);
	// Said once, however long it lasts.
	play.seconds(600);
	assert_eq!(play.remarks, [Remark::Trouble(0, "connection refused".into())]);
	assert_eq!(play.nodes(), [0, 1]);
	// And gone back to, once it was whole for a while.
	play.real[0] = WHOLE;
	play.seconds(BACK.as_secs() - 5);
	assert_eq!(play.nodes(), [0, 1]);
	play.seconds(2 * STANDBY.as_secs() + 10);
	assert_eq!(play.uses[2..], [(0, Why::Back)]);
}

#[test]
fn only_one_is_asked_again_until_it_answers() {
	let mut play = Play::new(&[WHOLE]);
	play.seconds(10);
	play.real[0] = DOWN;
	play.seconds(30);
	let looks = play.looks[0];
	assert!((14..=22).contains(&looks), "{looks} times in 30 s");
	play.real[0] = WHOLE;
	play.seconds(3);
	assert_eq!(play.uses[1..], [(0, Why::Ended("reset".into()))]);
	assert_eq!(play.remarks.len(), 1);
}

/// The issue: a node that answers, and knows of nothing new.
#[test]
fn one_whose_head_stands_still_is_left_for_one_whose_does_not() {
	let mut play = Play::new(&[WHOLE, WHOLE]);
	play.seconds(60);
	play.real[0].still = Some(play.chain());
	play.seconds(9);
	assert_eq!(play.nodes(), [0], "two blocks may be missing");
	play.seconds(4);
	assert!(
		matches!(&play.uses[1..], [(1, Why::Still(time))] if time.as_secs() >= 10),
		"{:?}",
		play.uses
	);
	play.seconds(900);
	assert_eq!(play.nodes(), [0, 1], "it is not gone back to");
}

/// Also where it is the only one: whoever is at the other end may be gone without a word.
#[test]
fn a_connection_that_is_dead_is_replaced_by_another_to_the_same_node() {
	let start = Instant::now();
	let mut choice = Choice::new(1, BLOCK_TIME, start);
	assert_eq!(choice.poll(start), Some(Action::Ask(0)));
	choice.answered(0, OURS, 1_000, start);
	assert_eq!(choice.poll(start), Some(Action::Use(0, Why::First)));
	assert_eq!(choice.poll(start), None);
	let late = start + BLOCK_TIME * tip::LATE;
	assert_eq!(choice.wake(), Some(late));
	assert_eq!(choice.poll(late), Some(Action::Ask(0)));
	choice.answered(0, OURS, 1_001, late);
	assert_eq!(choice.poll(late), Some(Action::Discard(0)), "it may be the chain");
	let later = choice.wake().unwrap();
	assert_eq!(choice.poll(later), Some(Action::Ask(0)));
	choice.answered(0, OURS, 1_007, later);
	assert_eq!(choice.poll(later), Some(Action::Use(0, Why::Still(later - start))));
}

#[test]
fn a_chain_that_stands_still_itself_moves_nobody_and_burdens_nobody() {
	let mut play = Play::new(&[WHOLE, WHOLE]);
	play.seconds(60);
	play.halted = Some(play.chain());
	let looks = play.looks[1];
	play.seconds(600);
	assert_eq!(play.nodes(), [0]);
	assert!(play.looks[1] - looks <= 24, "{:?}", play.looks);
	play.halted = None;
	play.seconds(60);
	assert_eq!(play.nodes(), [0]);
}

#[test]
fn one_that_falls_behind_is_left_and_one_that_is_a_little_behind_is_not() {
	let mut play = Play::new(&[WHOLE, WHOLE]);
	play.seconds(60);
	// It goes on all the time, slower than the chain.
	for behind in 1..=BEHIND {
		play.real[0].behind = behind;
		play.seconds(40);
	}
	assert_eq!(play.nodes(), [0]);
	for behind in BEHIND + 1..BEHIND + 4 {
		play.real[0].behind = behind;
		play.seconds(20);
	}
	assert!(
		matches!(play.uses[1..], [(1, Why::Behind(blocks))] if blocks > BEHIND),
		"{:?}",
		play.uses
	);
}

/// Purged, it syncs anew.
#[test]
fn one_that_syncs_is_taken_only_while_there_is_no_other() {
	let syncing = Real { behind: 900, ..WHOLE };
	let mut play = Play::new(&[DOWN, WHOLE]);
	play.seconds(60);
	play.real[0] = syncing;
	play.seconds(600);
	assert_eq!(play.nodes(), [1]);
	play.real[1] = DOWN;
	play.seconds(3);
	assert_eq!(play.nodes(), [1, 0]);
	play.real[1] = WHOLE;
	play.seconds(HURRY.as_secs() + 1);
	assert_eq!(play.nodes(), [1, 0, 1]);
	// Of two that sync the one that is further.
	let mut play = Play::new(&[DOWN, DOWN, WHOLE]);
	play.seconds(60);
	(play.real[0], play.real[1]) = (syncing, Real { behind: 600, ..WHOLE });
	play.real[2] = DOWN;
	play.seconds(3);
	assert_eq!(play.nodes(), [2, 1]);
}

/// At the start nobody knows how far the chain is. What rises faster than a chain does is no head, so it is not stayed with.
#[test]
fn one_that_syncs_at_the_start_is_left_for_one_that_follows() {
	let mut play = Play::new(&[Real { behind: 900, ..WHOLE }, WHOLE]);
	for _ in 0..45 {
		play.seconds(1);
		play.real[0].behind -= 20;
	}
	assert_eq!(play.nodes(), [0, 1]);
	assert!(matches!(play.uses[1].1, Why::Still(_)), "{:?}", play.uses);
	play.seconds(BACK.as_secs() + 3 * STANDBY.as_secs());
	assert_eq!(play.nodes(), [0, 1, 0], "once it follows");
}

/// The attack: it is there from the start, and says that it is far ahead, or not so far.
#[test]
fn as_long_as_nobody_knows_how_far_the_chain_is_the_order_of_the_list_decides() {
	for boasts in [BEHIND + 1, 1_000, 4_000_000_000] {
		let mut play = Play::new(&[WHOLE, Real { boasts, ..WHOLE }]);
		play.seconds(600);
		assert_eq!(play.nodes(), [0], "{boasts}");
	}
}

/// The attack: ahead by a little more than a node may be behind, so that all others are, and a little more each time.
#[test]
fn one_that_creeps_ahead_drives_nobody_out() {
	let mut play = Play::new(&[WHOLE, WHOLE]);
	play.seconds(60);
	play.real[1].boasts = BEHIND + 1;
	play.seconds(120);
	assert_eq!(play.nodes(), [0]);
	for _ in 0..60 {
		play.real[1].boasts += 1;
		play.seconds(10);
	}
	assert_eq!(play.nodes(), [0]);
	// Nor where it is asked itself: what it invents in excess of a block in each block's time counts as nothing.
	let mut play = Play::new(&[WHOLE, WHOLE]);
	play.seconds(60);
	for _ in 0..60 {
		play.real[0].boasts += 1;
		play.seconds(2);
	}
	assert_eq!(play.nodes(), [0, 1]);
}

/// The same on a chain that leaves out blocks, where nobody can tell for a while who invents: it comes back to who is first.
#[test]
fn one_that_invents_blocks_that_a_chain_left_out_does_not_keep_it() {
	let mut play = Play::new(&[WHOLE, WHOLE]);
	play.seconds(60);
	// One block in 15 is left out, and the second node has it all the same.
	for _ in 0..40 {
		play.real[0].behind += 1;
		play.seconds(30);
	}
	let first = play.uses.iter().position(|(node, why)| (*node, why) == (0, &Why::Back));
	assert!(first.is_some(), "{:?}", play.uses);
}

/// The attack, or the accident: it says that it goes on, and does not.
#[test]
fn who_was_left_for_not_answering_or_standing_still_rests_before_it_is_taken_again() {
	let still = |play: &mut Play| play.real[0].still = Some(play.chain());
	let hangs = |play: &mut Play| {
		play.real[0].hangs = true;
		play.choice.hangs(play.now);
	};
	for fault in [still as fn(&mut Play), hangs] {
		let mut play = Play::new(&[WHOLE, WHOLE, WHOLE]);
		play.seconds(60);
		fault(&mut play);
		play.seconds(20);
		let next = play.nodes()[1];
		// It was not long: it is there again, and ahead; and the one that took its place is gone.
		play.real[0] = WHOLE;
		play.real[next].behind = 3;
		play.seconds(20);
		play.real[next] = DOWN;
		play.seconds(BACK.as_secs() - 60);
		assert_eq!(play.nodes(), [0, next, 3 - next], "the third one is there");
		play.seconds(BACK.as_secs() + 2 * STANDBY.as_secs());
		assert_eq!(play.choice.in_use(), Some(0));
		// Where there is nobody else it is asked nevertheless.
		let mut play = Play::new(&[WHOLE, WHOLE]);
		play.seconds(60);
		fault(&mut play);
		play.seconds(20);
		(play.real[0], play.real[1]) = (WHOLE, DOWN);
		play.seconds(5);
		assert_eq!(play.nodes(), [0, 1, 0]);
	}
}

/// The issue: a proxy that leads to another chain, and back.
#[test]
fn a_node_of_another_chain_is_told_of_once_and_never_asked() {
	let mut play = Play::new(&[WHOLE, WHOLE]);
	play.seconds(60);
	play.real[0] = Real {
		chain: Some(THEIRS),
		still: Some(90_000),
		..WHOLE
	};
	let looks = play.looks[0];
	play.seconds(600);
	assert_eq!(play.nodes(), [0, 1]);
	let stranger = Remark::Stranger {
		node: 0,
		genesis: THEIRS,
		ours: OURS,
	};
	assert_eq!(play.remarks[..], *std::slice::from_ref(&stranger));
	assert!((9..=12).contains(&(play.looks[0] - looks)), "seldom: {:?}", play.looks);
	// It is whole again; then a stranger again.
	play.real[0] = WHOLE;
	play.seconds(STRANGER.as_secs() + BACK.as_secs() + 2 * STANDBY.as_secs());
	assert_eq!(play.nodes(), [0, 1, 0]);
	play.real[0].chain = Some(THEIRS);
	play.seconds(5);
	assert_eq!(play.remarks, [stranger.clone(), stranger]);
}

#[test]
fn where_there_is_only_a_stranger_nobody_is_asked() {
	let mut play = Play::new(&[WHOLE]);
	play.seconds(10);
	play.real[0].chain = Some(THEIRS);
	play.seconds(300);
	assert_eq!(play.choice.in_use(), None);
	assert_eq!(play.nodes(), [0]);
	play.real[0] = WHOLE;
	play.seconds(STRANGER.as_secs() + 2);
	assert_eq!(play.nodes(), [0, 0]);
}

#[test]
fn the_first_in_the_list_says_which_chain_it_is() {
	let stranger = Real {
		chain: Some(THEIRS),
		..WHOLE
	};
	// It answers last, and in time.
	let slow = Real {
		delay: Duration::from_millis(500),
		..WHOLE
	};
	let mut play = Play::new(&[slow, stranger, WHOLE]);
	play.seconds(10);
	assert_eq!(play.nodes(), [0]);
	assert!(
		matches!(play.remarks[..], [Remark::Stranger { node: 1, .. }]),
		"{:?}",
		play.remarks
	);
}

#[test]
fn two_that_come_and_go_in_turn_do_not_shut_anybody_out() {
	let mut play = Play::new(&[WHOLE, WHOLE]);
	play.seconds(10);
	for turn in 0..20 {
		let (up, down) = (turn % 2, 1 - turn % 2);
		(play.real[up], play.real[down]) = (WHOLE, DOWN);
		play.seconds(4);
		assert_eq!(play.choice.in_use(), Some(up));
		play.real[down] = WHOLE;
		play.seconds(20);
		assert_eq!(play.choice.in_use(), Some(up), "whoever is asked and whole stays");
	}
}

/// The attack: it has our chain, and says that it is far ahead. Whoever believed it found all others to be behind.
#[test]
fn one_that_is_further_than_the_chain_can_be_is_not_taken() {
	for boasts in [BEHIND + 10, 1_000, 4_000_000_000] {
		let liar = Real { boasts, ..WHOLE };
		let mut play = Play::new(&[WHOLE, DOWN]);
		play.seconds(60);
		play.real[1] = liar;
		play.seconds(600);
		assert_eq!(play.nodes(), [0], "{boasts}");
		// Where there is nobody else it is asked, until there is.
		play.real[0] = DOWN;
		play.seconds(5);
		assert_eq!(play.nodes(), [0, 1], "{boasts}");
		play.real[0] = WHOLE;
		play.seconds(2 * STANDBY.as_secs());
		assert_eq!(play.nodes(), [0, 1, 0], "{boasts}");
	}
}

/// The same of the one that is asked: it stands still, as far as anybody knows.
#[test]
fn one_that_begins_to_lie_is_left() {
	let mut play = Play::new(&[WHOLE, WHOLE]);
	play.seconds(60);
	play.real[0].boasts = 1_000;
	play.seconds(25);
	assert_eq!(play.nodes(), [0, 1]);
	play.seconds(600);
	assert_eq!(play.nodes(), [0, 1]);
}

/// Nor is anybody shut out where it is we who know too little: the node syncs, or this machine slept.
#[test]
fn what_is_known_gives_way_where_nobody_says_what_fits_it() {
	let syncing = Real { behind: 900, ..WHOLE };
	let mut play = Play::new(&[syncing]);
	while play.real[0].behind > 0 {
		play.seconds(1);
		play.real[0].behind -= 50;
	}
	play.seconds(UNKNOWN.as_secs());
	let best = play.chain();
	assert!(play.choice.asked.as_ref().unwrap().best >= best - BEHIND);
	// An hour in which only the chain went on.
	let mut play = Play::new(&[WHOLE, WHOLE]);
	play.seconds(60);
	play.real.iter_mut().for_each(|real| real.boasts = 1_800);
	play.seconds(UNKNOWN.as_secs() + 2 * STANDBY.as_secs());
	let (node, best) = (play.choice.in_use().unwrap(), play.chain() + 1_800);
	assert!(play.choice.asked.as_ref().unwrap().best >= best - BEHIND, "node {node}");
}

/// The fault: heads went on, requests did not, and nobody left it.
#[test]
fn one_that_leaves_a_request_unanswered_is_left_for_one_that_answers_it() {
	let deaf = Real { hangs: true, ..WHOLE };
	let mut play = Play::new(&[deaf, deaf, WHOLE]);
	play.seconds(60);
	assert_eq!(play.nodes(), [0]);
	play.choice.hangs(play.now);
	play.seconds(10);
	assert_eq!(play.uses[1..], [(2, Why::Unanswered)]);
	// What nobody answers moves nobody, and burdens nobody.
	let mut play = Play::new(&[deaf, deaf]);
	play.seconds(60);
	let looks = play.looks[1];
	for _ in 0..60 {
		play.choice.hangs(play.now);
		play.seconds(10);
	}
	assert_eq!(play.nodes(), [0]);
	assert!(play.looks[1] - looks <= 24, "{:?}", play.looks);
	// Nor what was answered after all.
	let mut play = Play::new(&[deaf, WHOLE]);
	play.seconds(60);
	play.choice.hangs(play.now);
	play.choice.answers();
	play.seconds(60);
	assert_eq!(play.nodes(), [0]);
}

/// What a liar does for a while.
#[derive(Clone, Copy, Debug)]
enum Lie {
	/// Nothing: it serves true data.
	None,
	/// It says that it is so far ahead, more each second, or less.
	Boasts(BlockNumber, i32),
	/// It falls behind by one more in so many seconds.
	Slow(u64),
	Still,
	Deaf,
	Down,
}

fn lie() -> impl Strategy<Value = (Lie, u64)> {
	// Not so long that what it invents at the chain's pace would be another chain.
	let boasts = prop_oneof![(0..2_000_u32, -2..4_i32), (0..10_u32, Just(0))];
	prop_oneof![
		(Just(Lie::None), 1..400_u64),
		(boasts.prop_map(|(by, more)| Lie::Boasts(by, more)), 1..25_u64),
		((2..20_u64).prop_map(Lie::Slow), 20..600_u64),
		(
			prop_oneof![Just(Lie::Still), Just(Lie::Deaf), Just(Lie::Down)],
			1..200_u64
		),
	]
}

/// Honest nodes on slow lines are so far behind.
const LAG: BlockNumber = 2;

/// Nobody is stuck for longer on one that is further from the chain than what is gone back to, and what it may lose until that is seen.
const STUCK: Duration = Duration::from_secs(180);

proptest! {
	#![proptest_config(ProptestConfig::with_cases(96))]

	/// However many lie, however they do it, wherever they are in the list.
	#[test]
	fn nobody_is_stuck_on_a_liar_as_long_as_one_is_honest(
		honest in 0..4_usize,
		lies in prop::collection::vec(prop::collection::vec(lie(), 30..60), 3),
	) {
		let mut play = Play::new(&[WHOLE; 4]);
		let mut scripts: Vec<_> = lies.into_iter().map(|lies| lies.into_iter()).collect();
		scripts.insert(honest, Vec::new().into_iter());
		let mut acts = [(Lie::None, 0_u64); 4];
		let (mut bad, mut hangs) = (0_u64, 0_u64);
		for second in 0..1_500_u64 {
			for (node, act) in acts.iter_mut().enumerate() {
				if node == honest {
					play.real[node].behind = (second / 7 % u64::from(LAG + 1)) as BlockNumber;
					continue;
				}
				if act.1 == 0 {
					*act = scripts[node].next().unwrap_or((Lie::None, u64::MAX));
					play.real[node] = match act.0 {
						Lie::Boasts(boasts, _) => Real { boasts, ..WHOLE },
						Lie::Still => Real { still: Some(play.best(node)), ..WHOLE },
						Lie::Deaf => Real { hangs: true, ..WHOLE },
						Lie::Down => DOWN,
						Lie::None | Lie::Slow(_) => WHOLE,
					};
				}
				act.1 -= 1;
				let real = &mut play.real[node];
				match act.0 {
					Lie::Boasts(_, more) => real.boasts = real.boasts.saturating_add_signed(more),
					Lie::Slow(each) if second % each == 0 => real.behind += 1,
					_ => {},
				}
			}
			play.seconds(1);
			let asked = play.choice.in_use();
			let deaf = asked.is_some_and(|node| play.real[node].hangs);
			hangs = if deaf { hangs + 1 } else { 0 };
			match hangs {
				0 => play.choice.answers(),
				10.. => play.choice.hangs(play.now),
				_ => {},
			}
			let follows = asked.is_some_and(|node| play.best(node).abs_diff(play.chain()) <= NEAR + 2 * BEHIND);
			bad = if follows && !deaf { 0 } else { bad + 1 };
			prop_assert!(bad <= STUCK.as_secs(), "for {bad} s at {second}: {:?} {:?}", play.uses, acts);
		}
	}
}

#[test]
fn who_rests_is_tried_at_once_where_there_is_nobody_else() {
	let deaf = Real { hangs: true, ..WHOLE };
	let mut play = Play::new(&[deaf, WHOLE]);
	play.seconds(60);
	play.choice.hangs(play.now);
	play.seconds(10);
	(play.real[0], play.real[1]) = (WHOLE, deaf);
	play.choice.hangs(play.now);
	play.seconds(10);
	assert_eq!(play.uses[1..], [(1, Why::Unanswered), (0, Why::Unanswered)]);
}
