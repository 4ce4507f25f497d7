//! An honest relayer among any number of viewers, accomplices and broadcasters, on the broker itself: the play that the
//! protocol's tests run against a model of these rules. Every call is made on both, and both must say the same of it; after
//! every change both look the same. What the relayer of the play hears is what the broker says.
//!
//! `CLUSTERCAST_SEQUENCES` says how many are played; the number of a failed one is its seed.

#[path = "../../../../protocol/tests/promise/model.rs"]
mod model;
#[path = "../../../../protocol/tests/promise/play.rs"]
mod play;

use crate::mock::*;
use clustercast_primitives::{
	amount::{ticket_bytes, USDC},
	chain::{ChannelInfo, ChannelKey, Payout, ViewerAccount, VoucherPlace},
	channel::{Close, Release, Reservation},
	crypto::KeyPair,
	ticket, AccountId, Balance, BlockNumber, Hash, PublicKey, Ticket, Voucher, WinningTicket,
};
use frame_support::{
	assert_ok,
	traits::{fungible::Mutate, Hooks},
	weights::Weight,
};
use model::{Model, View, LAG, START};
use play::{sequences, Chain, Report, ACCOMPLICE, HONEST, TICKET_LIFE};
use sp_runtime::{AccountId32, DispatchResult};
use std::{
	cell::RefCell,
	collections::{BTreeMap, BTreeSet, VecDeque},
	rc::Rc,
};

/// Blocks after which invariants are checked again.
const CHECK: BlockNumber = 2_000;

/// The broker, and the model beside it.
struct Both {
	model: Model,
	ext: RefCell<sp_io::TestExternalities>,
	block: BlockNumber,
	checked: BlockNumber,
	/// That sign for sessions.
	keys: BTreeMap<PublicKey, KeyPair>,
	accounts: BTreeSet<AccountId>,
	places: BTreeSet<VoucherPlace>,
	redeemed: BTreeSet<(PublicKey, AccountId, u64)>,
	/// First block of the terms that hold.
	since: BlockNumber,
	/// What the broker says in the best block.
	best: Rc<View>,
	/// Oldest first; the first one is final.
	past: VecDeque<(BlockNumber, Rc<View>)>,
}

fn who(account: AccountId) -> AccountId32 {
	AccountId32::new(account.0)
}

fn by(account: AccountId) -> RuntimeOrigin {
	RuntimeOrigin::signed(who(account))
}

/// What a payment took from its sender.
fn sum(payout: &Payout) -> Balance {
	payout.relayer + payout.broadcaster + payout.treasury
}

impl Both {
	fn new() -> Self {
		let mut ext = ExtBuilder.build();
		ext.execute_with(|| {
			for account in [HONEST, ACCOMPLICE] {
				endow(&who(account), USDC);
			}
			System::set_block_number(START);
			System::reset_events();
		});
		Self {
			model: Model::default(),
			ext: RefCell::new(ext),
			block: START,
			checked: START,
			keys: BTreeMap::new(),
			accounts: BTreeSet::new(),
			places: BTreeSet::new(),
			redeemed: BTreeSet::new(),
			since: 0,
			best: Rc::default(),
			past: VecDeque::new(),
		}
	}

	fn on_chain<R>(&self, call: impl FnOnce() -> R) -> R {
		self.ext.borrow_mut().execute_with(call)
	}

	/// Signs for a session.
	fn key(&self, session: &PublicKey) -> KeyPair {
		self.keys[session].clone()
	}

	/// Looks at the broker, and compares it with the model.
	fn look(&mut self) {
		let view = self.on_chain(|| {
			let account = |account: &AccountId| {
				let mut said = Broker::viewer_account(&who(*account));
				said.free = 0;
				said.sessions.sort_by_key(|session| session.key);
				(*account, said)
			};
			let pairs = self.keys.keys();
			let pairs: Vec<_> = pairs.flat_map(|key| [(*key, HONEST), (*key, ACCOMPLICE)]).collect();
			let asked = |(session, recipient): &(PublicKey, AccountId)| ChannelKey {
				session: *session,
				recipient: *recipient,
			};
			let channels = Broker::channels(&pairs.iter().map(asked).collect::<Vec<_>>());
			let places: Vec<_> = self.places.iter().copied().collect();
			let paid = Broker::vouchers_paid(&places);
			let channels = pairs.into_iter().zip(channels);
			let paid = places.into_iter().zip(paid.into_iter().map(|totals| totals.amount));
			View {
				accounts: self.accounts.iter().map(account).collect(),
				channels: channels.filter_map(|(pair, info)| Some((pair, info?))).collect(),
				paid: paid.filter(|(_, amount)| *amount > 0).collect(),
				redeemed: self.redeemed.clone(),
			}
		});
		assert_eq!(
			view,
			self.model.view(),
			"the broker is not as the model says, block {}",
			self.block
		);
		self.best = Rc::new(view);
	}

	/// A call was made on both.
	fn same(&mut self, call: &str, broker: DispatchResult, model: bool) -> bool {
		assert_eq!(broker.is_ok(), model, "{call} in block {}: {broker:?}", self.block);
		self.look();
		model
	}

