// A viewer in Chromium: opens the page that a relayer serves, as this account, hands out what its wallet is to sign, and watches.
// usage: node watch.mjs PAGE ACCOUNT SECONDS [--shots DIR]
// Prints a line of JSON with the session key, once the page shows it; and another one at the end: what was shown, verified and paid,
// what the browser complained of, and what it asked of whom.
import {mkdirSync} from "node:fs";
import {join} from "node:path";
import {setTimeout as sleep} from "node:timers/promises";
import {parseArgs} from "node:util";
import {asked, count, open, PATIENCE, plays} from "./viewer.mjs";

const {values: options, positionals} = parseArgs({allowPositionals: true, options: {shots: {type: "string"}}});
const [address, account, seconds] = positionals;

const viewer = await open();
const {browser, context, page, complaints, requests, text, state, until} = viewer;
let failed = false;
try {
	// In both themes, on a desk and on a phone.
	const shots = async (name) => {
		if (options.shots === undefined) return;
		mkdirSync(options.shots, {recursive: true});
		for (const colorScheme of ["light", "dark"]) {
			for (const [device, width, height] of [["desktop", 1100, 900], ["phone", 320, 640]]) {
				await page.emulateMedia({colorScheme});
				await page.setViewportSize({width, height});
				await page.screenshot({path: join(options.shots, `${name}-${device}-${colorScheme}.png`)});
			}
		}
		await page.setViewportSize({width: 1100, height: 900});
	};

	await page.goto(address);
	console.log(JSON.stringify(await asked(viewer, account, shots)));
	await plays(viewer, shots);
	await count(viewer);
	await page.keyboard.press("s");
	await sleep(Number(seconds) * 1_000);
	const seen = await page.evaluate(() => ({...window.seen, to: document.querySelector("video").currentTime, width: document.querySelector("video").videoWidth}));
	await shots("playing");
	// What is wider than a phone would be scrolled sideways.
	await page.setViewportSize({width: 320, height: 640});
	const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
	await page.setViewportSize({width: 1100, height: 900});

	// By keyboard alone.
	await page.keyboard.press("m");
	const unmuted = await page.evaluate(() => !document.querySelector("video").muted);
	await page.keyboard.press("k");
	await sleep(300);
	const paused = await page.evaluate(() => document.querySelector("video").paused) && (await state()) === "stopped";
	await shots("stopped");
	// Goes on live, on another connection, with the numbers behind those that were stored.
	await page.keyboard.press("k");
	await until(async () => (await state()) === "playing", PATIENCE);
	// It begins where the broadcast is by now, and a moment later it moves.
	await until(() => page.evaluate(() => !document.querySelector("video").paused), PATIENCE);
	const from = await page.evaluate(() => document.querySelector("video").currentTime);
	await until(() => page.evaluate((from) => document.querySelector("video").currentTime > from + 1, from), PATIENCE);
	const live = await page.evaluate(() => !document.querySelector("video").paused);

	const figures = {};
	for (const id of ["bitrate", "lag", "verified", "rejected", "spent", "hour", "transport", "time"]) figures[id] = await text(`figure-${id}`);
	const again = await context.newPage();
	await again.goto(address);
	const other = () => again.evaluate(() => document.documentElement.dataset.state);
	await until(async () => (await other()) === "other-tab", PATIENCE);
	await again.close();
	console.log(JSON.stringify({
		frames: seen.frames, longest: Math.round(seen.longest), shown: seen.to - seen.from, width: seen.width, overflow,
		keys: {unmuted, paused, live}, state: await state(), figures, complaints, requests: [...requests],
	}));
} catch (error) {
	console.error(error);
	failed = true;
} finally {
	await browser.close().catch(() => {});
}
process.exit(failed ? 1 : 0);
