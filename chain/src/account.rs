//! Account ids as people write them: SS58 (prefix 42) or hexadecimal.

use clustercast_primitives::AccountId;
use subxt::utils::AccountId32;

/// Why a text is no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAccountError {
	/// Neither form.
	#[error("not an account: expected an SS58 address or 32 bytes of hex")]
	Shape,
	/// An address as another network writes it: whoever gave it may have meant that one.
	#[error("that is the address of another network; on this chain the same key's is {0}")]
	OtherNetwork(String),
}

/// Reads an SS58 address or hexadecimal, with or without `0x`.
pub fn parse(text: &str) -> Result<AccountId, ParseAccountError> {
	if let Ok(account) = text.parse::<AccountId>() {
		return Ok(account);
	}
	let account = text.parse::<AccountId32>().map_err(|_| ParseAccountError::Shape)?;
	// The library reads every network's, and writes this one's.
	match account.to_string() {
		ours if ours == text => Ok(AccountId(account.0)),
		ours => Err(ParseAccountError::OtherNetwork(ours)),
	}
}

/// Writes an SS58 address.
pub fn ss58(account: &AccountId) -> String {
	AccountId32(account.0).to_string()
}

#[cfg(test)]
mod tests {
	use super::*;

	const ALICE: &str = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";

	#[test]
	fn both_notations_name_the_same_account() {
		let account = parse(ALICE).unwrap();
		assert_eq!(ss58(&account), ALICE);
		assert_eq!(parse(&account.to_string()), Ok(account));
		assert_eq!(
			parse(&ALICE.replace("utQY", "utQZ")),
			Err(ParseAccountError::Shape),
			"checksum"
		);
		assert_eq!(parse("0x1234"), Err(ParseAccountError::Shape));
	}

	#[test]
	fn address_of_another_network_is_refused_with_ours() {
		// The same key on Polkadot and on Kusama.
		for elsewhere in [
			"15oF4uVJwmo4TdGW7VfQxNLavjCXviqxT9S1MgbjMNHr6Sp5",
			"HNZata7iMYWmk5RvZRTiAsSDhV8366zq2YGb3tLH5Upf74F",
		] {
			assert_eq!(parse(elsewhere), Err(ParseAccountError::OtherNetwork(ALICE.into())));
		}
	}
}
