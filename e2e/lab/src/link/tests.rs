//! What a link does with packets, without a clock.

use super::*;

const MS: Duration = Duration::from_millis(1);
const MBIT: u64 = 1_000_000;

/// Packets of a full Ethernet frame take 1.2 ms at 10 Mb/s.
const FULL: usize = 1_500;

fn link(shape: Shape) -> Link {
	Link::new(shape, 1, 0)
}

/// What becomes of `count` full packets, sent `every` so often.
fn fates(mut link: Link, count: u32, every: Duration) -> Vec<Fate> {
	(0..count).map(|n| link.push(every * n, FULL)).collect()
}

fn lost(fates: &[Fate]) -> Vec<usize> {
	let lost = fates.iter().enumerate().filter(|(_, fate)| **fate == Fate::Lost);
	lost.map(|(index, _)| index).collect()
}

#[test]
fn packet_takes_its_length_and_then_the_delay() {
	let mut link = link(Shape::delay(20 * MS).rate(10 * MBIT));
	assert_eq!(link.push(5 * MS, FULL), Fate::Arrives(Duration::from_micros(26_200)));
	// Behind the one before.
	assert_eq!(link.push(5 * MS, FULL), Fate::Arrives(Duration::from_micros(27_400)));
	// The line is free again.
	assert_eq!(link.push(50 * MS, FULL), Fate::Arrives(Duration::from_micros(71_200)));
	assert_eq!(link.counts().longest_wait, Duration::from_micros(1_200));
}

#[test]
fn link_without_a_rate_only_delays() {
	let fates = fates(link(Shape::delay(20 * MS)), 1_000, Duration::ZERO);
	assert!(fates.iter().all(|fate| *fate == Fate::Arrives(20 * MS)));
}

#[test]
fn rate_is_what_passes_however_much_is_offered() {
	let mut link = link(Shape::delay(20 * MS).rate(10 * MBIT));
	// 20 Mb/s for 10 s.
	let arrivals = (0..16_667).filter(|n| matches!(link.push(Duration::from_micros(600) * *n, FULL), Fate::Arrives(_)));
	let bits = arrivals.count() as f64 * FULL as f64 * 8.0;
	// What still waits in the end passes, too.
	assert!((1.0e8..=1.012e8).contains(&bits), "{bits}");
}

#[test]
fn full_queue_drops_what_comes_and_bounds_the_wait() {
	for queue in [Queue::Time(100 * MS), Queue::Bytes(125_000)] {
		let mut link = link(Shape::delay(Duration::ZERO).rate(10 * MBIT).queue(queue));
		let mut worst = Duration::ZERO;
		for n in 0..5_000 {
			let now = MS / 2 * n;
			if let Fate::Arrives(at) = link.push(now, FULL) {
				worst = worst.max(at - now);
			}
		}
		assert!(link.counts().dropped > 2_000, "{:?}", link.counts());
		assert!((98 * MS..=102 * MS).contains(&worst), "{queue:?}: {worst:?}");
	}
}

#[test]
fn queue_that_holds_one_packet_holds_one() {
	let mut link = link(Shape::delay(Duration::ZERO).rate(10 * MBIT).queue(Queue::Bytes(3_000)));
	let fates: Vec<_> = (0..3).map(|_| link.push(Duration::ZERO, FULL)).collect();
	assert!(
		matches!(fates[..], [Fate::Arrives(_), Fate::Arrives(_), Fate::Dropped]),
		"{fates:?}"
	);
}

#[test]
fn random_losses_have_the_share_asked_for() {
	let fates = fates(link(Shape::delay(MS).loss(Loss::Random(0.01))), 100_000, MS);
	let lost = lost(&fates);
	assert!((900..1_100).contains(&lost.len()), "{}", lost.len());
	// One after the other as often as chance has it: 1 % of them.
	let pairs = lost.windows(2).filter(|two| two[1] == two[0] + 1).count();
	assert!(pairs < 30, "{pairs}");
}

#[test]
fn bursts_have_the_share_and_the_length_asked_for() {
	let fates = fates(link(Shape::delay(MS).loss(Loss::bursts(0.02, 8.0))), 400_000, MS);
	let lost = lost(&fates);
	let share = lost.len() as f64 / fates.len() as f64;
	assert!((0.017..0.023).contains(&share), "{share}");
	let bursts = 1 + lost.windows(2).filter(|two| two[1] != two[0] + 1).count();
	let length = lost.len() as f64 / bursts as f64;
	assert!((7.0..9.0).contains(&length), "{length}");
}

