// Runs the bridge's transactions on anvil, deployed as anywhere, and prices each by the rules of Base and of MegaETH.
// usage: node costs.mjs [--json] [--NAME NUMBER]...   names and defaults: fees.mjs
import {spawn} from "node:child_process";
import {createInterface} from "node:readline";
import {parseArgs} from "node:util";
import {encodeFunctionData, encodePacked, size} from "viem";
import {connect, deploy} from "../js/deploy.mjs";
import {abi} from "../js/usdc.mjs";
import {Chain, noise} from "./chain.mjs";
import {base, mega, NOW} from "./fees.mjs";

/// Somebody who has nothing.
const FRESH = "0x00000000000000000000000000000000000f5e54";

/// anvil on a port of its own choice; resolves to where it listens.
function startAnvil() {
	const anvil = spawn(new URL("../node_modules/.bin/anvil", import.meta.url).pathname, ["--port", "0", "--accounts", "2"]);
	return new Promise((resolve, reject) => {
		const lines = [];
		anvil.on("exit", code => reject(new Error(`anvil ended (${code}):\n${lines.join("\n")}`)));
		const stop = () => anvil.removeAllListeners("exit") && anvil.kill();
		createInterface({input: anvil.stdout}).on("line", line => {
			lines.push(line);
			const keys = lines.join("\n").match(/0x[0-9a-f]{64}/g);
			const [, address] = /Listening on (\S+)/.exec(line) ?? [];
			if (address) resolve({rpc: `http://${address}`, keys, stop});
		});
	});
}

/// The bridge with all that its transactions need, in use for a while: 21 validators, every root's slot in use, so that no cost of a first
/// time hides or adds to the usual. What is somebody's first time is told apart.
class Bridge {
	authorised = 0;

	static async start(rpc, [key, other]) {
		const bridge = new Bridge();
		const clients = await connect(rpc, key);
		bridge.chain = new Chain(21);
		const sets = {current: bridge.chain.set(0n), next: bridge.chain.set(1n)};
		const {usdc: address, lightClient, vault} = await deploy(clients, sets);
		const usdc = {address, abi};
		Object.assign(bridge, {usdc, lightClient, vault, depositor: clients});
		bridge.executor = await connect(rpc, other);
		await bridge.send(clients, usdc, "mint", [clients.writer.account.address, 1_000_000_000_000n]);
		await bridge.send(clients, usdc, "approve", [vault.address, 2n ** 255n]);
		await bridge.deposit();
		for (let blockNumber = 1; blockNumber <= 16; blockNumber++) await bridge.commit({blockNumber, setId: 0n});
		return bridge;
	}

	/// Sends a transaction; resolves to what fees depend on.
	async send({reader, writer}, {address, abi}, functionName, args) {
		const input = encodeFunctionData({abi, functionName, args});
		const request = await writer.prepareTransactionRequest({to: address, data: input});
		const raw = await writer.signTransaction(request);
		const hash = await writer.sendRawTransaction({serializedTransaction: raw});
		const {status, gasUsed, logs} = await reader.waitForTransactionReceipt({hash});
		if (status !== "success") throw new Error(`${functionName} reverted`);
		return {gas: Number(gasUsed), raw, input, logs, slots: await this.newSlots(reader, hash)};
	}

	/// Storage slots that a transaction brought into use.
	async newSlots(reader, hash) {
		const tracer = {tracer: "prestateTracer", tracerConfig: {diffMode: true}};
		const {pre, post} = await reader.request({method: "debug_traceTransaction", params: [hash, tracer]});
		const used = Object.entries(post).map(([address, {storage = {}}]) => {
			const before = pre[address]?.storage ?? {};
			return Object.keys(storage).filter(slot => !(slot in before) || BigInt(before[slot]) === 0n).length;
		});
		return used.reduce((sum, count) => sum + count, 0);
	}

