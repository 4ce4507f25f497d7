// The built page, in every state that it can be in: nothing about it bars anybody from using it, nothing is cut off, keys reach all of
// it, and the browser has nothing to complain of. gallery.mjs makes pictures of the same states.
// usage: node --test gallery.test.mjs; scripts/web builds the page, and CLUSTERCAST_BIN (or CLUSTERCAST_PAGE) says where it is.
import assert from "node:assert/strict";
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {after, before, describe, test} from "node:test";
import {playing, SCENES} from "./gallery/scenes.mjs";
import {Stand} from "./gallery/stand.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** Of what axe finds: what is less than this is advice. */
const GRAVE = ["serious", "critical"];
const DESKTOP = {width: 1280, height: 800};
/** The narrowest phone, and what is left of the desktop at 200 %. */
const NARROW = [{width: 320, height: 640}, {width: 640, height: 400}];

/** Of axe: which rules are broken, where, and how badly. */
async function judge(page) {
	// Not a script of the page, whose policy allows none but its own.
	if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe);
	const violations = await page.evaluate(() => window.axe.run(document, {resultTypes: ["violations"]}).then(({violations}) => violations));
	return violations.filter(({impact}) => GRAVE.includes(impact)).map(({id, nodes}) => `${id}: ${nodes.map(({html, any}) => `${html} ${any[0]?.message ?? ""}`).join(" | ")}`);
}

/** What is wider than the window, or than what it stands in. */
function overflow() {
	const found = [];
	const root = document.documentElement;
	if (root.scrollWidth > innerWidth) found.push(`the page is ${root.scrollWidth} px wide, of ${innerWidth}`);
	for (const element of window.elements()) {
		if (!element.checkVisibility({visibilityProperty: true}) || element.closest("svg") !== null) continue;
		const {left, right, width} = element.getBoundingClientRect();
		if (width > 0 && (left < -0.5 || right > innerWidth + 0.5)) found.push(`${element.id || element.tagName} from ${left} to ${right}`);
		// A text that is cut off.
		const {overflowX} = getComputedStyle(element);
		if (element.scrollWidth > element.clientWidth + 1 && ["hidden", "clip", "auto", "scroll"].includes(overflowX) && element.tagName !== "INPUT") {
			found.push(`${element.id || element.tagName} holds ${element.scrollWidth} px in ${element.clientWidth}`);
		}
	}
	return found;
}

/** In the page: what a person can press or type into, now. */
function controls() {
	const all = window.elements().filter((one) => one.matches("button, input, a[href], summary, select, textarea, [tabindex]"));
	const here = all.filter((one) => one.checkVisibility({visibilityProperty: true}) && !one.disabled && one.tabIndex >= 0);
	return here.map((one, number) => one.id || (one.dataset.walk ??= `${one.tagName} ${number}`));
}

/** Once around by keyboard: what was reached, and what of it could not be seen to be. */
async function walk(page) {
	const wanted = new Set(await page.evaluate(controls));
	const unseen = [];
	for (let steps = 0; wanted.size > 0 && steps < 60; steps++) {
		await page.keyboard.press("Tab");
		const at = await page.evaluate(() => {
			const one = window.focused();
			if (one === null || one === document.body) return undefined;
			const {outlineStyle, outlineWidth, outlineColor} = getComputedStyle(one);
			const isSeen = one.matches(":focus-visible") && outlineStyle !== "none" && parseFloat(outlineWidth) >= 2 && outlineColor !== "rgba(0, 0, 0, 0)";
			// Nothing above it is transparent, either.
			let opacity = 1;
			for (let up = one; up !== null; up = up.parentElement ?? up.getRootNode().host ?? null) opacity *= Number(getComputedStyle(up).opacity);
			return {name: one.id || one.dataset.walk || one.tagName, isSeen: isSeen && opacity > 0.9};
		});
		if (at === undefined) continue;
		if (wanted.delete(at.name) && !at.isSeen) unseen.push(at.name);
	}
	return {missed: [...wanted], unseen};
}

let stand;
const seen = new Map();

