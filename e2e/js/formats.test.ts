// Every file of primitives/vectors that browsers need: decodes, encodes the same bytes, recomputes what is hashed and
// signed, and refuses what is to be refused. Bytes in the files are hex, wide numbers decimal strings.

import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as formats from "./formats.ts";
import { decode, encode, FormatError, type Domain, type Fault, type Format } from "./formats.ts";

type Case = { [field: string]: any };

function read(name: string): Case {
	return JSON.parse(readFileSync(new URL(`../../primitives/vectors/${name}.json`, import.meta.url), "utf8"));
}

function bytes(hex: string): Uint8Array {
	assert.match(hex, /^0x([0-9a-f]{2})*$/);
	return Uint8Array.from(Buffer.from(hex.slice(2), "hex"));
}

function sha256(...parts: Uint8Array[]): Uint8Array {
	const hash = createHash("sha256");
	for (const part of parts) hash.update(part);
	return Uint8Array.from(hash.digest());
}

/** A value as the files write it. */
function shown(value: unknown): unknown {
	if (value instanceof Uint8Array) return `0x${Buffer.from(value).toString("hex")}`;
	if (typeof value === "bigint") return value.toString();
	if (Array.isArray(value)) return value.map(shown);
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(Object.entries(value).map(([field, value]) => [field, shown(value)]));
}

/** Decodes to what the file says, and encodes to the same bytes. */
function roundTrip<T>(format: Format<T>, hex: string, expected: unknown): T {
	const value = decode(format, bytes(hex));
	assert.deepEqual(shown(value), expected);
	assert.equal(shown(encode(format, value)), hex);
	return value;
}

function faulty(fault: Fault): (error: unknown) => boolean {
	return (error) => error instanceof FormatError && error.fault === fault;
}

function refuses(cases: Case[], read: (encoded: Uint8Array) => void): void {
	assert.ok(cases.length > 1);
	for (const { fault, reason, bytes: hex } of cases) {
		assert.throws(() => read(bytes(hex)), faulty(fault), reason);
	}
}

/** Payload, domain and Ed25519 signature of a case. */
function checkSigned(domain: Domain, { domain: name, payload, genesis, encoded, publicKey, signature }: Case): void {
	assert.equal(name, formats.domains[domain]);
	assert.equal(shown(formats.payload(domain, bytes(genesis), bytes(encoded))), payload);
	const x = Buffer.from(bytes(publicKey)).toString("base64url");
	const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
	assert.ok(verify(null, bytes(payload), key, bytes(signature)));
	assert.ok(!verify(null, Uint8Array.of(...bytes(payload), 0), key, bytes(signature)));
}

const messages: [string, Domain, Format<unknown>][] = [
	["window", "window", formats.window],
	["catalog", "catalog", formats.catalog],
	["status", "status", formats.status],
	["subscribe", "subscribe", formats.subscribe],
	["receipt", "receipt", formats.receipt],
	["ticket", "ticket", formats.ticket],
	["voucher", "voucher", formats.voucher],
	["reservation", "reservation", formats.reservation],
	["close", "close", formats.close],
	["tip", "tip", formats.tip],
	["session_proof", "sessionProof", formats.sessionProof],
	["relayer_notice", "relayerNotice", formats.relayerNotice],
	["report", "report", formats.report],
	["qos", "qos", formats.qos],
];

for (const [name, domain, format] of messages) {
	test(`${name}: every case is read, written and verified, and what is to be refused is`, () => {
		const file = read(name);
		for (const entry of file.cases) {
			roundTrip(format, entry.encoded, entry.message);
			checkSigned(domain, entry);
		}
		// Those of catalogs and statuses are of what travels with them.
		if (name !== "catalog" && name !== "status") refuses(file.refused, (encoded) => decode(format, encoded));
	});
}

test("messages that are named by hash have that name", () => {
	for (const domain of ["window", "status", "receipt"] as const) {
		for (const { encoded, hash } of read(domain).cases) {
			assert.equal(shown(formats.nameHash(sha256, domain, bytes(encoded))), hash);
		}
	}
});

test("catalogs travel behind their seals, and a seal is for one catalog", () => {
	const file = read("catalog");
	const [minimal, maximal] = file.cases.map((entry: Case) => {
		roundTrip(formats.catalogBody, entry.catalogEncoded, entry.catalog);
		assert.equal(shown(formats.nameHash(sha256, "catalog", bytes(entry.catalogEncoded))), entry.hash);
		const signed = decode(formats.signedCatalog, bytes(entry.travels));
		formats.checkCatalog(sha256, signed);
		return signed;
	});
	const mixed = { seal: minimal.seal, catalog: maximal.catalog };
	assert.throws(() => formats.checkCatalog(sha256, mixed), faulty("hash"));
	refuses(file.refused, (encoded) => decode(formats.catalogBody, encoded));
});

test("statuses travel with their tracks", () => {
	const file = read("status");
	for (const { travels, message, signature, tracks } of file.cases) {
		const expected = { status: { message, signature }, tracks };
		formats.checkStatus(sha256, roundTrip(formats.signedStatus, travels, expected));
	}
	refuses(file.refused, (encoded) => formats.checkStatus(sha256, decode(formats.signedStatus, encoded)));
});

test("receipts state the root of their deliveries and who pays", () => {
	const file = read("receipt");
	for (const entry of file.cases) {
		const deliveries = roundTrip(formats.deliveries, entry.deliveriesEncoded, entry.deliveries);
		assert.equal(shown(formats.deliveriesRoot(sha256, deliveries)), entry.message.root);
		const opening = roundTrip(formats.opening, entry.openingEncoded, entry.opening);
		assert.equal(shown(formats.payer(sha256, opening)), entry.message.payer);
	}
	refuses(file.refusedDeliveries, (encoded) => decode(formats.deliveries, encoded));
});

