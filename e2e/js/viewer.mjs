// A viewer's page in Chromium, for the scripts beside this one: what it shows, what the browser complained of, what it asked of whom.
import {setTimeout as sleep} from "node:timers/promises";
import {chromium} from "playwright-core";

/** Until a picture, from when the key is authorised: the relayer looks at the account every 15 s. */
export const PATIENCE = 60_000;

export async function open() {
	const browser = await chromium.launch({executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--disable-gpu"]});
	const context = await browser.newContext({viewport: {width: 1100, height: 900}, colorScheme: "light"});
	const page = await context.newPage();
	const [complaints, requests] = [[], new Set()];
	page.on("console", (m) => ["error", "warning"].includes(m.type()) && complaints.push(m.text()));
	page.on("pageerror", (error) => complaints.push(String(error)));
	page.on("request", (request) => requests.add(new URL(request.url()).origin));

	const text = (id) => page.locator(`#${id}`).textContent();
	const state = () => page.evaluate(() => document.documentElement.dataset.state);
	const until = async (what, most = PATIENCE) => {
		for (const begun = Date.now(); !(await what()); await sleep(100)) {
			if (Date.now() > begun + most) throw new Error(`not within ${most} ms: ${what}; ${await state()}: ${await text("detail")}; ${complaints}`);
		}
	};
	return {browser, context, page, complaints, requests, text, state, until};
}

/** The session key that a page shows for this account, to be authorised by hand. */
export async function asked({page, text, state, until}, account, shots = async () => {}) {
	await until(async () => (await state()) === "needs-account");
	await shots("account");
	await page.fill("#account", account);
	await page.click("#payer button");
	await until(async () => (await state()) === "needs-session");
	await shots("session");
	const [key, proof, expiry] = await Promise.all(["session-key", "session-proof", "session-expiry"].map(text));
	return {key, proof, expiry: Number(expiry)};
}

/** Once it is authorised: accepts the price, which in tests is a hundred times the usual one, so that tickets win; and waits for the picture. */
export async function plays({page, state, until}, shots = async () => {}) {
	await until(async () => (await state()) === "dear");
	await shots("dear");
	await page.click("#accept");
	await until(async () => (await state()) === "playing");
	await until(() => page.evaluate(() => document.querySelector("video").currentTime > 0 && !document.querySelector("video").paused));
}

/** Counts pictures that are shown from now on, and the longest time between two of them: `window.seen`. */
export function count({page}) {
	return page.evaluate(() => {
		const video = document.querySelector("video");
		const seen = (window.seen = {frames: 0, longest: 0, from: video.currentTime});
		let last = performance.now();
		const next = (now) => {
			seen.frames++;
			seen.longest = Math.max(seen.longest, now - last);
			last = now;
			video.requestVideoFrameCallback(next);
		};
		video.requestVideoFrameCallback(next);
	});
}