	fn last(&self) -> &View {
		self.past.front().map_or(&self.best, |(_, view)| view)
	}

	/// What the events since `from` say was paid, payment by payment.
	fn payouts(from: usize) -> Vec<(Balance, Option<Hash>)> {
		let paid = |event| match event {
			RuntimeEvent::Broker(crate::Event::TicketRedeemed { id, payout, .. }) => Some((sum(&payout), Some(id))),
			RuntimeEvent::Broker(crate::Event::VoucherRedeemed { payout, .. }) => Some((sum(&payout), None)),
			RuntimeEvent::Broker(crate::Event::TicketRefused { .. } | crate::Event::VoucherRefused { .. }) => {
				Some((0, None))
			},
			_ => None,
		};
		let events = System::events().into_iter().skip(from);
		events.filter_map(|record| paid(record.event)).collect()
	}
}

impl Chain for Both {
	fn now(&self) -> BlockNumber {
		self.block
	}

	fn finalised(&self) -> BlockNumber {
		self.past.front().map_or(self.block, |(block, _)| *block)
	}

	fn advance(&mut self, blocks: BlockNumber) {
		self.model.advance(blocks);
		self.past.push_back((self.block, self.best.clone()));
		self.block += blocks;
		let (block, checks) = (self.block, self.block >= self.checked + CHECK);
		let changed = self.on_chain(|| {
			System::reset_events();
			run_to(block);
			StreamKeys::on_idle(block, Weight::MAX);
			if checks {
				try_state();
			}
			!System::events().is_empty()
		});
		if checks {
			self.checked = block;
		}
		if changed || checks {
			self.look();
		}
		let final_at = block.saturating_sub(LAG);
		while self.past.get(1).is_some_and(|(next, _)| *next <= final_at) {
			self.past.pop_front();
		}
		assert_eq!(self.finalised(), self.model.finalised());
	}

	fn terms(&self) -> u32 {
		let info = self.on_chain(|| StreamKeys::stream_key(STREAM).map(|info| info.terms_counter));
		assert_eq!(info, Some(self.model.terms()));
		self.model.terms()
	}

	fn ended(&self, terms: u32) -> Option<BlockNumber> {
		self.model.ended(terms)
	}

	/// The stream goes to another owner, and with it the broadcaster's share, at once where another era may begin.
	fn change_terms(&mut self) {
		self.model.change_terms();
		if self.block < self.since + TICKET_LIFE {
			return;
		}
		self.since = self.block;
		let (from, to) = match self.model.terms() % 2 {
			1 => (CAROL, BOB),
			_ => (BOB, CAROL),
		};
		self.on_chain(|| {
			assert_ok!(StreamKeys::transfer(
				RuntimeOrigin::signed(from),
				STREAM,
				to,
				PublicKey([7; 32])
			));
		});
	}

	fn authorize(&mut self, owner: AccountId, session: &KeyPair, limit: Balance, life: BlockNumber) -> bool {
		let model = self.model.authorize(owner, session, limit, life);
		self.keys.insert(session.public(), session.clone());
		let expiry = self.block + life;
		let done = self.on_chain(|| try_authorize(who(owner), session, limit, 0, expiry));
		self.same("authorize_session", done, model)
	}

	fn revoke(&mut self, account: AccountId, session: PublicKey) -> bool {
		let model = self.model.revoke(account, session);
		let done = self.on_chain(|| Broker::revoke_session(by(account), session));
		self.same("revoke_session", done, model)
	}

	fn deposit(&mut self, account: AccountId, amount: Balance) -> bool {
		let model = self.model.deposit(account, amount);
		self.accounts.insert(account);
		let done = self.on_chain(|| {
			// And what sessions need beside.
			assert_ok!(Balances::mint_into(&who(account), amount + USDC));
			Broker::deposit(by(account), amount)
		});
		self.same("deposit", done, model)
	}

	fn unlock(&mut self, account: AccountId, amount: Balance) -> bool {
		let model = self.model.unlock(account, amount);
		let done = self.on_chain(|| Broker::request_unlock(by(account), amount));
		self.same("request_unlock", done, model)
	}

	fn withdraw(&mut self, account: AccountId) -> bool {
		let model = self.model.withdraw(account);
		let done = self.on_chain(|| Broker::withdraw(by(account)));
		self.same("withdraw", done, model)
	}

	fn tip(&mut self, account: AccountId, amount: Balance) -> bool {
		let model = self.model.tip(account, amount);
		let done = self.on_chain(|| Broker::tip_from_deposit(by(account), STREAM, amount));
		self.same("tip_from_deposit", done, model)
	}

	fn reserve(&mut self, reservation: &Reservation) -> bool {
		let model = self.model.reserve(reservation);
		let (key, message) = (self.key(&reservation.session), reservation.clone());
		let done = self.on_chain(|| Broker::reserve(by(message.recipient), key.sign(message, &genesis())));
		self.same("reserve", done, model)
	}