	order() {
		const body = encodePacked(
			["bytes32", "uint128", "bytes32", "uint128", "uint32", "bytes32", "bytes32"],
			[noise("account"), 15_000_000n, noise("session"), 15_000_000n, 43_200, noise("R"), noise("S")],
		);
		return {kind: 0, amount: 20_000_000n, refundTo: this.depositor.writer.account.address, body};
	}

	deposit() {
		return this.send(this.depositor, this.vault, "deposit", [this.order()]);
	}

	/// A deposit whose gas another pays, for a fee.
	async depositFor() {
		const {reader, writer} = this.depositor;
		// Another time gives another nonce.
		const [order, fee, validBefore] = [this.order(), 50_000n, 2n ** 40n + BigInt(this.authorised++)];
		const nonce = await reader.readContract({
			...this.vault,
			functionName: "authorizationNonce",
			args: [order, fee, 0n, validBefore],
		});
		const signature = await writer.signTypedData({
			domain: {
				name: "USD Coin",
				version: "2",
				chainId: await reader.getChainId(),
				verifyingContract: this.usdc.address,
			},
			types: {
				ReceiveWithAuthorization: [
					{name: "from", type: "address"},
					{name: "to", type: "address"},
					{name: "value", type: "uint256"},
					{name: "validAfter", type: "uint256"},
					{name: "validBefore", type: "uint256"},
					{name: "nonce", type: "bytes32"},
				],
			},
			primaryType: "ReceiveWithAuthorization",
			message: {
				from: writer.account.address,
				to: this.vault.address,
				value: order.amount + fee,
				validAfter: 0n,
				validBefore,
				nonce,
			},
		});
		const args = [order, fee, writer.account.address, 0n, validBefore, signature];
		return this.send(this.executor, this.vault, "depositWithAuthorization", args);
	}

	/// Takes everything back.
	action() {
		const to = this.depositor.writer.account.address;
		return encodePacked(["uint8", "uint8", "address", "uint128", "uint128"], [1, 0, to, 0n, 20_000n]);
	}

	act() {
		return this.send(this.depositor, this.vault, "send", [100_000n, this.action()]);
	}

	/// What a wallet signed, and another brings for a fee.
	async actFor() {
		const {reader, writer} = this.depositor;
		const wallet = writer.account.address;
		const nonce = BigInt(this.authorised++);
		const sending = {kind: 1, amount: 100_000n, body: this.action(), fee: 50_000n, nonce, deadline: 2n ** 40n};
		const signature = await writer.signTypedData({
			domain: {
				name: "ClusterCast",
				version: "2",
				chainId: await reader.getChainId(),
				verifyingContract: this.vault.address,
			},
			types: {
				Send: [
					{name: "wallet", type: "address"},
					{name: "kind", type: "uint8"},
					{name: "amount", type: "uint128"},
					{name: "body", type: "bytes"},
					{name: "fee", type: "uint128"},
					{name: "nonce", type: "uint64"},
					{name: "deadline", type: "uint64"},
				],
			},
			primaryType: "Send",
			message: {wallet, ...sending},
		});
		return this.send(this.executor, this.vault, "sendFor", [sending, wallet, signature]);
	}

	async commit({blockNumber, setId, mmrRoot = noise(`root of block ${blockNumber}`)}) {
		const commitment = {mmrRoot, blockNumber, setId};
		const signed = await this.chain.sign(commitment);
		return this.send(this.executor, this.lightClient, "submit", [commitment, signed]);
	}

	async handOver({blockNumber, setId}) {
		const {leaf, proof, mmrRoot} = this.chain.leaf(setId, noise("extra"));
		const commitment = {mmrRoot, blockNumber, setId};
		const signed = await this.chain.sign(commitment);
		return this.send(this.executor, this.lightClient, "handOver", [commitment, signed, leaf, proof]);
	}

