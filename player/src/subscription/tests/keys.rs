//! Signing keys of the stream that are replaced while it is watched: what the one before signs then counts no more.

use super::*;

/// The attack of a stolen key. The relayer has not heard of it, and is honest.
#[tokio::test]
async fn what_a_replaced_key_signs_is_neither_played_nor_paid_and_the_relayer_is_no_cheat() {
	let content = broadcast(BROADCASTER);
	let behind = TestRelayer::start(11, content.clone(), Trick::Stall).await;
	let mut test = Test::new().await;
	test.viewing.limits.stall = Some(PATIENCE);
	let successor = stream_key(KeyPair::from_seed([2; 32]).public());
	let replaced = StreamKeyInfo {
		previous_keys: vec![KeyPair::from_seed(BROADCASTER).public()],
		..successor
	};
	test.viewing.chain.replaced = Some(replaced.clone());
	// Who begins is given nothing of it.
	test.named.send_replace(Some(replaced.clone()));
	assert!(test.viewing.know(replaced));
	let given = roster::given(std::slice::from_ref(&behind.address));
	let attempt = tokio::time::timeout(PATIENCE, test.viewing.attempt(&given[0], Vec::new())).await;
	assert_eq!(attempt.unwrap().unwrap().ending, Some(Ending::Failed));
	// Nor who watched it: on from the newest, where nobody has anything else.
	test.viewing.resume = Some(Resume::after(&content.0[0]));
	let attempt = tokio::time::timeout(PATIENCE, test.viewing.attempt(&given[0], Vec::new())).await;
	assert_eq!(attempt.unwrap().unwrap().ending, Some(Ending::Gone));
	let figures = test.figures(&behind);
	assert!(
		figures.faults.is_empty() && behind.paid_windows().is_empty(),
		"{figures:?}"
	);
	assert_eq!(figures.windows, 0);
}

/// The attack: whoever stole the key signs an epoch that cannot have begun, which the next run would be behind for ever.
#[tokio::test]
async fn place_that_a_stolen_key_put_ahead_of_the_next_run_is_given_up() {
	let (windows, _) = broadcast(BROADCASTER);
	let replaced = || stream_key(KeyPair::from_seed([2; 32]).public());
	for (head, stays) in [(2, true), (1, false)] {
		let mut test = Test::new().await;
		test.viewing.chain.block = Arc::new(move |_| head);
		test.viewing.resume = Some(Resume::after(&windows[0]));
		assert!(test.viewing.know(replaced()));
		assert!(!test.viewing.know(replaced()), "once");
		assert_eq!(
			(test.viewing.resume.is_some(), test.viewing.summary.gaps),
			(stays, u64::from(!stays))
		);
	}
}

#[tokio::test]
async fn key_that_is_replaced_in_the_middle_is_left_for_the_next_one() {
	let content = broadcast(BROADCASTER);
	let one = TestRelayer::start(11, content.clone(), Trick::Stall).await;
	let mut test = Test::new().await;
	test.viewing.limits.stall = Some(PATIENCE);
	let replaced = StreamKeyInfo {
		previous_keys: vec![KeyPair::from_seed(BROADCASTER).public()],
		..stream_key(KeyPair::from_seed([2; 32]).public())
	};
	let (named, paid) = (test.named.clone(), one.paid.clone());
	let (told, stop) = (replaced.clone(), test.stop.clone());
	tokio::spawn(async move {
		while paid.lock().unwrap().len() < AT as usize {
			tokio::time::sleep(Duration::from_millis(5)).await;
		}
		named.send_replace(Some(told));
		tokio::time::sleep(Duration::from_millis(300)).await;
		stop.send_replace(Some(Ended::Interrupted));
	});
	assert_eq!(test.watch(&[&one]).await, Ended::Interrupted);
	assert_eq!(test.viewing.keys.current, replaced.signing_key);
	assert_eq!(test.viewing.stream, replaced);
	test.assert_seen(&content.0, AT);
}

#[tokio::test]
async fn changed_signing_key_is_no_fault_of_the_relayer() {
	let content = broadcast([2; 32]);
	let relayer = TestRelayer::start(11, content.clone(), Trick::None).await;
	let mut test = Test::new().await;
	// The chain knows the new key, the viewer not yet.
	test.viewing.chain.signing_key = KeyPair::from_seed([2; 32]).public();
	assert_eq!(test.watch(&[&relayer]).await, Ended::Finished);
	test.assert_seen(&content.0, WINDOWS);
	// Where the chain knows of no change, it is one.
	let forger = TestRelayer::start(12, content, Trick::None).await;
	let mut test = Test::new().await;
	assert_eq!(test.watch(&[&forger]).await, Ended::NoRelayerLeft);
	assert_eq!(test.figures(&forger).faults.len(), 1);
}
