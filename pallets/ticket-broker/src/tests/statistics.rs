//! Money in the large: many drawn tickets are worth what their bytes cost, to within chance, and not a unit is lost.

use crate::mock::*;
use clustercast_primitives::{
	amount::{cost, ticket_bytes, win_probability, USDC},
	chain::TicketVerdict,
	crypto::KeyPair,
	receipt::Kind,
	ticket::{commitment, rand},
	AccountId, Balance, Hash, Ticket, WinningTicket,
};
use rand_chacha::{
	rand_core::{RngCore, SeedableRng},
	ChaCha20Rng,
};
use sp_runtime::AccountId32;

/// Tickets that are drawn.
const TICKETS: u32 = 12_000;
/// Viewers that sign them.
const VIEWERS: u8 = 8;
/// 20 USDC per GB.
const PRICE_PER_GB: u64 = 20_000_000;
/// 0.1 USDC: a window of 375 kB wins one time in 13.
const FACE_VALUE: Balance = USDC / 10;

/// A viewer with a full deposit, and its session's key.
fn viewer(n: u8) -> (AccountId32, KeyPair) {
	let (who, key) = (AccountId32::new([100 + n; 32]), key(n));
	endow(&who, ENDOWMENT);
	deposit(who.clone(), MAX_DEPOSIT);
	authorize(who.clone(), &key, MAX_DEPOSIT, 10_000);
	(who, key)
}

#[test]
fn redeemed_value_is_the_cost_of_the_bytes() {
	ExtBuilder.build_and_execute(|| {
		let mut random = ChaCha20Rng::seed_from_u64(0xc1a5_7e2c_a570_0001);
		let viewers: Vec<_> = (0..VIEWERS).map(viewer).collect();
		let all: Vec<_> = viewers.iter().map(|(who, _)| who.clone()).chain(EVERYONE).collect();
		let sum = |accounts: &[AccountId32]| accounts.iter().map(total).sum::<Balance>();
		let (before, issuance) = (sum(&all), Balances::total_issuance());
		let viewers_before = sum(&all[..VIEWERS.into()]);
		let (mut secret, mut salt) = ([0; 32], Hash([0; 32]));
		random.fill_bytes(&mut secret);
		random.fill_bytes(&mut salt.0);

		let (mut owed, mut expected, mut variance) = (0, 0.0, 0.0);
		let mut winners = Vec::new();
		for serial in 0..TICKETS {
			let (who, key) = &viewers[serial as usize % viewers.len()];
			// A window of 2 s at about 1.5 Mb/s.
			let bytes = ticket_bytes(u64::from(250_000 + random.next_u32() % 250_000));
			let probability = win_probability(bytes, PRICE_PER_GB, FACE_VALUE).unwrap();
			let secret = rand(&secret, &key.public(), &salt, serial.into());
			let ticket = Ticket {
				sender: AccountId(who.clone().into()),
				session: key.public(),
				recipient: AccountId(RELAYER.into()),
				stream: STREAM,
				kind: Kind::LIVE,
				context: Hash([0; 32]),
				bytes,
				face_value: FACE_VALUE,
				win_probability: probability,
				commitment: commitment(&secret),
				nonce: u64::from(serial / u32::from(VIEWERS)),
				expiry: 480,
			};
			let winning = WinningTicket {
				signed: key.sign(ticket, &genesis()),
				rand: secret,
			};
			if winning.is_winner() {
				winners.push(winning);
			}
			let p = probability as f64 / 2f64.powi(64);
			owed += cost(bytes, PRICE_PER_GB);
			expected += FACE_VALUE as f64 * p;
			variance += (FACE_VALUE as f64).powi(2) * p * (1.0 - p);
		}

		let (mut redeemed, mut parts) = (0, [0; 3]);
		for batch in winners.chunks(MAX_BATCH as usize) {
			for verdict in redeem(batch.to_vec()) {
				let TicketVerdict::Accepted(payout) = verdict else {
					panic!("a winner was refused: {verdict:?}");
				};
				let paid = [payout.relayer, payout.broadcaster, payout.treasury];
				assert_eq!(paid.iter().sum::<Balance>(), FACE_VALUE);
				redeemed += FACE_VALUE;
				for (sum, part) in parts.iter_mut().zip(paid) {
					*sum += part;
				}
			}
		}

		// Tickets are worth their bytes up to the rounding of a ticket's cost, and chance stays within four sigma.
		let sigma = variance.sqrt();
		assert!((expected - owed as f64).abs() <= f64::from(TICKETS));
		let deviation = redeemed as f64 - owed as f64;
		assert!(deviation.abs() < 4.0 * sigma, "{deviation} with a sigma of {sigma}");
		assert!(sigma < owed as f64 / 25.0, "the bound says something");
		println!(
			"{TICKETS} tickets, {} winners: {redeemed} redeemed, {owed} owed, {:.2} sigma",
			winners.len(),
			deviation / sigma
		);

		// Not a unit is lost.
		assert_eq!(sum(&all), before);
		assert_eq!(Balances::total_issuance(), issuance);
		assert_eq!(sum(&all[..VIEWERS.into()]), viewers_before - redeemed);
		let gains = [&RELAYER, &CAROL, &TREASURY].map(total);
		assert_eq!(gains, [USDC + parts[0], ENDOWMENT + parts[1], USDC + parts[2]]);
		assert_eq!(parts.iter().sum::<Balance>(), redeemed);

		// None of them is paid again.
		for batch in winners.chunks(MAX_BATCH as usize) {
			assert!(redeem(batch.to_vec())
				.iter()
				.all(|verdict| matches!(verdict, TicketVerdict::Refused(_))));
		}
		assert_eq!(sum(&all[..VIEWERS.into()]), viewers_before - redeemed);
	});
}
