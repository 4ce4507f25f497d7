// What the page for browsers decides about wallets and agents (web/src/wallet/), without either.
// usage: node_modules/.bin/tsx --test wallet.test.ts

import assert from "node:assert/strict";
import { test } from "node:test";
import { hashTypedData, recoverAddress, type Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { authorisation, authorizationNonce, parts, signedDeposit } from "../../web/src/bridge/deposit.ts";
import { asking, isLoopback, parse, parseCanonical, type Canonical, type Deployment } from "../../web/src/wallet/deployment.ts";
import {
	PATIENCE,
	ROUND,
	Turns,
	fate,
	hindrance,
	isLow,
	limitOf,
	plan,
	stage,
	type Terms,
} from "../../web/src/wallet/handover.ts";
import { isOpen, step } from "../../web/src/wallet/back.ts";
import { hand, report, terms } from "../../web/src/wallet/agents.ts";
import { canonical, equal, type Offer } from "../../web/src/wallet/payment.ts";
import { follows, refused, worth, type Account } from "../../web/src/watch/succession.ts";

const hex = (byte: string, bytes: number): Hex => `0x${byte.repeat(bytes)}`;

const deployment: Deployment = {
	name: "Base",
	chainId: 8453,
	rpcUrls: [],
	vault: hex("11", 20),
	usdc: hex("22", 20),
	token: { name: "USD Coin", version: "2" },
	genesis: hex("33", 32),
	agents: ["https://one.example", "https://two.example"],
};
const compiled: Canonical = { ...deployment, origin: "https://watch.example" };

const never = () => assert.fail("asked what is served beside the page");

test("wallets are asked on the canonical origin and on loopback, and nowhere else", async () => {
	assert.deepEqual(await asking("https://watch.example", compiled, never), { may: true, deployment: compiled });
	for (const origin of ["https://watch.example.evil.example", "http://watch.example", "https://watch.example:444", "http://192.168.1.2:8890"]) {
		assert.deepEqual(await asking(origin, compiled, never), { may: false, canonical: "https://watch.example" }, origin);
	}
	assert.deepEqual(await asking("https://relayer.example", undefined, never), { may: false, canonical: undefined });
	const beside = async () => ({ ...deployment, name: "anvil" });
	const found = await asking("http://127.0.0.1:8890", compiled, beside);
	assert.ok(found.may && found.deployment.name === "anvil");
	assert.deepEqual(await asking("http://localhost:8890", undefined, async () => undefined), { may: false, canonical: undefined });
});

test("loopback is this machine's own addresses, not names that look like them", () => {
	for (const host of ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"]) assert.ok(isLoopback(host), host);
	for (const host of ["127.0.0.1.example", "localhost.example", "10.0.0.1", "[::2]", "1127.0.0.1"]) assert.ok(!isLoopback(host), host);
});

test("a deployment is whole, and its agents are reached by https unless they are of this machine", () => {
	assert.equal(parse({ ...deployment }, false).chainId, 8453);
	const http = { ...deployment, agents: ["http://127.0.0.1:9100"] };
	assert.equal(parse(http, true).agents.length, 1);
	assert.throws(() => parse(http, false), /agents/);
	assert.throws(() => parse({ ...deployment, agents: ["http://agent.example"] }, true), /agents/);
	const wrong: [keyof Deployment, unknown][] = [
		["agents", []],
		["chainId", 0],
		["vault", hex("11", 19)],
		["genesis", "0x"],
		["token", { name: "USD Coin" }],
		["rpcUrls", "http://127.0.0.1"],
		["name", ""],
	];
	for (const [field, value] of wrong) assert.throws(() => parse({ ...deployment, [field]: value }, true), new RegExp(field));
	assert.throws(() => parse(null, true), /name.*agents/);
	assert.equal(parseCanonical(compiled).origin, "https://watch.example");
	for (const origin of ["http://watch.example", "https://watch.example/", undefined]) {
		assert.throws(() => parseCanonical({ ...compiled, origin }), /origin/);
	}
});

const asks = (fee: string, change: Partial<Terms> = {}): Terms => ({
	l2: deployment.chainId,
	vault: deployment.vault,
	usdc: deployment.usdc,
	genesis: deployment.genesis,
	deposit: { fee },
	...change,
});

test("dead and dear agents are passed over, and the first of the others says what is paid", () => {
	const chosen = plan(
		[
			["dead", new Error("it does not answer")],
			["first", asks("40")],
			["dear", asks("101")],
			["last", asks("70")],
		],
		deployment,
		100n,
	);
	assert.deepEqual([chosen.fee, chosen.agents], [40n, ["first", "last"]]);
	assert.deepEqual(chosen.passed, [
		["dead", "it does not answer"],
		["dear", "it asks more than is paid"],
	]);
});

test("an agent that names another bridge is never turned to", () => {
	const others: Partial<Terms>[] = [{ l2: 1 }, { vault: hex("19", 20) }, { usdc: hex("29", 20) }, { genesis: hex("39", 32) }];
	for (const change of others) {
		const chosen = plan([["liar", asks("1", change)]], deployment);
		assert.deepEqual(chosen, { fee: 0n, agents: [], passed: [["liar", "it serves another bridge"]] });
	}
	for (const fee of ["-1", "1.5", "", 7 as unknown as string]) assert.deepEqual(plan([["odd", asks(fee)]], deployment).agents, [], fee);
	// Addresses are the same whatever their capitals.
	assert.equal(plan([["good", asks("1", { vault: hex("AA", 20) })]], { ...deployment, vault: hex("aa", 20) }).agents.length, 1);
});

const order = { kind: 0, amount: 5_000_000n, refundTo: hex("44", 20), body: hex("07", 164) };
const consent = { fee: 40n, validAfter: 0n, validBefore: 1_900n };
const signed = signedDeposit(hex("44", 20), order, consent, hex("00", 65));

test("another signature waits until the L2 says that the first is used, cancelled or over", () => {
	const facts = { spent: false, cancelled: false, finalTime: 1_899n };
	assert.equal(fate(signed, facts), "open");
	assert.equal(fate(signed, { ...facts, finalTime: 1_900n }), "over");
	assert.equal(fate(signed, { ...facts, spent: true }), "used");
	assert.equal(fate(signed, { ...facts, spent: true, cancelled: true }), "cancelled");
	// Nobody was asked: nothing follows.
	assert.equal(fate(signed, undefined), "open");
});

test("an agent that refuses is followed at once, one that holds back after its time, and all are asked again", () => {
	const turns = new Turns(2);
	assert.equal(turns.due(0), 0);
	turns.refused(0);
	assert.equal(turns.due(0), 1);
	turns.took(0);
	assert.equal(turns.due(PATIENCE - 1), undefined);
	assert.equal(turns.due(PATIENCE), 0);
	turns.refused(PATIENCE);
	assert.equal(turns.due(PATIENCE), 1);
	turns.refused(PATIENCE);
	assert.equal(turns.due(PATIENCE + ROUND - 1), undefined);
	assert.equal(turns.due(PATIENCE + ROUND), 0);
	assert.equal(new Turns(0).due(0), undefined);
});

test("what is drawn is the furthest that is said, and never less than what the L2 knows", () => {
	const facts = { spent: false, cancelled: false, finalTime: 0n };
	assert.equal(stage([], facts), "signed");
	assert.equal(stage(["waiting"], undefined), "signed");
	assert.equal(stage(["waiting", "attested"], facts), "attested");
	assert.equal(stage(["sent"], { ...facts, spent: true }), "onL2");
	assert.equal(stage(["nonsense"], facts), "signed");
	assert.equal(stage([], { ...facts, spent: true, cancelled: true }), "signed");
});

test("a limit is 1 to 50 USDC, to the micro-USDC", () => {
	const limits: [string, bigint | undefined][] = [
		["5", 5_000_000n],
		[" 1,5 ", 1_500_000n],
		["12.345678", 12_345_678n],
		["50", 50_000_000n],
		["50.000001", undefined],
		["0.999999", undefined],
		["", undefined],
		["1e1", undefined],
		["-5", undefined],
	];
	for (const [text, micro] of limits) assert.equal(limitOf(text), micro, text);
	assert.ok(isLow(499_999n, 5_000_000n) && !isLow(500_000n, 5_000_000n));
});

test("the way back asks for the escrow, waits, takes it out, and withdraws what is a withdrawal", () => {
	const held = { free: 30_000n, escrow: 4_000_000n, unlocking: undefined };
	const tip = 10_000n;
	assert.deepEqual(step(held, 100, tip), { do: "Unlock" });
	const asked = { ...held, unlocking: { amount: 4_000_000n, at: 1_300 } };
	assert.deepEqual(step(asked, 1_299, tip), { wait: 1 });
	assert.deepEqual(step(asked, 1_300, tip), { do: "Collect" });
	assert.deepEqual(step({ ...held, free: 4_030_000n, escrow: 0n }, 1_301, tip), { do: "Withdraw" });
	assert.deepEqual(step({ ...held, free: 1_010_000n }, 1_301, tip), { do: "Withdraw" });
	// Three messages are tipped before it is a withdrawal.
	assert.deepEqual(step({ ...held, escrow: 999_999n }, 1_301, tip), { none: "little" });
	assert.deepEqual(step({ ...held, escrow: 1_000_000n }, 1_301, tip), { do: "Unlock" });
	assert.deepEqual(step({ ...held, free: 1_009_999n, escrow: 0n }, 1_301, tip), { none: "little" });
	assert.deepEqual(step({ ...held, free: 0n, escrow: 0n }, 1_301, tip), { none: "empty" });
});

test("a message on the way back is signed again only when its time is over or the account shows that it was done", () => {
	const before = { free: 50_000n, escrow: 4_000_000n, unlocking: undefined };
	const unlock = { kind: "Unlock", deadline: 700, before } as const;
	assert.ok(isOpen(unlock, "Unlock", 700, before));
	// What is paid from the escrow meanwhile, and what comes beside it, does nothing to it.
	assert.ok(isOpen(unlock, "Unlock", 700, { ...before, free: 90_000n, escrow: 3_000_000n }));
	assert.ok(!isOpen(unlock, "Unlock", 701, before));
	assert.ok(!isOpen(unlock, "Withdraw", 700, before));
	const asked = { ...before, unlocking: { amount: 4_000_000n, at: 1_300 } };
	assert.ok(!isOpen(unlock, "Unlock", 700, asked));
	const collect = { kind: "Collect", deadline: 2_000, before: asked } as const;
	assert.ok(isOpen(collect, "Collect", 1_400, asked));
	assert.ok(!isOpen(collect, "Collect", 1_400, { ...asked, unlocking: { amount: 1n, at: 2_700 } }));
	const withdraw = { kind: "Withdraw", deadline: 2_000, before: { ...before, free: 4_000_000n } } as const;
	assert.ok(isOpen(withdraw, "Withdraw", 1_400, { ...before, free: 5_000_000n }));
	assert.ok(!isOpen(withdraw, "Withdraw", 1_400, { ...before, free: 2_000_000n }));
});

test("an agent's answer is an object of 64 KiB at most, and a report says how far it is", async (t) => {
	let body = "";
	t.mock.method(globalThis, "fetch", async () => new Response(body));
	const answers = async (said: string) => {
		body = said;
		return (await terms(["https://one.example"]))[0]?.[1];
	};
	for (const said of ["null", "7", "[]", '"text"', "", "{", `{"l2":1,"more":"${"a".repeat(65_536)}"}`]) {
		const found = await answers(said);
		assert.ok(found instanceof Error && /JSON/.test(found.message), said.slice(0, 20));
	}
	assert.deepEqual(await answers('{"l2":1}'), { l2: 1 });
	for (const said of ['{"id":"0x1"}', '{"id":"0x1","state":null}', '{"id":"0x1","state":["usable"]}', '{"state":"usable"}']) {
		body = said;
		await assert.rejects(report("https://one.example", "0x1"), /how far/, said);
		await assert.rejects(hand("https://one.example", signed), /how far/, said);
	}
	body = '{"id":"0x1","state":"usable"}';
	assert.equal((await report("https://one.example", "0x1")).state, "usable");
});

test("what travels says what was signed, and its nonce binds all that is ordered", async () => {
	assert.deepEqual(parts(signed), [order, consent]);
	const nonce = authorizationNonce(order, consent);
	// As Vault.authorizationNonce answers.
	assert.equal(nonce, "0x1f230deabee47f36c938ef3c788459143d59e3bf10e3599f39fb21d25b390309");
	const changes: [Partial<typeof order>, Partial<typeof consent>][] = [
		[{ kind: 1 }, {}],
		[{ amount: 5_000_001n }, {}],
		[{ refundTo: hex("45", 20) }, {}],
		[{ body: hex("08", 164) }, {}],
		[{}, { fee: 41n }],
		[{}, { validAfter: 1n }],
		[{}, { validBefore: 1_901n }],
	];
	for (const [what, when] of changes) assert.notEqual(authorizationNonce({ ...order, ...what }, { ...consent, ...when }), nonce);
	const owner = privateKeyToAccount(hex("01", 32));
	const token = { ...deployment.token, chainId: deployment.chainId, verifyingContract: deployment.usdc };
	const asked = authorisation(token, deployment.vault, owner.address, order, consent);
	const signature = await owner.signTypedData(asked);
	assert.equal(await recoverAddress({ hash: hashTypedData(asked), signature }), owner.address);
	// Some wallets say 0 or 1 where the token wants 27 or 28.
	const last = signature.slice(-2) === "1b" ? "00" : "01";
	assert.equal(canonical(`${signature.slice(0, -2)}${last}` as Hex), signature);
	assert.throws(() => canonical(hex("00", 97)), /contracts/);
});

const account = (keys: string[], change: Partial<Account> = {}): Account => ({
	free: "50000",
	deposit: "4000000",
	reserved: "0",
	sessions: keys.map((key) => ({ key, limit: "5000000", spent: "1000000", expiry: 9_000 })),
	...change,
});

test("a key follows once the chain has it, and a key that pays already is not worn out for itself", () => {
	assert.ok(!follows("k2", "k1", undefined));
	assert.ok(!follows("k2", "k1", account(["k1"])));
	assert.ok(follows("k2", "k1", account(["k1", "k2"])));
	// It took over because the one before ran out.
	assert.ok(!follows("k2", "k2", account(["k1", "k2"])));
});

test("a session key was refused where its deposit is on the account without it, whatever was spent since", () => {
	const before = worth(account(["k1"]));
	assert.equal(before, 5_050_000n);
	const least = before + 3_000_000n;
	const spent = account([], { deposit: "6500000", sessions: [{ key: "k1", limit: "5000000", spent: "1500000", expiry: 9_000 }] });
	assert.ok(refused("k2", least, spent));
	// It is on its way, or nobody answers; or the key came with it.
	assert.ok(!refused("k2", least, account(["k1"])));
	assert.ok(!refused("k2", least, undefined));
	assert.ok(!refused("k2", least, { ...spent, sessions: [...spent.sessions, ...account(["k2"]).sessions] }));
});

test("nobody signs for a key or a deposit that the chain would not take", () => {
	assert.equal(hindrance(5_000_000n, 7, 45_000_000n), undefined);
	assert.match(hindrance(5_000_000n, 8, 0n) ?? "", /8 session keys/);
	assert.match(hindrance(5_000_000n, 0, 45_000_001n) ?? "", /4\.99 USDC or less/);
	assert.match(hindrance(1_000_000n, 0, 49_000_001n) ?? "", /as much in escrow/);
});

test("an offer is another one as soon as anything in it is", () => {
	const offer: Offer = { address: hex("44", 20), limit: 5_000_000n, spare: 50_000n, fee: 40n, agent: "one.example", until: 7, key: hex("55", 32) };
	assert.ok(equal(offer, { ...offer }));
	for (const change of [{ fee: 41n }, { agent: "two.example" }, { key: hex("56", 32) }, { limit: 1_000_000n }, { until: 8 }]) {
		assert.ok(!equal(offer, { ...offer, ...change }));
	}
});