#[test]
fn a_good_link_may_lose_and_a_bad_one_deliver() {
	let loss = Loss::Burst {
		enter: 0.1,
		leave: 0.1,
		good: 0.01,
		bad: 0.5,
	};
	let share = lost(&fates(link(Shape::delay(MS).loss(loss)), 100_000, MS)).len() as f64 / 1.0e5;
	assert!((0.24..0.27).contains(&share), "half of the time each: {share}");
}

#[test]
fn same_seed_loses_the_same_packets_whatever_their_times_and_lengths() {
	for loss in [Loss::Random(0.05), Loss::bursts(0.05, 4.0)] {
		let of = |seed, number, every: Duration, length: usize| -> Vec<bool> {
			let mut link = Link::new(Shape::delay(MS).jitter(3 * MS).loss(loss), seed, number);
			(0..5_000).map(|n| link.push(every * n, length) == Fate::Lost).collect()
		};
		let first = of(7, 3, MS, FULL);
		assert_eq!(first, of(7, 3, 9 * MS, 40), "times and lengths decide nothing");
		assert_ne!(first, of(8, 3, MS, FULL));
		assert_ne!(first, of(7, 4, MS, FULL));
	}
}

#[test]
fn what_the_queue_drops_does_not_move_the_losses_behind_it() {
	let shape = Shape::delay(MS).loss(Loss::Random(0.05));
	let free = fates(link(shape), 5_000, MS);
	let full = fates(link(shape.rate(6 * MBIT).queue(Queue::Time(5 * MS))), 5_000, MS);
	assert!(full.iter().filter(|fate| **fate == Fate::Dropped).count() > 1_000);
	for (index, (free, full)) in free.iter().zip(&full).enumerate() {
		if *full != Fate::Dropped {
			assert_eq!(*free == Fate::Lost, *full == Fate::Lost, "packet {index}");
		}
	}
}

#[test]
fn jitter_never_lets_packets_overtake() {
	let fates = fates(link(Shape::delay(20 * MS).jitter(30 * MS)), 10_000, MS);
	let arrivals: Vec<Duration> = fates
		.iter()
		.map(|fate| match fate {
			Fate::Arrives(at) => *at,
			other => panic!("{other:?}"),
		})
		.collect();
	assert!(arrivals.is_sorted());
	let late = arrivals.iter().enumerate().map(|(n, at)| *at - MS * n as u32);
	let (least, most) = (late.clone().min().unwrap(), late.max().unwrap());
	assert!(
		least >= 20 * MS && (45 * MS..=50 * MS).contains(&most),
		"{least:?} {most:?}"
	);
}

#[test]
fn another_shape_holds_for_what_is_sent_from_then_on() {
	let mut link = link(Shape::delay(20 * MS));
	assert_eq!(link.push(Duration::ZERO, FULL), Fate::Arrives(20 * MS));
	link.reshape(Shape::delay(20 * MS).loss(Loss::Random(1.0)));
	assert_eq!(link.push(MS, FULL), Fate::Lost);
	link.reshape(Shape::delay(5 * MS));
	assert_eq!(
		link.push(2 * MS, FULL),
		Fate::Arrives(20 * MS),
		"nor do they overtake then"
	);
	assert_eq!(link.push(30 * MS, FULL), Fate::Arrives(35 * MS));
}

#[test]
fn waits_are_those_of_packets_that_found_room() {
	// A full packet takes 12 ms; 36 ms of queue.
	let shape = Shape::delay(Duration::ZERO).rate(MBIT).queue(Queue::Time(36 * MS));
	let mut link = link(shape);
	assert_eq!(link.waits().percentile(95), Duration::ZERO, "none came");
	for _ in 0..6 {
		link.push(Duration::ZERO, FULL);
	}
	// 0, 12, 24 and 36 ms; two were dropped.
	let before = link.waits().clone();
	let of = |percent| before.percentile(percent);
	assert_eq!([of(25), of(50), of(75), of(100)], [0, 12, 24, 36].map(|ms| ms * MS));
	link.push(40 * MS, FULL);
	let since = link.waits().since(&before);
	assert_eq!((since.percentile(1), since.percentile(100)), (8 * MS, 8 * MS));
}
