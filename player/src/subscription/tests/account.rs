//! What becomes of the account while people watch: its session key runs out, another one takes its place, its deposit goes.

use super::*;
use crate::means::LAST_BLOCKS;

/// One that has windows up to [`AT`], and no more.
async fn stalling(content: (Vec<EncodedWindow>, SignedStatus)) -> TestRelayer {
	TestRelayer::start(11, content, Trick::Stall).await
}

async fn patient() -> Test {
	let mut test = Test::new().await;
	test.viewing.limits.stall = Some(PATIENCE);
	test.viewing.registry_again = ALL_IS_HERE;
	test
}

/// What it watched and paid until it ended is what there was, and nobody is at fault.
fn assert_paid_and_blameless(test: &Test, relayer: &TestRelayer, content: &[EncodedWindow]) {
	let figures = test.figures(relayer);
	assert!(figures.setbacks.is_empty() && figures.faults.is_empty(), "{figures:?}");
	assert_eq!(
		relayer.paid_windows().len() as u64,
		figures.windows,
		"what came is paid"
	);
	test.assert_seen(content, figures.windows);
}

#[tokio::test]
async fn session_key_that_runs_out_while_people_watch_ends_the_run_before_a_payment_is_refused() {
	let content = broadcast(BROADCASTER);
	let relayer = stalling(content.clone()).await;
	let mut test = patient().await;
	let expiry = BLOCK + LAST_BLOCKS;
	let purse = PurseConfig {
		genesis: GENESIS,
		sender: test.viewing.account,
		session_expiry: expiry,
		ticket_life: 500,
		budget: 1_000_000,
	};
	let (key, folder) = (test._folder.fresh_key(), &test._folder);
	test.viewing.pocket = folder.adopt(&key, purse).unwrap();
	test.viewing.chain.account.sessions = vec![lasting(key.public(), expiry)];
	// Its last blocks begin after a second.
	test.viewing.chain.block = Arc::new(|second| if second < 1 { BLOCK } else { BLOCK + 1 });
	assert_eq!(test.watch(&[&relayer]).await, Ended::CannotPay);
	assert_eq!(test.viewing.unusable, Some(Unusable::Expires(expiry)));
	assert_paid_and_blameless(&test, &relayer, &content.0);
}

/// By another player, or another machine with the same wallet: what this one has signs nothing any more.
#[tokio::test]
async fn session_key_that_another_one_replaced_ends_the_run_before_a_payment_is_refused() {
	let content = broadcast(BROADCASTER);
	let relayer = stalling(content.clone()).await;
	let mut test = patient().await;
	let other = KeyPair::from_seed([77; 32]).public();
	test.viewing.chain.account.sessions = vec![lasting(other, 100_000)];
	assert_eq!(test.watch(&[&relayer]).await, Ended::CannotPay);
	assert_eq!(test.viewing.unusable, Some(Unusable::Unknown));
	assert_paid_and_blameless(&test, &relayer, &content.0);
}

/// Another session key beside it is nobody's loss.
#[tokio::test]
async fn session_key_that_stays_beside_a_new_one_pays_on() {
	let content = broadcast(BROADCASTER);
	let relayer = TestRelayer::start(11, content.clone(), Trick::None).await;
	let mut test = Test::new().await;
	let other = KeyPair::from_seed([77; 32]).public();
	test.viewing.chain.account.sessions.insert(0, lasting(other, 100_000));
	assert_eq!(test.watch(&[&relayer]).await, Ended::Finished);
	test.assert_seen(&content.0, WINDOWS);
}

/// Withdrawn in the midst: said with what is missing, and no relayer is asked over and over.
#[tokio::test]
async fn deposit_that_is_withdrawn_while_people_watch_ends_the_run_with_what_is_missing() {
	let refused = EndReason::TicketRefused(TicketError::Chain(TicketRefusal::DepositTooSmall));
	let content = broadcast(BROADCASTER);
	let relayer = TestRelayer::start(11, content.clone(), Trick::End(refused)).await;
	let mut test = Test::new().await;
	test.viewing.chain.account.deposit = 0;
	assert_eq!(test.watch(&[&relayer]).await, Ended::NoRelayerLeft);
	let lack = test.viewing.summary.lack().unwrap().to_owned();
	assert!(lack.contains(": 0.000000 USDC of the deposit"), "{lack}");
	let figures = test.figures(&relayer);
	assert!(figures.faults.is_empty(), "{figures:?}");
	assert_eq!(figures.setbacks.values().sum::<u64>(), 1, "{figures:?}");
	test.assert_seen(&content.0, AT);
}

/// The fault: sixteen refused payments, a debt at each relayer, and no word of why.
#[tokio::test]
async fn session_key_that_is_revoked_ends_the_run_with_its_cause_at_the_first_refusal() {
	let refused = EndReason::TicketRefused(TicketError::Chain(TicketRefusal::SessionExpired));
	let content = broadcast(BROADCASTER);
	let one = TestRelayer::start(11, content.clone(), Trick::End(refused)).await;
	let two = TestRelayer::start(12, content.clone(), Trick::None).await;
	let mut test = Test::new().await;
	// Not found out by asking.
	test.viewing.registry_again = PATIENCE;
	test.viewing.chain.account.sessions[0].expiry = BLOCK + 600;
	assert_eq!(test.watch(&[&one, &two]).await, Ended::CannotPay);
	assert_eq!(test.viewing.unusable, Some(Unusable::Revoked(BLOCK + 600)));
	assert!(two.paid_windows().is_empty(), "nobody else is asked");
	test.assert_seen(&content.0, AT);
}

#[tokio::test]
async fn session_key_that_is_revoked_is_found_out_before_any_payment_is_refused() {
	let content = broadcast(BROADCASTER);
	let relayer = TestRelayer::start(11, content.clone(), Trick::Stall).await;
	let mut test = Test::new().await;
	test.viewing.limits.stall = Some(PATIENCE);
	test.viewing.registry_again = ALL_IS_HERE;
	test.viewing.chain.account.sessions.clear();
	assert_eq!(test.watch(&[&relayer]).await, Ended::CannotPay);
	assert_eq!(test.viewing.unusable, Some(Unusable::Unknown));
	let figures = test.figures(&relayer);
	assert!(figures.setbacks.is_empty() && figures.faults.is_empty(), "{figures:?}");
	assert_eq!(
		relayer.paid_windows().len() as u64,
		figures.windows,
		"what came is paid"
	);
}

/// A node that is purged and syncs anew has no session key of anybody.
#[tokio::test]
async fn node_that_begins_anew_says_nothing_of_a_session_key() {
	let mut test = Test::new().await;
	test.viewing.chain.account.sessions.clear();
	for (head, ends) in [
		(1, false),
		(BLOCK - NODE_BEHIND - 1, false),
		(BLOCK - NODE_BEHIND, true),
	] {
		test.viewing.chain.block = Arc::new(move |_| head);
		assert!(test.viewing.read_session().await.is_none());
		assert_eq!(test.viewing.ended().is_some(), ends, "{head}");
	}
}

/// A relayer that says so of a key that the chain has as it was is wrong, or lies.
#[tokio::test]
async fn relayer_that_refuses_a_good_session_key_is_left_for_another() {
	let refused = EndReason::TicketRefused(TicketError::Chain(TicketRefusal::SessionExpired));
	let (test, figures) = fail_over(Trick::End(refused)).await;
	assert!(figures.faults.is_empty() && test.viewing.unusable.is_none());
	assert_eq!(figures.setbacks.values().sum::<u64>(), 1);
}