	fn close(&mut self, close: &Close) -> bool {
		let model = self.model.close(close);
		let (key, message) = (self.key(&close.session), close.clone());
		let done = self.on_chain(|| Broker::close_channel(by(ACCOMPLICE), key.sign(message, &genesis())));
		self.same("close_channel", done, model)
	}

	fn release(&mut self, release: &Release) -> bool {
		let model = self.model.release(release);
		let done = self.on_chain(|| Broker::release(by(release.recipient), release.clone()));
		self.same("release", done, model)
	}

	fn redeem_vouchers(&mut self, vouchers: &[Voucher]) -> Vec<Balance> {
		let model = self.model.redeem_vouchers(vouchers);
		let mut paid = Vec::new();
		for batch in vouchers.chunks(MAX_BATCH as usize) {
			let signed = batch.iter().map(|voucher| {
				let key = self.key(&voucher.session);
				let message = Voucher {
					bytes: ticket_bytes(voucher.bytes),
					..voucher.clone()
				};
				self.places.insert(voucher.place());
				(key, message)
			});
			let signed: Vec<_> = signed.collect();
			let (payouts, foretold) = self.on_chain(|| {
				let signed = signed.into_iter().map(|(key, message)| key.sign(message, &genesis()));
				let (signed, before): (Vec<_>, _) = (signed.collect(), System::events().len());
				let foretold = Broker::check_vouchers(&signed);
				assert_ok!(Broker::redeem_vouchers(
					by(batch[0].recipient),
					signed.try_into().unwrap()
				));
				(Self::payouts(before), foretold)
			});
			let payouts: Vec<_> = payouts.into_iter().map(|(paid, _)| paid).collect();
			assert_eq!(
				payouts,
				worth(foretold),
				"redeem_vouchers does what check_vouchers says"
			);
			paid.extend(payouts);
		}
		assert_eq!(paid, model, "redeem_vouchers in block {}: {vouchers:?}", self.block);
		self.look();
		model
	}

	fn redeem_tickets(&mut self, tickets: &[Ticket]) -> Vec<Balance> {
		let model = self.model.redeem_tickets(tickets);
		let mut paid = Vec::new();
		for batch in tickets.chunks(MAX_BATCH as usize) {
			let keys: Vec<_> = batch.iter().map(|ticket| self.key(&ticket.session)).collect();
			let (payouts, foretold, ids) = self.on_chain(|| {
				let signed = batch.iter().zip(keys).map(|(ticket, key)| {
					let rand = ticket.commitment;
					let message = Ticket {
						bytes: ticket_bytes(ticket.bytes),
						commitment: ticket::commitment(&rand),
						..ticket.clone()
					};
					WinningTicket {
						signed: key.sign(message, &genesis()),
						rand,
					}
				});
				let (signed, before): (Vec<_>, _) = (signed.collect(), System::events().len());
				let ids: Vec<_> = signed.iter().map(WinningTicket::id).collect();
				let foretold = Broker::check_tickets(&signed);
				assert_ok!(Broker::redeem_batch(by(batch[0].recipient), signed.try_into().unwrap()));
				(Self::payouts(before), foretold, ids)
			});
			// Paid is what an event names.
			for ((ticket, id), (_, named)) in batch.iter().zip(ids).zip(&payouts) {
				if let Some(named) = named {
					assert_eq!(*named, id);
					assert!(
						self.redeemed.insert((ticket.session, ticket.recipient, ticket.nonce)),
						"twice"
					);
				}
			}
			let payouts: Vec<_> = payouts.into_iter().map(|(paid, _)| paid).collect();
			assert_eq!(payouts, worth(foretold), "redeem_batch does what check_tickets says");
			paid.extend(payouts);
		}
		assert_eq!(paid, model, "redeem_batch in block {}: {tickets:?}", self.block);
		self.look();
		model
	}

	fn account(&self, account: AccountId) -> ViewerAccount {
		self.best.accounts[&account].clone()
	}

	fn channel(&self, key: ChannelKey) -> Option<ChannelInfo> {
		self.last().channels.get(&(key.session, key.recipient)).copied()
	}

	fn paid(&self, place: VoucherPlace) -> Balance {
		self.last().paid.get(&place).copied().unwrap_or(0)
	}

	fn redeemed(&self, ticket: &Ticket) -> bool {
		let key = (ticket.session, ticket.recipient, ticket.nonce);
		self.last().redeemed.contains(&key)
	}
}

/// What these verdicts would take from their senders.
fn worth(verdicts: Vec<clustercast_primitives::chain::TicketVerdict>) -> Vec<Balance> {
	use clustercast_primitives::chain::TicketVerdict::{Accepted, Refused};
	let worth = |verdict| match verdict {
		Accepted(payout) => sum(&payout),
		Refused(_) => 0,
	};
	verdicts.into_iter().map(worth).collect()
}

#[test]
fn no_sequence_of_calls_costs_an_honest_relayer_more_than_its_float_in_an_hour() {
	let report = Report::of(sequences(150), Both::new);
	println!("{report}");
	report.reaches_what_it_is_for();
}