	/// All withdrawals of a block that released 16, paid one after the other; the first is the first of 256 ids, to somebody who had no USDC.
	async withdraw({blockNumber, setId}) {
		const to = this.depositor.writer.account.address;
		const l2 = await this.depositor.reader.getChainId();
		const release = id => ({l2, kind: 0, id: BigInt(id), to: id === 0 ? FRESH : to, amount: 1_000_000n, fee: 20_000n});
		const withdrawals = Array.from({length: 16}, (_, id) => release(id));
		const {extra, proofs} = this.chain.release(withdrawals);
		const {leaf, proof: mmr, mmrRoot} = this.chain.leaf(setId, extra);
		const {logs} = await this.commit({blockNumber, setId, mmrRoot});
		const slot = Number(BigInt(logs[0].data.slice(0, 2) + logs[0].data.slice(-64)));
		const paid = [];
		for (const [i, withdrawal] of withdrawals.entries()) {
			const args = [withdrawal, {outgoing: proofs[i], leaf, mmr, slot}];
			paid.push(await this.send(this.executor, this.vault, "withdraw", args));
		}
		return paid;
	}
}

/// The mean of each number of what `price` says of each transaction.
function mean(transactions, price) {
	const priced = transactions.map(price);
	const names = Object.keys(priced[0]);
	return Object.fromEntries(names.map(name => [name, priced.reduce((sum, one) => sum + one[name], 0) / priced.length]));
}

async function measure(bridge) {
	const deposits = [];
	for (let i = 0; i < 16; i++) deposits.push(await bridge.deposit());
	// Whose fee is the first USDC that the executor has.
	const first = await bridge.depositFor();
	const measured = {
		deposit: deposits,
		"deposit, gas paid by another": [await bridge.depositFor()],
		"the same, by who had no USDC": [first],
		"action (send)": [await bridge.act()],
		"action, gas paid by another (sendFor)": [await bridge.actFor()],
		commitment: [await bridge.commit({blockNumber: 100, setId: 0n})],
		"hand-over": [await bridge.handOver({blockNumber: 101, setId: 1n})],
	};
	const [fresh, ...others] = await bridge.withdraw({blockNumber: 102, setId: 1n});
	return {...measured, withdrawal: others, "the same, first of 256 ids, to who had no USDC": [fresh]};
}

function print(measured) {
	const usd = wei => (wei / 1e18) * now["eth-usd"];
	const rows = Object.entries(measured).map(([name, transactions]) => {
		const onBase = mean(transactions, one => base(one, now));
		const onMega = mean(transactions, one => mega(one, now));
		return {
			name,
			gas: Math.round(onBase.gas),
			bytes: Math.round(mean(transactions, ({raw}) => ({bytes: size(raw)})).bytes),
			baseUsd: usd(onBase.wei),
			baseDataShare: onBase.data / onBase.wei,
			megaGas: Math.round(onMega.gas),
			megaUsd: usd(onMega.wei),
		};
	});
	if (given.json) return console.log(JSON.stringify({now, rows}));
	console.log("transaction\tgas\tbytes\tBase, USD\tof it data\tMegaETH gas\tMegaETH, USD");
	for (const row of rows) {
		const share = `${(row.baseDataShare * 100).toFixed(1)} %`;
		const cells = [row.name, row.gas, row.bytes, row.baseUsd.toFixed(5), share, row.megaGas, row.megaUsd.toFixed(5)];
		console.log(cells.join("\t"));
	}
}

const options = Object.fromEntries(Object.keys(NOW).map(name => [name, {type: "string"}]));
const {values: given} = parseArgs({options: {json: {type: "boolean"}, ...options}});
const now = {...NOW};
for (const [name, value] of Object.entries(given)) if (name !== "json") now[name] = Number(value);

const {rpc, keys, stop} = await startAnvil();
try {
	print(await measure(await Bridge.start(rpc, keys)));
} catch (error) {
	console.error(error.shortMessage ?? error);
	process.exitCode = 1;
} finally {
	stop();
}