test("items ascend and have a root", () => {
	const file = read("ext");
	for (const { encoded, message, root } of file.cases) {
		assert.equal(shown(formats.extRoot(sha256, roundTrip(formats.items, encoded, message))), root);
	}
	refuses(file.refused, (encoded) => decode(formats.items, encoded));
});

/** Each proof holds at its place, for its leaf and root, and nowhere else. */
function checkProofs(proofs: Case[], leaves: Uint8Array[], root: Uint8Array): void {
	for (const { index, width, path } of proofs) {
		const proof = { index: BigInt(index), width: BigInt(width), path: path.map(bytes) };
		assert.equal(Number(width), leaves.length);
		const leaf = leaves[Number(index)];
		const holds = (change: Partial<typeof proof>, at = leaf) =>
			formats.verifyProof(sha256, { ...proof, ...change }, root, at);
		assert.ok(holds({}));
		assert.ok(!holds({ path: [...proof.path, root] }));
		assert.ok(!holds({ index: proof.width }));
		assert.ok(!holds({ width: proof.width * 4n }));
		assert.ok(!holds({}, sha256(leaf)));
		if (leaves.length > 1) {
			assert.ok(!holds({ path: proof.path.slice(1) }));
			assert.ok(!holds({ index: (proof.index + 1n) % proof.width }));
		}
	}
}

test("trees of every width have their roots and proofs", () => {
	const file = read("merkle");
	assert.equal(shown(formats.treeRoot(sha256, [])), file.emptyRoot);
	for (const { inputs, leaves, root, proofs } of file.trees) {
		const made = inputs.map((input: string) => formats.leafHash(sha256, bytes(input)));
		assert.deepEqual(shown(made), leaves);
		assert.equal(shown(formats.treeRoot(sha256, made)), root);
		assert.equal(proofs.length, leaves.length);
		checkProofs(proofs, made, bytes(root));
	}
	for (const { bytes: length, seed, chunkLog2, leaves, root } of file.windows) {
		const media = Uint8Array.from({ length }, (_, i) => (i * 31 + seed) % 251);
		const made = leaves.map((_: string, i: number) =>
			formats.leafHash(sha256, media.subarray(i << chunkLog2, (i + 1) << chunkLog2)),
		);
		assert.equal(leaves.length, Math.ceil(length / 2 ** chunkLog2));
		assert.deepEqual(shown(made), leaves);
		assert.equal(shown(formats.treeRoot(sha256, made)), root);
	}
});

test("histories grow leaf by leaf to what the files have", () => {
	const file = read("history");
	const leaves = Array.from({ length: 1_000 }, (_, i) =>
		formats.leafHash(sha256, Uint8Array.from(Buffer.from(Uint32Array.of(i).buffer))),
	);
	let [grown, compared] = [{ count: 0n, peaks: [] as Uint8Array[] }, 0];
	for (const { encoded, message, root, proofs } of file.cases) {
		assert.equal(shown(formats.historyRoot(sha256, roundTrip(formats.history, encoded, message))), root);
		if (BigInt(message.count) > 1_000n) continue;
		while (grown.count < BigInt(message.count)) grown = formats.append(sha256, grown, leaves[Number(grown.count)]);
		assert.deepEqual(shown(grown), message);
		checkProofs(proofs, leaves.slice(0, Number(grown.count)), bytes(root));
		compared++;
	}
	assert.equal(compared, file.cases.length - 1);
	refuses(file.refused, (encoded) => decode(formats.history, encoded));
});

test("win probabilities and costs are what both sides compute", () => {
	const file = read("win_probability");
	for (const entry of file.cases) {
		const [paid, price, face] = [entry.bytes, entry.pricePerGb, entry.faceValue].map(BigInt);
		assert.equal(formats.winProbability(paid, price, face)?.toString() ?? null, entry.winProbability);
		assert.equal(formats.cost(paid, price).toString(), entry.cost);
	}
	assert.deepEqual([0n, 1n, 65_536n, 65_537n].map(formats.ticketBytes), [0n, 65_536n, 65_536n, 131_072n]);
});

test("values without bytes are not written", () => {
	const [minimal] = read("report").cases;
	const report = decode(formats.report, bytes(minimal.encoded));
	const write = (change: Partial<typeof report>) => () => encode(formats.report, { ...report, ...change });
	assert.doesNotThrow(write({ text: "č" }));
	assert.throws(write({ reason: 256 }), faulty("range"));
	assert.throws(write({ reason: 0.5 }), faulty("range"));
	assert.throws(write({ atMs: -1n }), faulty("range"));
	assert.throws(write({ atMs: 1n << 64n }), faulty("range"));
	assert.throws(write({ header: new Uint8Array(31) }), faulty("range"));
	assert.throws(write({ text: "č".repeat(257) }), faulty("count"));
	assert.throws(write({ text: "\ud800" }), faulty("text"));
	assert.throws(write({ text: "\u0007" }), faulty("text"));
});

test("no bytes at all end in anything but a value or a FormatError", () => {
	const all = [...messages.map(([, , format]) => format), formats.signedCatalog, formats.signedStatus, formats.items];
	let seed: Uint8Array = Uint8Array.of(0);
	for (let round = 0; round < 200; round++) {
		seed = sha256(seed);
		const noise = Uint8Array.from({ length: 8 * seed[0] }, (_, i) => seed[i % 32] & seed[(i >> 5) % 32]);
		for (const format of all) {
			try {
				assert.deepEqual(encode(format as Format<unknown>, decode(format as Format<unknown>, noise)), noise);
			} catch (error) {
				assert.ok(error instanceof FormatError, `${error}`);
			}
		}
	}
});
