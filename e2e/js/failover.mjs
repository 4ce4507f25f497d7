// A viewer in Chromium whose relayers go: opens the page that a relayer serves, as this account, and watches until another one sends.
// usage: node failover.mjs PAGE ACCOUNT KEY
// Prints a line of JSON with the session key, once the page shows it; another one when it plays; and one at the end, when it has played
// for a while from the relayer with this key: what was shown, from whom, and what the browser complained of.
import {setTimeout as sleep} from "node:timers/promises";
import {asked, count, open, plays} from "./viewer.mjs";

const [address, account, last] = process.argv.slice(2);
/** How long it plays from the last one, milliseconds. */
const PLAYS = 8_000;
/** And before anything happens: some windows. */
const BEGINS = 5_000;

const viewer = await open();
const {browser, page, complaints, requests, text, state, until} = viewer;
let failed = false;
try {
	await page.goto(address);
	console.log(JSON.stringify(await asked(viewer, account)));
	await plays(viewer);
	await page.keyboard.press("s");
	await sleep(BEGINS);
	const sources = () => page.evaluate(() => [...document.querySelectorAll("#sources li")].map((line) => ({key: line.dataset.key, text: line.textContent, sends: line.className === "sends"})));
	await count(viewer);
	console.log(JSON.stringify({plays: await sources()}));
	await until(async () => (await sources()).some(({key, sends}) => sends && key === last));
	const from = await page.evaluate(() => ({frames: window.seen.frames, longest: window.seen.longest}));
	await sleep(PLAYS);
	const seen = await page.evaluate(() => window.seen);
	console.log(JSON.stringify({
		longest: Math.round(seen.longest), before: Math.round(from.longest), after: seen.frames - from.frames, seconds: PLAYS / 1_000,
		state: await state(), rejected: await text("figure-rejected"), sources: await sources(), complaints, requests: [...requests],
	}));
} catch (error) {
	console.error(error);
	failed = true;
} finally {
	await browser.close().catch(() => {});
}
process.exit(failed ? 1 : 0);
