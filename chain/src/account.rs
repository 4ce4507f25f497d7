//! Account ids as people write them: SS58 (prefix 42) or hexadecimal.

use clustercast_primitives::AccountId;
use subxt::utils::AccountId32;

/// Why a text is no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an account: expected an SS58 address or 32 bytes of hex")]
pub struct ParseAccountError;

/// Reads an SS58 address or hexadecimal, with or without `0x`.
pub fn parse(text: &str) -> Result<AccountId, ParseAccountError> {
	if let Ok(account) = text.parse::<AccountId>() {
		return Ok(account);
	}
	text.parse::<AccountId32>()
		.map(|a| AccountId(a.0))
		.map_err(|_| ParseAccountError)
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
			Err(ParseAccountError),
			"checksum"
		);
		assert_eq!(parse("0x1234"), Err(ParseAccountError));
	}
}
