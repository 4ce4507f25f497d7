// web/src/bridge/formats.ts against primitives/vectors/bridge.json, byte for byte.
// usage: node_modules/.bin/tsx --test bridge-formats.test.ts

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { concat, hashDomain, hashTypedData, keccak256, recoverTypedDataAddress, size, toHex } from "viem";
import {
	ACTION,
	CREDIT,
	NO_PROOF,
	accountOf,
	actionDomain,
	actionTypes,
	attestationPayload,
	decodeAction,
	decodeAttestation,
	decodeCredit,
	depositLeaf,
	encodeAction,
	encodeAttestation,
	encodeCredit,
	sendTypes,
	withdrawalLeaf,
} from "../../web/src/bridge/formats.ts";

type Hex = `0x${string}`;

const vectors = JSON.parse(readFileSync(new URL("../../primitives/vectors/bridge.json", import.meta.url), "utf8"));

/** Numbers that are written as text, of these fields. */
const wide = (fields: any, names: string[]) => ({
	...fields,
	...Object.fromEntries(names.map((name) => [name, BigInt(fields[name])])),
});

const node = (left: Hex, right: Hex) => keccak256(concat(["0x01", left, right]));

test("accounts", () => {
	assert.equal(vectors.accounts.domain, "clustercast/account/v2");
	const accounts = vectors.accounts.cases.map((one: any) => {
		assert.equal(accountOf(one.l2, one.address), one.account);
		return one.account;
	});
	assert.ok(accounts.length >= 9);
	assert.equal(new Set(accounts).size, accounts.length, "an address has another account on another L2");
});

test("deposits and their bodies", () => {
	const items = vectors.deposits.items.map((item: any) => wide(item, ["number", "amount"]));
	assert.ok(items.length >= 6);
	for (const item of items) {
		assert.equal(keccak256(item.body), item.bodyHash);
		assert.equal(depositLeaf(item), item.leaf);
		assert.ok(size(item.body) <= vectors.deposits.maxBody);
		assert.equal(decodeAction(item.body) !== null, item.kind === ACTION);
		if (item.kind !== CREDIT) {
			assert.equal(item.credit, null);
			continue;
		}
		const credit = wide(item.credit, ["escrow", "sessionLimit"]);
		assert.equal(encodeCredit(credit), item.body);
		assert.deepEqual(decodeCredit(item.body, item.amount), credit);
	}
	assert.equal(vectors.deposits.creditKind, CREDIT);
	assert.equal(vectors.deposits.actionKind, ACTION);
});

test("bodies that are no credit", () => {
	const good = {
		account: `0x${"02".repeat(32)}` as Hex,
		escrow: 5n,
		sessionKey: `0x${"03".repeat(32)}` as Hex,
		sessionLimit: 1n,
		sessionExpiry: 7,
		sessionProof: `0x${"08".repeat(64)}` as Hex,
	};
	const body = encodeCredit(good);
	assert.equal(size(body), vectors.deposits.creditLength);
	assert.deepEqual(decodeCredit(body, 5n), good);
	assert.equal(decodeCredit(body, 4n), null);
	assert.equal(decodeCredit(`${body}00`, 5n), null);
	assert.equal(decodeCredit("0x", 5n), null);
	const zero = `0x${"00".repeat(32)}` as Hex;
	const none = { ...good, sessionKey: zero, sessionLimit: 0n, sessionExpiry: 0, sessionProof: NO_PROOF };
	assert.equal(decodeCredit(encodeCredit({ ...good, account: zero }), 5n), null);
	assert.equal(decodeCredit(encodeCredit({ ...good, sessionKey: zero }), 5n), null);
	assert.equal(decodeCredit(encodeCredit({ ...good, sessionKey: zero, sessionLimit: 0n }), 5n), null);
	assert.equal(decodeCredit(encodeCredit({ ...none, sessionProof: good.sessionProof }), 5n), null);
	assert.deepEqual(decodeCredit(encodeCredit(none), 5n), none);
});

