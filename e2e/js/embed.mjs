// Two pages of somebody else in Chromium, as web/embed/examples has them: one with the element, one with a frame of the relayer's. Both watch with keys
// that are authorised by hand, beside a wallet that nobody may ask.
// usage: node embed.mjs RELAYER STREAM ACCOUNT SECONDS EMBED [--shots DIR]
//   RELAYER: address of a relayer's page; EMBED: the folder of the built element
// Prints a line of JSON with both session keys, once the pages show them; and another one at the end: what was shown and paid, what the browser
// complained of, what it asked of whom, how fast it verified; it fails where the relayer's own page stands in a frame.
import {mkdirSync, readFileSync} from "node:fs";
import {createServer} from "node:http";
import {extname, join, normalize} from "node:path";
import {setTimeout as sleep} from "node:timers/promises";
import {parseArgs} from "node:util";
import {chromium} from "playwright-core";
import {meter} from "./speed.mjs";

const {values: options, positionals} = parseArgs({allowPositionals: true, options: {shots: {type: "string"}}});
const [relayer, stream, account, seconds, embed] = positionals;
const PATIENCE = 60_000;
const KINDS = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".wasm": "application/wasm"};

// The examples, with a relayer that there is.
const examples = new URL("../../web/embed/examples/", import.meta.url);
const example = (name) =>
	readFileSync(new URL(name, examples), "utf8").replaceAll("https://relayer.example/", relayer).replaceAll('stream="0"', `stream="${stream}"`).replaceAll("stream=0", `stream=${stream}`);

const server = createServer((request, response) => {
	const path = normalize(new URL(request.url, "http://page").pathname);
	try {
		const said = path.startsWith("/clustercast-player/") ? readFileSync(join(embed, path.slice(20))) : path === "/favicon.ico" ? "" : example(path.slice(1));
		// A page that is strict itself allows no more than README.md says.
		const policy = `default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-inline'; style-src 'unsafe-inline'; worker-src 'self'; connect-src 'self' ${relayer} https:; media-src blob:; frame-src ${relayer}; trusted-types clustercast`;
		response.writeHead(200, {"content-type": KINDS[extname(path)] ?? "text/plain", "content-security-policy": policy}).end(said);
	} catch (error) {
		response.writeHead(404).end(String(error));
	}
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

/** In all pages and frames: a wallet that says who asked it. */
function trap() {
	const provider = {request: async ({method}) => (window.askedOfWallet(`${location.href}: ${method}`), []), on() {}};
	Object.defineProperty(window, "ethereum", {get: () => (window.askedOfWallet(`${location.href}: ethereum`), provider)});
	const detail = Object.freeze({info: Object.freeze({uuid: "1", name: "Trap", icon: "data:,", rdns: "example.trap"}), provider});
	addEventListener("eip6963:requestProvider", () => window.askedOfWallet(`${location.href}: discovery`));
	dispatchEvent(new CustomEvent("eip6963:announceProvider", {detail}));
}

const browser = await chromium.launch({executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--disable-gpu"]});
const complaints = [];
const requests = new Set();
const asked = [];
let failed = false;
let speed;
try {
	const context = await browser.newContext({viewport: {width: 1000, height: 700}, colorScheme: "light"});
	await context.exposeFunction("askedOfWallet", (what) => asked.push(what));
	await context.addInitScript(trap);
	const open = async (name) => {
		const page = await context.newPage();
		page.on("console", (m) => ["error", "warning"].includes(m.type()) && complaints.push(`${name}: ${m.text()}`));
		page.on("pageerror", (error) => complaints.push(`${name}: ${error}`));
		page.on("request", (request) => requests.add(new URL(request.url()).origin));
		const measured = meter(page);
		await page.goto(`${origin}/${name}.html`);
		if (name === "element") speed = measured;
		return [name, page, name === "frame" ? page.frameLocator("iframe") : page];
	};
	const all = [await open("element"), await open("frame")];
	// What is in the shadow of the element is found like anything else.
	const state = (within, ...which) => within.locator(which.map((one) => `#stage[data-state="${one}"]`).join()).waitFor({state: "attached", timeout: PATIENCE});
	const shot = async (name, page) => {
		if (options.shots === undefined) return;
		mkdirSync(options.shots, {recursive: true});
		await page.screenshot({path: join(options.shots, `embed-${name}.png`)});
	};
	const keys = {};
	for (const [name, page, within] of all) {
		await page.bringToFront();
		await state(within, "needs-account");
		await shot(`${name}-account`, page);
		const there = await within.locator("#elsewhere").getAttribute("href");
		await within.locator("#by-hand summary").click();
		await within.locator("#account").fill(account);
		await within.locator("#payer button").click();
		await state(within, "needs-session");
		await shot(`${name}-session`, page);
		const [key, proof, expiry] = await Promise.all(["session-key", "session-proof", "session-expiry"].map((id) => within.locator(`#${id}`).textContent()));
		keys[name] = {key, proof, expiry: Number(expiry), there};
	}
	console.log(JSON.stringify(keys));

	const shown = {};
	for (const [name, page, within] of all) {
		await page.bringToFront();
		// The prices of tests are a hundred times the usual one, so that tickets win: nobody pays that unasked.
		await state(within, "dear", "playing");
		if (await within.locator("#accept").isVisible()) await within.locator("#accept").click();
		await state(within, "playing");
		const video = within.locator("video");
		const time = () => video.evaluate(({currentTime}) => currentTime);
		for (const begun = Date.now(); (await time()) === 0; await sleep(100)) if (Date.now() > begun + PATIENCE) throw new Error(`${name}: no picture`);
		const from = await time();
		await sleep(Number(seconds) * 1_000);
		shown[name] = (await time()) - from;
		await shot(`${name}-playing`, page);
	}
	const said = {speed: await speed()};
	const [[, element]] = all;
	said.spent = await element.locator("#spent").textContent();
	said.state = await element.locator("#state").textContent();
	// One that is taken away pays what came, and watches no more.
	said.stopped = await element.evaluate(async () => {
		const player = document.querySelector("clustercast-player");
		player.stop();
		await new Promise((resolve) => player.addEventListener("statechange", resolve, {once: true}));
		const {state} = player;
		player.remove();
		return state;
	});
	// The page that may ask wallets, in a frame: the browser shows nothing of it. That is told on the console, which is as it should be.
	const other = await context.newPage();
	const refusals = [];
	other.on("console", (m) => refusals.push(m.text()));
	await other.goto(`${origin}/frame.html`);
	await other.evaluate((relayer) => (document.querySelector("iframe").src = relayer), relayer);
	for (const begun = Date.now(); !refusals.some((text) => text.includes("frame-ancestors")); await sleep(100)) if (Date.now() > begun + PATIENCE) throw new Error(`the page stands in a frame: ${refusals}`);
	console.log(JSON.stringify({shown, said, complaints, asked, requests: [...requests], origin}));
} catch (error) {
	for (const page of browser.contexts().flatMap((context) => context.pages())) {
		console.error(page.url(), await page.locator("#words").textContent({timeout: 1_000}).catch(() => "no words"));
		await page.screenshot({path: join(options.shots ?? ".", `embed-late-${page.url().split("/").at(-1)}.png`)}).catch(() => {});
	}
	console.error(error, complaints);
	failed = true;
} finally {
	await browser.close().catch(() => {});
}
process.exit(failed ? 1 : 0);
