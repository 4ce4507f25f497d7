// What the page for browsers does with what a wallet signed (web/src/wallet/payment.ts): a wallet, a browser's store, an L2 and an agent of
// a few lines each.
// usage: node_modules/.bin/tsx --test payment.test.ts

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { decodeFunctionData, encodeAbiParameters, hashDomain, numberToHex, parseAbi, type Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { accountOf } from "../../web/src/bridge/formats.ts";
import { DOMAIN, tokenDomain, type Deployment } from "../../web/src/wallet/deployment.ts";
import { Payment, type Asked, type View } from "../../web/src/wallet/payment.ts";

const hex = (byte: string, bytes: number): Hex => `0x${byte.repeat(bytes)}`;
const deployment: Deployment = {
	name: "L2",
	chainId: 8453,
	rpcUrls: [],
	vault: hex("11", 20),
	usdc: hex("22", 20),
	token: { name: "USD Coin", version: "2" },
	genesis: hex("33", 32),
	agents: ["https://one.example"],
};
const owner = privateKeyToAccount(hex("01", 32));
const address = owner.address.toLowerCase() as Hex;
const name = `${deployment.genesis}/${accountOf(deployment.chainId, address)}`;
const asks = (key: string): Asked => ({
	name,
	key: hex(key, 32),
	proof: hex("66", 64),
	expiry: 9_000,
	until: 1,
	sessions: 0,
	escrow: 0n,
	worth: 0n,
});

/** What the page keeps. */
const stored = new Map<string, { name: string }>();

/** As much of IndexedDB as the page uses: each answer comes later. */
function later<T>(result: T) {
	const request = { result, onsuccess: undefined as (() => void) | undefined };
	queueMicrotask(() => request.onsuccess?.());
	return request;
}
const objects = {
	get: (key: string) => later(stored.get(key)),
	put: (what: { name: string }) => later(stored.set(what.name, structuredClone(what))),
	delete: (key: string) => later(stored.delete(key)),
};
const database = {
	transaction() {
		const transaction = { objectStore: () => objects, oncomplete: undefined as (() => void) | undefined };
		setTimeout(() => transaction.oncomplete?.(), 1);
		return transaction;
	},
};

/** The L2 and an agent, and what happened. */
const world = { spent: false, state: "waiting", handed: 0, signatures: 0, termsAsked: 0, fee: "40", duringPrompt: async () => {} };
const abi = parseAbi([
	"function balanceOf(address) view returns (uint256)",
	"function DOMAIN_SEPARATOR() view returns (bytes32)",
	"function authorizationState(address, bytes32) view returns (bool)",
	"function usdc() view returns (address)",
]);

function call(data: Hex): Hex {
	switch (decodeFunctionData({ abi, data }).functionName) {
		case "balanceOf":
			return encodeAbiParameters([{ type: "uint256" }], [100_000_000n]);
		case "DOMAIN_SEPARATOR":
			return hashDomain({ domain: { ...tokenDomain(deployment) }, types: DOMAIN });
		case "authorizationState":
			return encodeAbiParameters([{ type: "bool" }], [world.spent]);
		case "usdc":
			return encodeAbiParameters([{ type: "address" }], [deployment.usdc]);
	}
}

const provider = {
	async request({ method, params = [] }: { method: string; params?: unknown[] }): Promise<unknown> {
		switch (method) {
			case "eth_requestAccounts":
			case "eth_accounts":
				return [address];
			case "eth_chainId":
				return numberToHex(deployment.chainId);
			case "eth_getCode":
				return "0x";
			case "eth_getLogs":
				return [];
			case "eth_getBlockByNumber":
				return { number: "0x1", timestamp: "0x1" };
			case "eth_call":
				return call((params[0] as { data: Hex }).data);
			case "eth_signTypedData_v4":
				world.signatures++;
				await world.duringPrompt();
				return owner.signTypedData(JSON.parse(params[1] as string));
			default:
				throw new Error(method);
		}
	},
};

const stub = (what: Record<string, unknown>) => {
	for (const [field, value] of Object.entries(what)) Object.defineProperty(globalThis, field, { value, configurable: true, writable: true });
};
stub({
	indexedDB: { open: () => later(database) },
	localStorage: { getItem: () => null, setItem: () => {} },
	addEventListener: () => {},
	dispatchEvent: () => true,
	ethereum: provider,
	fetch: async (url: string, { method }: { method?: string }) => {
		if (url.endsWith("/terms")) {
			world.termsAsked++;
			const { chainId: l2, vault, usdc, genesis } = deployment;
			return Response.json({ l2, vault, usdc, genesis, deposit: { fee: world.fee } });
		}
		if (method === "POST") world.handed++;
		return Response.json({ id: "0x1", state: world.state });
	},
});

async function until(what: () => boolean): Promise<void> {
	for (const begun = Date.now(); !what(); await sleep(5)) assert.ok(Date.now() < begun + 5_000, `never: ${what}`);
}

/** A page with this wallet that has shown what is to be signed for a key. */
async function page(key: string) {
	stored.clear();
	Object.assign(world, { spent: false, state: "waiting", handed: 0, signatures: 0, termsAsked: 0, fee: "40", duringPrompt: async () => {} });
	const shown: View[] = [];
	const replaced: [Hex, bigint][] = [];
	const payment = new Payment(deployment, (view) => shown.push(view), () => false, (...what) => replaced.push(what));
	payment.start();
	await payment.connect(0);
	payment.wants(asks(key));
	await until(() => shown.at(-1)?.at === "review");
	return { payment, replaced, at: () => shown.at(-1)! };
}

test("what is signed while the page asks for another key is handed over, and the other key waits until it is used", async () => {
	const { payment, at } = await page("a1");
	world.duringPrompt = async () => payment.wants(asks("a2"));
	void payment.sign();
	await until(() => world.handed === 1 && at().at === "handed");
	assert.ok(stored.has(name));
	world.spent = true;
	await until(() => at().at === "review");
	assert.ok(!stored.has(name));
	assert.equal(world.signatures, 1);
	payment.wants(undefined);
});

test("the relayer's word that a key is usable lets nobody sign again while the L2 does not say so", async () => {
	const { payment, at } = await page("b1");
	void payment.sign();
	await until(() => at().at === "handed");
	assert.equal(await payment.usable(name, hex("b1", 32)), false);
	assert.ok(stored.has(name));
	payment.wants(asks("b2"));
	await until(() => at().at === "handed");
	assert.ok(stored.has(name));
	payment.wants(undefined);
});

test("an order is not forgotten by a page that turned away while the L2 was asked", async () => {
	const { payment, at } = await page("c1");
	void payment.sign();
	await until(() => at().at === "handed");
	world.spent = true;
	const asked = provider.request;
	const slow = mock.method(provider, "request", async (what: { method: string; params?: unknown[] }) => {
		if (what.method === "eth_getLogs") payment.wants(undefined);
		return asked(what);
	});
	await until(() => slow.mock.calls.some(({ arguments: [what] }) => what.method === "eth_getLogs"));
	await sleep(50);
	slow.mock.restore();
	assert.ok(stored.has(name));
	// Back again: its key is still on its way, and no other signature is asked for.
	payment.wants(asks("c1"));
	await until(() => at().at === "handed");
	assert.ok(stored.has(name));
	payment.wants(undefined);
});

test("terms that are older than a minute are asked for again, and where they changed nothing is signed before that was shown", async (t) => {
	const { payment, at } = await page("d1");
	const now = Date.now();
	t.mock.method(Date, "now", () => now + 61_000);
	world.fee = "50";
	await payment.sign();
	assert.equal(world.signatures, 0);
	const view = at();
	assert.ok(view.at === "review" && view.offer.fee === 50n);
	void payment.sign();
	await until(() => world.signatures === 1);
	t.mock.restoreAll();
	await until(() => at().at === "handed");
	payment.wants(undefined);
});

test("a deposit that an agent calls usable is kept, and another key is wanted of the relayer alone", async (t) => {
	const { payment, replaced, at } = await page("e1");
	void payment.sign();
	await until(() => at().at === "handed");
	[world.spent, world.state] = [true, "usable"];
	await until(() => ((view) => view.at === "handed" && view.stage === "usable")(at()));
	assert.deepEqual(replaced, []);
	const now = performance.now();
	t.mock.method(performance, "now", () => now + 61_000);
	await until(() => replaced.length > 0);
	assert.deepEqual(replaced[0], [hex("e1", 32), 5_050_000n]);
	assert.ok(stored.has(name));
	t.mock.restoreAll();
	payment.wants(undefined);
});
