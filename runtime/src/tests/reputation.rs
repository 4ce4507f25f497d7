//! What viewers pay is their relayer's reputation, once it is redeemed.

use super::*;
use clustercast_primitives::{
	amount::{TICKET_BYTES, USDC},
	chain::Reputation,
	notice::RelayerProof,
	receipt::Kind,
	ticket, StreamId, Ticket, WinningTicket,
};
use pallet_ticket_broker::Call as Broker;
use sp_runtime::traits::Dispatchable;

const RELAYER: Sr25519Keyring = Sr25519Keyring::Ferdie;

/// What a ticket here pays for.
const BYTES: u64 = 6 * TICKET_BYTES;

fn dispatch(who: Sr25519Keyring, call: impl Into<RuntimeCall>) {
	assert_ok!(call.into().dispatch(RuntimeOrigin::signed(who.to_account_id())));
}

/// Deposits for `viewer` and registers its session.
fn open_session(viewer: Sr25519Keyring, session: &KeyPair) {
	dispatch(viewer, Broker::deposit { amount: 10 * USDC });
	dispatch(viewer, authorize(viewer, session, 10 * USDC, 0));
}

/// A ticket of half a USDC that wins once in two and stands for twice its bytes.
fn winning(viewer: Sr25519Keyring, session: &KeyPair, first_nonce: u64) -> WinningTicket {
	let rand = RawHash([6; 32]);
	let tickets = (first_nonce..).map(|nonce| {
		let ticket = Ticket {
			sender: RawAccount(viewer.to_account_id().into()),
			session: session.public(),
			recipient: RawAccount(RELAYER.to_account_id().into()),
			stream: StreamId(0),
			kind: Kind::LIVE,
			context: RawHash([0; 32]),
			bytes: BYTES,
			face_value: USDC / 2,
			win_probability: 1 << 63,
			commitment: ticket::commitment(&rand),
			nonce,
			expiry: 120,
		};
		session.sign(ticket, &genesis_hash())
	});
	let mut winners = tickets.filter(|t| ticket::wins(t.message.win_probability, &t.signature, &rand));
	WinningTicket {
		signed: winners.next().unwrap(),
		rand,
	}
}

fn redeem(tickets: &[WinningTicket]) {
	let tickets = tickets.to_vec().try_into().unwrap();
	dispatch(RELAYER, Broker::redeem_batch { tickets });
}

fn reputation() -> Reputation {
	RelayerRegistry::reputation(&RELAYER.to_account_id())
}

#[test]
fn redeemed_tickets_of_a_registered_relayer_are_its_reputation() {
	in_first_block(crate::genesis::LOCAL, || {
		dispatch(Sr25519Keyring::Dave, new_stream(key(1).public()));
		open_session(Sr25519Keyring::Eve, &key(2));
		open_session(Sr25519Keyring::Bob, &key(3));
		let (first, second, third) = (
			winning(Sr25519Keyring::Eve, &key(2), 0),
			winning(Sr25519Keyring::Eve, &key(2), 100),
			winning(Sr25519Keyring::Bob, &key(3), 0),
		);

		// Paid, but to nobody whom the registry knows.
		redeem(std::slice::from_ref(&first));
		assert_eq!(reputation(), Reputation::default());

		let account = RawAccount(RELAYER.to_account_id().into());
		let register = pallet_relayer_registry::Call::register {
			signing_key: key(4).public(),
			proof: key(4).sign(RelayerProof { account }, &genesis_hash()).signature,
			addresses: vec![b"/ip4/203.0.113.7".to_vec().try_into().unwrap()]
				.try_into()
				.unwrap(),
			price_per_gb: 1_000_000,
			bond: 10 * USDC,
		};
		dispatch(RELAYER, register);
		// The first one is refused now: what is not paid does not count.
		redeem(&[first, second, third]);
		let expected = Reputation {
			bytes: 4 * BYTES,
			value: USDC,
			viewers: 2,
			slashes: 0,
			since: 1,
		};
		assert_eq!(reputation(), expected);
		let leaders = RelayerRegistry::leaderboard(10);
		assert_eq!(leaders.iter().map(|r| r.reputation).collect::<Vec<_>>(), [expected]);
	});
}