async function look({page, complaints}, name) {
	assert.ok(!seen.has(name), `two states are called ${name}`);
	seen.set(name, await page.evaluate(() => {
		const wallet = document.getElementById("wallet");
		return {state: window.stage()?.dataset.state, wallet: wallet?.checkVisibility() && wallet.dataset.at};
	}));
	for (const colorScheme of ["light", "dark"]) {
		await page.emulateMedia({colorScheme});
		assert.deepEqual(await judge(page), [], `${name}, ${colorScheme}`);
	}
	const focused = await page.evaluateHandle(() => window.focused());
	const {missed, unseen} = await walk(page);
	assert.deepEqual(missed, [], `${name}: no key reaches these`);
	assert.deepEqual(unseen, [], `${name}: it cannot be seen that these are focused`);
	await focused.evaluate((one) => (one === document.body ? window.focused().blur() : one.focus()));
	for (const size of NARROW) {
		await page.setViewportSize(size);
		assert.deepEqual(await page.evaluate(overflow), [], `${name}, ${size.width} px`);
	}
	assert.deepEqual(await judge(page), [], `${name}, on a phone`);
	await page.setViewportSize(DESKTOP);
	assert.deepEqual(complaints, [], name);
}

describe("the page, in each state", {concurrency: 3}, () => {
	before(async () => (stand = await Stand.open()));
	after(() => stand?.close());
	for (const [name, scene] of SCENES) {
		test(`${name}: seen, read and reached by keys by anybody`, async () => {
			const visit = await scene(stand, look);
			await visit.close();
		});
	}

	test("nothing that a frame or an offline page loads has words for a wallet, and the page itself has", async () => {
		const words = /eth_|eip6963|"ethereum"|\.ethereum/;
		const speaks = async (path) => {
			const visit = await stand.visit();
			const scripts = [];
			visit.page.on("response", (response) => response.request().resourceType() === "script" && scripts.push(response.text()));
			await visit.page.goto(`${visit.address}${path}`, {waitUntil: "networkidle"});
			const found = (await Promise.all(scripts)).filter((text) => words.test(text)).length;
			await visit.close();
			return [scripts.length > 0, found > 0];
		};
		assert.deepEqual(await speaks(""), [true, true]);
		assert.deepEqual(await speaks("embed.html"), [true, false]);
		assert.deepEqual(await speaks("offline.html"), [false, false]);
		assert.ok(!words.test(readFileSync(new URL("../../web/public/sw.js", import.meta.url), "utf8")), "the service worker");
	});

	test("every control of the player does by keys what it does by pointer", async () => {
		const visit = await playing(stand);
		const {page} = visit;
		const video = (field) => page.evaluate((field) => document.querySelector("video")[field], field);
		assert.equal(await video("muted"), true, "it begins without sound");
		await visit.press("#unmute");
		assert.equal(await video("muted"), false);
		await page.locator("#unmute").waitFor({state: "hidden"});
		assert.equal(await page.evaluate(() => window.focused().id), "mute", "keys go on where it was");
		await visit.press("#mute", " ");
		assert.equal(await video("muted"), true);
		await visit.press("#volume", "ArrowLeft");
		assert.deepEqual([await video("muted"), await video("volume") < 1], [false, true]);
		await visit.press("#figures");
		assert.equal(await page.getAttribute("#figures", "aria-pressed"), "true");
		assert.ok(await page.isVisible("#overlay"));
		await visit.press("#full");
		await page.waitForFunction(() => document.fullscreenElement?.id === "stage");
		await page.keyboard.press("f");
		await page.waitForFunction(() => document.fullscreenElement === null);
		// Letters, wherever the focus is that no text goes into.
		await page.keyboard.press("m");
		assert.equal(await video("muted"), true);
		await page.keyboard.press("ArrowUp");
		assert.equal(await video("muted"), false);
		for (const theme of ["light", "dark", undefined]) {
			await visit.press("#theme");
			assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), theme);
		}
		await visit.press("#theme");
		await page.reload();
		await visit.told("watch");
		assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light", "it is remembered");
		await visit.close();
	});
});

test("every state of the page and every view of its wallet panel was looked at", () => {
	// As web/src has them: what is added there is to be looked at.
	const source = (path) => readFileSync(new URL(`../../web/src/${path}`, import.meta.url), "utf8");
	const [, states] = /export type State =([^;]*);/.exec(source("watch/messages.ts"));
	const [, views] = /export type View =\n([\s\S]*?);\n\n/.exec(source("wallet/payment.ts"));
	const all = (text, pattern) => [...text.matchAll(pattern)].map(([, name]) => name);
	const looked = [...seen.values()];
	assert.deepEqual(all(states, /"([^"]+)"/g).filter((state) => !looked.some((one) => one.state === state)), []);
	// What is done is not drawn.
	assert.deepEqual(all(views, /at: "([^"]+)"/g).filter((view) => view !== "done" && !looked.some(({wallet}) => wallet === view)), []);
});
