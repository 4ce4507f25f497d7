// Somebody with USDC and a wallet in Chromium: opens the page that a relayer serves, signs once, watches, comes back, tops up, and asks for the rest.
// usage: node wallet.mjs PAGE KEY_FILE L2_RPC SECONDS [--shots DIR]
// The wallet is a provider of EIP-1193 with one key, announced by EIP-6963. It asks its L2 for everything but signatures, is on another
// network at first, and its owner says no once. Prints a line of JSON after each part: connected, watched, came back, topped up and asked
// for what is left.
import {mkdirSync, readFileSync} from "node:fs";
import {join} from "node:path";
import {setTimeout as sleep} from "node:timers/promises";
import {parseArgs} from "node:util";
import {chromium} from "playwright-core";
import {privateKeyToAccount} from "viem/accounts";

const {values: options, positionals} = parseArgs({allowPositionals: true, options: {shots: {type: "string"}}});
const [address, keyFile, rpc, seconds] = positionals;
const owner = privateKeyToAccount(`0x${readFileSync(keyFile, "utf8").trim()}`);
// A deposit crosses the L2's finality, the validators and the import; and an agent that holds it back takes its time.
const PATIENCE = 120_000;

async function l2(method, params = []) {
	const body = JSON.stringify({jsonrpc: "2.0", id: 1, method, params});
	const answer = await fetch(rpc, {method: "POST", headers: {"content-type": "application/json"}, body});
	const {result, error} = await answer.json();
	if (error) throw new Error(error.message);
	return result;
}

// What a wallet keeps, whatever page is open.
const wallet = {chain: "0x1", connected: false, refusals: 1, asked: 0, signatures: 0, methods: new Set(), typed: undefined};
const chainId = await l2("eth_chainId");
async function request({method, params = []}) {
	wallet.methods.add(method);
	switch (method) {
		case "eth_requestAccounts":
			wallet.connected = true;
			return [owner.address];
		case "eth_accounts":
			return wallet.connected ? [owner.address] : [];
		case "eth_chainId":
			return wallet.chain;
		case "wallet_switchEthereumChain":
			if (params[0].chainId !== chainId) throw {code: 4902, message: "no such network"};
			wallet.chain = params[0].chainId;
			return null;
		case "eth_signTypedData_v4": {
			wallet.asked++;
			if (wallet.refusals-- > 0) throw {code: 4001, message: "User rejected the request."};
			const [who, text] = params;
			if (who.toLowerCase() !== owner.address.toLowerCase()) throw new Error("not this wallet's");
			wallet.typed = JSON.parse(text);
			wallet.signatures++;
			// As long as somebody takes to compare.
			await sleep(1_000);
			return owner.signTypedData(wallet.typed);
		}
		default:
			if (wallet.chain !== chainId) throw new Error("on another network");
			return l2(method, params);
	}
}

/** In the page: a wallet that asks the binding. */
function announce() {
	const provider = {
		async request(call) {
			const {result, error} = await window.askWallet(call);
			if (error) throw Object.assign(new Error(error.message), error);
			return result;
		},
		on() {},
	};
	const info = Object.freeze({uuid: crypto.randomUUID(), name: "Test wallet", icon: "data:image/svg+xml,", rdns: "example.wallet"});
	const detail = Object.freeze({info, provider});
	const say = () => dispatchEvent(new CustomEvent("eip6963:announceProvider", {detail}));
	addEventListener("eip6963:requestProvider", say);
	say();
}

