// Which relayer the page for browsers turns to (web/src/watch/roster.ts), and where.
// usage: node_modules/.bin/tsx --test roster.test.ts

import assert from "node:assert/strict";
import { test } from "node:test";
import { transportUrl, type About } from "../../web/src/watch/statement.ts";
import { Roster, type Left, type Relayer } from "../../web/src/watch/roster.ts";

const SERVES = "0x01";
const relayer = (key: string, pricePerGb = 10n): Relayer => ({ key, account: `a${key}`, web: `https://${key}.example`, pricePerGb });
const [one, two, three] = [relayer(SERVES, 20n), relayer("0x02", 10n), relayer("0x03", 15n)];

function roster(relayers: Relayer[], remembered: Left[] = [], accepts = 100n): Roster {
	const made = new Roster(accepts, SERVES, (key) => Number(key), remembered);
	made.add(relayers, 0);
	return made;
}

/** Who is tried now. */
function tried(of: Roster, now: number): string {
	const next = of.next(now);
	return next.kind === "try" ? next.relayer.key : next.kind;
}

test("who serves the page comes first, then who asks least, then an order of this page's own", () => {
	const of = roster([three, relayer("0x05"), two, one]);
	const order = [];
	for (let key = tried(of, 0); key !== "nobody"; key = tried(of, 0)) {
		order.push(key);
		of.report(key, "lied", false, 0);
	}
	assert.deepEqual(order, ["0x01", "0x02", "0x05", "0x03"]);
});

test("who lied is never tried again, whatever is said of it and however long ago it was", () => {
	const of = roster([one, two]);
	of.report(one.key, "lied", true, 1_000);
	of.add([{ ...one, pricePerGb: 0n }], 2_000);
	for (const now of [2_000, 600_000, 1e12]) assert.equal(tried(of, now), two.key);
	of.report(two.key, "lied", true, 1e12);
	assert.equal(tried(of, 2e12), "nobody");
	// Nor after a reload.
	const again = roster([one, two], of.left(1e12));
	assert.equal(tried(again, 5_000), "nobody");
});

test("who failed rests longer each time, and comes behind who did not", () => {
	const of = roster([one, two]);
	of.report(one.key, "lost", false, 0);
	assert.equal(tried(of, 0), two.key);
	assert.equal(tried(of, 59_000), two.key, "it had its rest, and failed");
	const alone = roster([one]);
	let now = 0;
	for (const expected of [1_000, 2_000, 4_000, 8_000, 15_000, 15_000]) {
		alone.report(one.key, "lost", false, now);
		assert.deepEqual(alone.next(now), { kind: "wait", ms: expected });
		now += expected;
		assert.equal(tried(alone, now), one.key);
	}
	alone.report(one.key, "lost", true, now);
	assert.deepEqual(alone.next(now), { kind: "wait", ms: 1_000 }, "it was paid: what was before is forgiven");
	assert.equal(tried(roster([one, two], of.left(0)), 1_500), two.key, "it is remembered over a reload");
	assert.equal(tried(of, 1_000 + 5 * 60_000), one.key, "and forgotten after minutes");
});

test("who serves and falls silent is not forgiven because it serves", () => {
	const of = roster([one]);
	for (const expected of [1_000, 2_000, 4_000]) {
		of.report(one.key, "silent", true, 0);
		assert.deepEqual(of.next(0), { kind: "wait", ms: expected });
	}
});

test("who is full or does not carry the stream is left alone for a while", () => {
	for (const [why, ms] of [["full", 60_000], ["absent", 600_000]] as const) {
		const of = roster([one]);
		of.report(one.key, why, false, 0);
		assert.deepEqual(of.next(0), { kind: "wait", ms });
	}
});

test("nobody is tried who asks more than is accepted, and it is said what they ask", () => {
	const of = roster([one, two], [], 15n);
	assert.equal(tried(of, 0), two.key);
	of.asks(two.key, 16n);
	assert.deepEqual(of.next(0), { kind: "dear", pricePerGb: 20n }, "of who serves the page, though another one asks less");
	of.report(one.key, "lied", false, 0);
	assert.deepEqual(of.next(0), { kind: "dear", pricePerGb: 16n });
	of.asks(two.key, 15n);
	assert.equal(tried(of, 0), two.key);
	of.report(two.key, "refused", false, 0);
	assert.equal(tried(of, 1e9), "nobody");
});

test("live is gone on with only where nobody has the next window", () => {
	const of = roster([one, two]);
	of.report(one.key, "gone", false, 0);
	assert.equal(tried(of, 0), two.key);
	of.report(two.key, "lost", false, 0);
	assert.equal(tried(of, 10_000), "live", "who failed is not asked for what others no longer have");
	assert.equal(tried(of, 10_000), one.key);
	of.report(one.key, "gone", false, 10_000);
	assert.notEqual(tried(of, 10_000), "live", "nobody was asked for one");
});

test("video is fetched at the host of a relayer's page, whatever it says", () => {
	const about = (path: string) => ({ port: 8890, path }) as About;
	assert.equal(transportUrl("https://relayer.example:443", about("/live")), "https://relayer.example:8890/live");
	assert.equal(transportUrl("http://[::1]:80/page/", about("live")), "https://[::1]:8890/live");
	for (const path of ["@other.example/", "//other.example/", ".other.example"]) {
		assert.equal(new URL(transportUrl("https://relayer.example", about(path))).host, "relayer.example:8890", path);
	}
});

test("who is late is left where somebody else is there", () => {
	assert.equal(roster([one]).late(one.key, true, 0), false);
	const of = roster([one, two]);
	assert.equal(of.late(one.key, true, 0), true);
	of.report(one.key, "silent", true, 0);
	assert.equal(of.late(two.key, true, 500), false, "the other one rests");
});

test("where one after the other is late nobody is left for the third time: it is our own line, or the broadcaster", () => {
	const of = roster([one, two, three]);
	assert.equal(of.late(one.key, true, 0), true);
	of.report(one.key, "silent", true, 0);
	assert.equal(of.late(two.key, true, 15_000), true);
	of.report(two.key, "silent", true, 15_000);
	assert.equal(of.late(three.key, true, 29_000), false);
	assert.equal(of.late(three.key, true, 88_000), false);
	assert.equal(of.late(three.key, true, 90_000), true);
	// Now and then is another matter.
	const often = roster([one, two]);
	assert.deepEqual([0, 16_000, 32_000, 48_000].map((now) => often.late(one.key, true, now)), [true, true, true, true]);
});

test("one that brings nothing at all is left, however late others were", () => {
	const of = roster([one, two, three]);
	assert.deepEqual([0, 1, 2].map((now) => of.late(one.key, true, now)), [true, true, false], "it is the line");
	assert.equal(of.late(one.key, false, 3), true);
});

test("one that passes windows over is left for the second within half a minute", () => {
	const of = roster([one, two]);
	assert.deepEqual([0, 31_000, 40_000].map((now) => of.skipped(one.key, now)), [false, false, true]);
	of.report(one.key, "slow", true, 40_000);
	assert.equal(of.skipped(two.key, 41_000), false, "each for itself");
});

test("others are at hand in their order, without who is in use, dear or resting", () => {
	const of = roster([one, two, three, relayer("0x04", 1_000n)]);
	assert.deepEqual(of.behind(one.key, 2, 0).map(({ key }) => key), [two.key, three.key]);
	of.report(two.key, "full", false, 0);
	assert.deepEqual(of.behind(one.key, 2, 0).map(({ key }) => key), [three.key]);
});
