#!/usr/bin/env node
// Deploys the light client and the vault that asks it; prints where they are.
//
// usage: contracts/deploy --rpc URL --key 0xKEY (--usdc 0xADDRESS | --own-usdc) --current SET --next SET
//   SET    id,length,commitment of a BEEFY validator set, e.g. 0,4,0xcb2f…; `next` has the id after `current`'s.
//          A chain answers both: storage items BeefyAuthorities and BeefyNextAuthorities of its pallet MmrLeaf.
//   --key  of an account with ETH, which has no power over the contracts afterwards
//   --own-usdc  for a chain without USDC: deploys Circle's token, of which the account is the minter, and all else
// prints {"chainId", "block", "usdc", "lightClient", "vault"}
import {readFileSync, realpathSync} from "node:fs";
import {fileURLToPath} from "node:url";
import {parseArgs} from "node:util";
import {createPublicClient, createWalletClient, getAddress, http} from "viem";
import {privateKeyToAccount} from "viem/accounts";
import {deployUsdc} from "./usdc.mjs";

/// What forge built of a contract: its ABI and the code that creates it.
export function artifact(name) {
	const path = new URL(`../out/${name}.sol/${name}.json`, import.meta.url);
	const {abi, bytecode} = JSON.parse(readFileSync(path, "utf8"));
	return {abi, bytecode: bytecode.object};
}

/// Clients of the node at `rpc`, signing with `key`.
export async function connect(rpc, key) {
	const reader = createPublicClient({transport: http(rpc), pollingInterval: 50});
	const id = await reader.getChainId();
	const chain = {
		id,
		name: `chain ${id}`,
		nativeCurrency: {name: "Ether", symbol: "ETH", decimals: 18},
		rpcUrls: {default: {http: [rpc]}},
	};
	return {reader, writer: createWalletClient({account: privateKeyToAccount(key), chain, transport: http(rpc)})};
}

/// Creates a contract and waits for it.
export async function create({reader, writer}, name, args = []) {
	const hash = await writer.deployContract({...artifact(name), args});
	const {status, contractAddress, blockNumber} = await reader.waitForTransactionReceipt({hash});
	if (status !== "success") throw new Error(`creating ${name} failed: ${hash}`);
	return {address: getAddress(contractAddress), abi: artifact(name).abi, block: Number(blockNumber)};
}

/// Deploys both for the USDC at `usdc`, or with a USDC of their own. A set is {id, length, commitment}.
export async function deploy(clients, {usdc, current, next}) {
	const token = usdc ?? (await deployUsdc(clients));
	const lightClient = await create(clients, "LightClient", [current, next]);
	const vault = await create(clients, "Vault", [token, lightClient.address]);
	return {usdc: token, lightClient, vault};
}

function parseSet(text) {
	const [, id, length, commitment] = /^(\d+),(\d+),(0x[0-9a-fA-F]{64})$/.exec(text ?? "") ?? [];
	if (id === undefined) throw new Error(`not a validator set (id,length,commitment): ${text}`);
	return {id: BigInt(id), length: Number(length), commitment};
}

async function main() {
	const {values: given} = parseArgs({
		options: {
			rpc: {type: "string"},
			key: {type: "string"},
			usdc: {type: "string"},
			"own-usdc": {type: "boolean", default: false},
			current: {type: "string"},
			next: {type: "string"},
		},
	});
	if (!given.rpc || !given.key) throw new Error("--rpc and --key are needed");
	if (Boolean(given.usdc) === given["own-usdc"]) throw new Error("either --usdc or --own-usdc is needed");
	const clients = await connect(given.rpc, given.key);
	const {usdc, lightClient, vault} = await deploy(clients, {
		usdc: given.usdc && getAddress(given.usdc),
		current: parseSet(given.current),
		next: parseSet(given.next),
	});
	const where = {
		chainId: await clients.reader.getChainId(),
		block: vault.block,
		usdc,
		lightClient: lightClient.address,
		vault: vault.address,
	};
	console.log(JSON.stringify(where));
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
	main().catch(error => {
		console.error(error.shortMessage ?? error.message);
		process.exitCode = 1;
	});
}