test("actions, and bodies that are none", () => {
	const { bodies, version } = vectors.sent;
	for (const { action, fields, body } of bodies) {
		const asked = { action, ...wide(fields, ["amount", "fee", "limit"].filter((name) => name in fields)) };
		assert.equal(encodeAction(asked), body);
		assert.deepEqual(decodeAction(body), asked);
		assert.equal(body.slice(0, 4), toHex(version, { size: 1 }));
		const wrong = [`${body}00`, body.slice(0, -2), `0x02${body.slice(4)}`, `0x0104${body.slice(6)}`] as Hex[];
		for (const other of wrong) assert.equal(decodeAction(other), null, other);
	}
	assert.deepEqual(
		new Set(bodies.map((one: any) => one.action)),
		new Set(["withdraw", "unlock", "collect", "authorize"]),
	);
	assert.equal(decodeAction("0x"), null);
});

test("what lets anybody bring an action", async () => {
	const { chainId, verifyingContract } = vectors.actions.domain;
	const domain = actionDomain(Number(chainId), verifyingContract);
	const { messages, signer } = vectors.sent;
	assert.ok(messages.length >= 3);
	for (const { message, digest, signature } of messages) {
		const data: any = { domain, types: sendTypes, primaryType: "Send", message: wide(message, ["amount", "fee", "nonce", "deadline"]) };
		assert.equal(hashTypedData(data), digest);
		assert.equal((await recoverTypedDataAddress({ ...data, signature })).toLowerCase(), signer);
		assert.notEqual(hashTypedData({ ...data, domain: actionDomain(1, verifyingContract) }), digest);
	}
});

test("proofs of deposits", () => {
	const leaves = vectors.deposits.items.map((item: any) => item.leaf);
	for (const tree of vectors.deposits.trees) {
		for (const [index, path] of tree.proofs.entries()) {
			assert.equal(path.length, vectors.deposits.depth);
			const climb = (below: Hex, sibling: Hex, height: number) =>
				(BigInt(index) >> BigInt(height)) & 1n ? node(sibling, below) : node(below, sibling);
			assert.equal(path.reduce(climb, leaves[index]), tree.root);
		}
	}
});

test("withdrawals", () => {
	assert.ok(vectors.withdrawals.items.length >= 6);
	for (const item of vectors.withdrawals.items) {
		assert.equal(withdrawalLeaf(wide(item, ["id", "amount", "fee"])), item.leaf);
	}
});

test("attestations", () => {
	const { domain, genesis, message, encoded, payload } = vectors.attestation;
	const attestation = wide(message, ["l2Block", "count"]);
	assert.equal(domain, "clustercast/attestation/v2");
	assert.equal(encodeAttestation(attestation), encoded);
	assert.deepEqual(decodeAttestation(encoded), attestation);
	assert.equal(decodeAttestation(`${encoded}00` as Hex), null);
	assert.equal(decodeAttestation("0x"), null);
	assert.equal(attestationPayload(genesis, attestation), payload);
});

test("messages of Ethereum wallets", async () => {
	const { domain: given, separator, signer, account, cases } = vectors.actions;
	const domain = actionDomain(Number(given.chainId), given.verifyingContract);
	assert.deepEqual({ ...domain, chainId: `${domain.chainId}` }, given);
	const EIP712Domain = [
		{ name: "name", type: "string" },
		{ name: "version", type: "string" },
		{ name: "chainId", type: "uint256" },
		{ name: "verifyingContract", type: "address" },
	] as const;
	assert.equal(hashDomain({ domain: { ...domain, chainId: BigInt(domain.chainId) }, types: { EIP712Domain } }), separator);
	assert.equal(accountOf(domain.chainId, signer), account);
	assert.ok(cases.length >= 5);
	for (const { type: primaryType, message, digest, signature } of cases) {
		const data: any = { domain, types: actionTypes, primaryType, message };
		assert.equal(hashTypedData(data), digest);
		const by = await recoverTypedDataAddress({ ...data, signature });
		assert.equal(by.toLowerCase(), signer);
		// On another L2 it is another message.
		assert.notEqual(hashTypedData({ ...data, domain: actionDomain(1, given.verifyingContract) }), digest);
	}
	assert.deepEqual(new Set(cases.map((one: any) => one.type)), new Set(Object.keys(actionTypes)));
});