const browser = await chromium.launch({executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--disable-gpu"]});
const complaints = [];
const requests = new Set();
let failed = false;
try {
	const shots = async (page, name) => {
		if (options.shots === undefined) return;
		mkdirSync(options.shots, {recursive: true});
		for (const colorScheme of ["light", "dark"]) {
			for (const [device, width, height] of [["desktop", 1100, 900], ["phone", 390, 844]]) {
				await page.emulateMedia({colorScheme});
				await page.setViewportSize({width, height});
				await page.screenshot({path: join(options.shots, `wallet-${name}-${device}-${colorScheme}.png`), fullPage: true});
			}
		}
		await page.setViewportSize({width: 1100, height: 900});
	};
	const open = async (withWallet) => {
		const context = await browser.newContext({viewport: {width: 1100, height: 900}, colorScheme: "light"});
		const page = await context.newPage();
		// Agents that are dead or refuse are told by the browser, too.
		const ours = (m) => m.location().url === "" || new URL(m.location().url).origin === new URL(address).origin;
		page.on("console", (m) => ["error", "warning"].includes(m.type()) && ours(m) && complaints.push(m.text()));
		page.on("pageerror", (error) => complaints.push(String(error)));
		page.on("request", (request) => requests.add(new URL(request.url()).origin));
		if (withWallet) {
			await context.exposeFunction("askWallet", async (call) => {
				try {
					return {result: await request(call)};
				} catch ({code, message}) {
					return {error: {code, message}};
				}
			});
			await context.addInitScript(announce);
		}
		await page.goto(address);
		return page;
	};
	const until = async (page, what, most = PATIENCE) => {
		for (const begun = Date.now(); !(await what()); await sleep(100)) {
			if (Date.now() > begun + most) {
				await page.screenshot({path: join(options.shots ?? ".", "wallet-late.png"), fullPage: true}).catch(() => {});
				const said = await page.evaluate(() => document.body.innerText.replace(/\s+/g, " "));
				throw new Error(`not within ${most} ms: ${what}; ${JSON.stringify({...wallet, typed: undefined})}: ${said}; ${complaints}`);
			}
		}
	};
	const at = (page) => page.evaluate(() => document.getElementById("wallet")?.dataset.at);
	const state = (page) => page.evaluate(() => document.documentElement.dataset.state);
	const press = (page) => page.click("#wallet-do button");
	const text = (page, id) => page.locator(`#${id}`).textContent();

	// Nobody to ask.
	const without = await open(false);
	await until(without, async () => (await at(without)) === "no-wallet" && (await without.isVisible("#wallet")));
	await shots(without, "none");
	await without.context().close();

	const page = await open(true);
	await until(page, async () => (await at(page)) === "connect" && (await page.isVisible("#wallet")));
	await shots(page, "connect");
	await press(page);
	await until(page, async () => (await at(page)) === "wrong-chain");
	await shots(page, "wrong-chain");
	await press(page);
	await until(page, async () => ["review", "poor"].includes(await at(page)));
	await page.fill("#limit", "7");
	await until(page, async () => (await at(page)) === "poor");
	await shots(page, "poor");
	await page.fill("#limit", "3");
	await until(page, async () => (await at(page)) === "review");
	await shots(page, "review");
	const offer = {};
	for (const name of ["origin", "limit", "fee", "agent", "key", "until"]) offer[name] = await text(page, `offer-${name}`);
	await press(page);
	await until(page, async () => (await text(page, "wallet-note")).startsWith("You said no"));
	const none = wallet.signatures;
	await shots(page, "refused");
	console.log(JSON.stringify({offer, none}));

	await press(page);
	await until(page, async () => (await at(page)) === "signing");
	await shots(page, "signing");
	const stages = new Set();
	const standing = async () => {
		const now = await page.evaluate(() => document.querySelector("#stages [aria-current]")?.textContent);
		if (now === undefined || stages.has(now)) return;
		stages.add(now);
		await shots(page, `handed-${stages.size}`);
	};
	// The prices of tests are a hundred times the usual one, so that tickets win: nobody pays that unasked.
	const play = async (on) => {
		await until(on, async () => {
			await standing();
			return (await state(on)) === "dear";
		});
		await on.click("#accept");
		await until(on, async () => (await state(on)) === "playing");
		await until(on, () => on.evaluate(() => document.querySelector("video").currentTime > 0 && !document.querySelector("video").paused));
	};
	await play(page);
	const from = await page.evaluate(() => document.querySelector("video").currentTime);
	await sleep(Number(seconds) * 1_000);
	const shown = (await page.evaluate(() => document.querySelector("video").currentTime)) - from;
	await shots(page, "playing");
	await page.setViewportSize({width: 390, height: 844});
	const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
	await page.setViewportSize({width: 1100, height: 900});
	const purse = async () => ({spent: await text(page, "figure-used"), limit: await text(page, "figure-limit"), time: await text(page, "figure-time")});
	const {domain, primaryType, message} = wallet.typed;
	console.log(JSON.stringify({signatures: wallet.signatures, stages: [...stages], shown, overflow, purse: await purse(), typed: {domain, primaryType, message}}));

	// Later: the key is there, and what it spent.
	await page.reload();
	await play(page);
	await until(page, () => page.evaluate(() => document.querySelector("video").currentTime > 2));
	console.log(JSON.stringify({signatures: wallet.signatures, asked: wallet.asked, purse: await purse()}));

	// As the prompt would, where less than a tenth is left: another key, which follows while this one still pays.
	await page.evaluate(() => document.getElementById("top-up").click());
	await until(page, async () => (await page.isVisible("#wallet")) && ["review", "poor"].includes(await at(page)));
	await page.fill("#limit", "2");
	await until(page, async () => (await at(page)) === "review" && (await text(page, "offer-limit")).startsWith("2"));
	await shots(page, "top-up");
	await press(page);
	await until(page, async () => (await text(page, "figure-limit")).startsWith("of 2"));
	await until(page, async () => (await state(page)) === "playing");
	const again = await page.evaluate(() => document.querySelector("video").currentTime);
	await until(page, () => page.evaluate((again) => document.querySelector("video").currentTime > again + 2, again));
	await shots(page, "topped-up");
	// And asks for what is left.
	await page.click("#back summary");
	await until(page, () => page.isVisible("#back-go"));
	await shots(page, "back");
	await page.click("#back-go");
	await until(page, async () => (await text(page, "back-say")).includes("comes out in"));
	await shots(page, "on-its-way");
	console.log(JSON.stringify({
		signatures: wallet.signatures, methods: [...wallet.methods].sort(), purse: await purse(), complaints, requests: [...requests],
	}));
} catch (error) {
	console.error(error);
	failed = true;
} finally {
	await browser.close().catch(() => {});
}
process.exit(failed ? 1 : 0);
