//! `check_tickets`: the judgement of `redeem_batch` without its effect. That both agree is asserted by every call of
//! `mock::redeem`, in all tests of this crate.

use crate::{mock::*, Treasury};
use clustercast_primitives::chain::{
	TicketRefusal,
	TicketVerdict::{Accepted, Refused},
};

#[test]
fn check_tickets_sees_the_spending_of_those_before() {
	ExtBuilder.build_and_execute(|| {
		let key = open_session();
		for _ in 0..2 {
			let verdicts = Broker::check_tickets(&[winner(&key, 0), winner(&key, 0), winner(&key, 1)]);
			assert!(matches!(verdicts[0], Accepted(_)));
			assert_eq!(verdicts[1], Refused(TicketRefusal::AlreadyRedeemed));
			assert!(matches!(verdicts[2], Accepted(_)));
		}
		assert_eq!(deposited(&ALICE), MAX_DEPOSIT);
		assert_eq!(Broker::check_tickets(&[]), []);
	});
}

#[test]
fn a_chain_without_treasury_pays_nothing() {
	ExtBuilder.build().execute_with(|| {
		let key = open_session();
		Treasury::<Test>::kill();
		let verdicts = redeem(vec![winner(&key, 0)]);
		assert_eq!(verdicts, [Refused(TicketRefusal::CannotReceive)]);
	});
}
