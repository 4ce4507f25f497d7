//! Register of all domains: what is signed or hashed under a name, by whom, and who judges it. The table in
//! `docs/protocol.md` says the same; a test compares them. What Ethereum wallets sign has its types for names
//! ([`crate::bridge::action`], [`crate::bridge::send`]) and begins with `0x1901`, as no domain does.

use codec::Encode;

/// Who signs a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
pub enum Signer {
	/// The stream key's signing key.
	Stream,
	/// The relayer's registered key.
	Relayer,
	/// The viewer's session key.
	Session,
	/// The relayer's account on the chain, in what it submits.
	Recipient,
	/// A validator's bridge key.
	Validator,
	/// An agent's key.
	Agent,
	/// Nobody: a hash under a name of its own.
	Hash,
}

impl Signer {
	/// As the table has it.
	pub const fn name(self) -> &'static str {
		match self {
			Self::Stream => "stream key",
			Self::Relayer => "relayer key",
			Self::Session => "session key",
			Self::Recipient => "relayer's key for releases",
			Self::Validator => "validator",
			Self::Agent => "agent",
			Self::Hash => "hash",
		}
	}
}

/// Who judges a message: what a pallet or a contract parses can never grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode)]
pub enum Judge {
	/// Programs that update at will.
	Peer,
	/// The chain.
	Pallet,
	/// The chain and contracts on the L2.
	Contract,
}

impl Judge {
	/// As the table has it.
	pub const fn name(self) -> &'static str {
		match self {
			Self::Peer => "peer",
			Self::Pallet => "pallet",
			Self::Contract => "contract",
		}
	}
}

macro_rules! register {
	($($(#[$doc:meta])* $name:ident = $text:literal, $signer:ident, $judge:ident;)*) => {
		/// Every name that bytes are signed or hashed under. No name begins with another one: no two payloads are equal.
		#[derive(Clone, Copy, Debug, PartialEq, Eq)]
		pub enum Domain {
			$($(#[$doc])* $name,)*
		}

		impl Domain {
			/// All of them, in the order of the table.
			pub const ALL: &'static [Self] = &[$(Self::$name),*];

			/// What the payload begins with: ASCII, `clustercast/`, the name, the version.
			pub const fn name(self) -> &'static str {
				match self {
					$(Self::$name => concat!("clustercast/", $text),)*
				}
			}

			/// Who signs it.
			pub const fn signer(self) -> Signer {
				match self {
					$(Self::$name => Signer::$signer,)*
				}
			}

			/// Who judges it.
			pub const fn judge(self) -> Judge {
				match self {
					$(Self::$name => Judge::$judge,)*
				}
			}
		}
	};
}

impl Domain {
	/// [`Domain::name`] as bytes.
	pub const fn bytes(self) -> &'static [u8] {
		self.name().as_bytes()
	}
}

register! {
	/// [`crate::WindowHeader`]
	Window = "window/v2", Stream, Pallet;
	/// [`crate::catalog::CatalogSeal`]
	Catalog = "catalog/v1", Stream, Pallet;
	/// [`crate::status::Status`]
	Status = "status/v1", Stream, Pallet;
	/// [`crate::subscribe::Subscription`]
	Subscribe = "subscribe/v1", Session, Peer;
	/// [`crate::Receipt`]
	Receipt = "receipt/v2", Relayer, Pallet;
	/// [`crate::Ticket`]
	Ticket = "ticket/v2", Session, Pallet;
	/// [`crate::Voucher`]
	Voucher = "voucher/v2", Session, Pallet;
	/// [`crate::channel::Reservation`]
	Reservation = "reservation/v1", Session, Pallet;
	/// [`crate::channel::Close`]
	Close = "close/v1", Session, Pallet;
	/// [`crate::channel::Release`]
	Release = "release/v1", Recipient, Pallet;
	/// [`crate::Tip`]
	Tip = "tip/v2", Session, Pallet;
	/// [`crate::session::SessionProof`]
	SessionProof = "session-proof/v1", Session, Pallet;
	/// [`crate::notice::RelayerProof`]
	RelayerProof = "relayer-proof/v2", Relayer, Pallet;
	/// [`crate::notice::RelayerNotice`]
	RelayerNotice = "relayer-notice/v1", Relayer, Peer;
	/// [`crate::report::Report`]
	Report = "report/v1", Session, Peer;
	/// [`crate::report::Quality`]
	Quality = "qos/v1", Session, Peer;
	/// An agent says that it is there: a row only.
	AgentNotice = "agent-notice/v1", Agent, Peer;
	/// Capacity that a relayer promises for a time: a row only; it is paid by receipts of kind capacity.
	CapacityContract = "capacity-contract/v1", Relayer, Peer;
	/// A content key for sale: a row only; it is the secret of a certain ticket of kind access.
	KeyOffer = "key-offer/v1", Stream, Peer;
	/// [`crate::bridge::Attestation`]
	Attestation = "attestation/v2", Validator, Pallet;
	/// [`crate::bridge::account_of`]
	Account = "account/v2", Hash, Contract;
	/// [`crate::receipt::payer`]
	Payer = "payer/v2", Hash, Pallet;
	/// [`crate::ticket::commitment`]
	Commitment = "commitment/v2", Hash, Pallet;
	/// [`crate::ticket::wins`]
	Outcome = "outcome/v2", Hash, Pallet;
	/// [`crate::ticket::rand`]
	Rand = "rand/v2", Hash, Peer;
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn no_name_begins_with_another() {
		for (i, one) in Domain::ALL.iter().enumerate() {
			assert!(one.name().starts_with("clustercast/"), "{}", one.name());
			let others = Domain::ALL.iter().enumerate().filter(|(j, _)| *j != i);
			for (_, other) in others {
				assert!(
					!one.bytes().starts_with(other.bytes()),
					"{} and {}",
					one.name(),
					other.name()
				);
			}
		}
	}

	/// Rows `| \`domain\` | signer | judge | ... |` of the page, as they are here.
	#[test]
	fn table_in_the_docs_is_the_register() {
		let page = include_str!("../../docs/protocol.md");
		let rows = page.lines().filter_map(|line| {
			let cells: alloc::vec::Vec<&str> = line.split('|').map(str::trim).collect();
			let name = cells.get(1)?.strip_prefix("`clustercast/")?.strip_suffix('`')?;
			Some((name, *cells.get(2)?, *cells.get(3)?))
		});
		let register = Domain::ALL.iter().map(|domain| {
			let name = domain.name().strip_prefix("clustercast/").unwrap_or_default();
			(name, domain.signer().name(), domain.judge().name())
		});
		assert!(rows.eq(register), "the table and the register differ");
	}
}
