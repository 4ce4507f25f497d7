// Where the built page stands to be looked at: a server with its files, behind the policy of a relayer; a worker that says what a test
// says; a relayer's and an agent's answers; a wallet; and a clip. Nothing of it is in the page, and nothing of the page is changed.
import {execFileSync} from "node:child_process";
import {existsSync, mkdtempSync, readdirSync, readFileSync, rmSync} from "node:fs";
import {createServer} from "node:http";
import {tmpdir} from "node:os";
import {extname, join} from "node:path";
import {chromium} from "playwright-core";
import {decodeFunctionData, encodeFunctionResult, hashDomain, parseAbi, toHex} from "viem";
import {privateKeyToAccount} from "viem/accounts";

const hex = (byte, bytes) => `0x${byte.repeat(bytes)}`;

export const GENESIS = hex("5c", 32);
export const owner = privateKeyToAccount(hex("a7", 32));
/** Of somebody who pays by hand. */
export const ACCOUNT = hex("3e", 32);
const VAULT = hex("c0", 20);
const USDC = hex("83", 20);
const CHAIN = 8453;

// As relayer/src/web.rs has it, for a page of development.
const POLICY = [
	"default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; connect-src 'self' https: wss: http://127.0.0.1:*",
	"media-src blob:; worker-src 'self'; img-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'",
	"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types clustercast",
].join("; ");

const KINDS = {
	".html": "text/html; charset=utf-8",
	".js": "text/javascript; charset=utf-8",
	".css": "text/css; charset=utf-8",
	".wasm": "application/wasm",
	".svg": "image/svg+xml",
	".webmanifest": "application/manifest+json",
	".json": "application/json",
};

/** The page, as scripts/web builds it. */
export function builtPage() {
	const bin = process.env.CLUSTERCAST_BIN;
	const page = process.env.CLUSTERCAST_PAGE ?? (bin && join(bin, "../share/clustercast/web"));
	if (page === undefined || !existsSync(join(page, "index.html"))) {
		throw new Error("there is no page to look at: scripts/web builds it, and CLUSTERCAST_BIN or CLUSTERCAST_PAGE says where it is");
	}
	return page;
}

// In place of the page's worker: tells the test what it is told, and the page what the test says; the clip it fetches itself.
const WORKER = `
	const [up, down] = ["worker-hears", "worker-says"].map((name) => new BroadcastChannel(name));
	onmessage = ({data}) => up.postMessage(data);
	const body = async (name) => (await fetch(new URL("/clip/" + name, location.href))).arrayBuffer();
	down.onmessage = async ({data}) => {
		if (data.kind !== "clip") return postMessage(data);
		const init = await body("init");
		postMessage({kind: "init", codecs: data.codecs, title: data.title, data: init}, [init]);
		for (let n = 0; n < data.windows; n++) {
			const window = await body(n);
			const startMs = Date.now() - 4_000 + (n < 2 ? 2_000 * n : 2_000);
			postMessage({kind: "window", epoch: 1, startMs, durationMs: 2_000, bytes: data.bytes, data: window}, [window]);
			if (n > 0) await new Promise((resolve) => setTimeout(resolve, 2_000));
		}
	};
`;

/** Seconds of the clip, and of each of its windows. */
const CLIP = 40;
const WINDOW = 2;

/** A picture that moves: the sun behind mountains, 854 x 480, as fragmented MP4 in windows. */
function film(folder) {
	const width = 1708;
	const ridge = (base, ...waves) => `(${base}${waves.map(([high, times, shift]) => `+${high}*sin(6.2832*${times}*X/${width}+${shift})`).join("")})`;
	const ridges = [
		ridge(250, [34, 2, 1], [16, 5, 2], [6, 13, 0]),
		ridge(305, [38, 3, 4], [14, 7, 1], [5, 17, 3]),
		ridge(375, [30, 2, 2.5], [12, 9, 0], [4, 23, 1]),
	];
	const height = "clip(Y/330,0,1)";
	const layers = (sky, sun, colours, glow) => {
		const behind = `if(lt(hypot(X-560,Y-196),44),${sun},clip(${sky}+${glow}*exp(-hypot(X-560,Y-196)/150),0,255))`;
		return ridges.reduce((behind, ridge, n) => `if(gt(Y,${ridge}),${colours[n]},${behind})`, behind);
	};
	const red = layers(`10+230*${height}*${height}`, 255, [`38+40*${height}`, 12, 5], 90);
	const green = layers(`58+110*${height}`, 228, [`112+40*${height}`, 62, 26], 50);
	const blue = layers(`74+50*${height}`, 170, [`118+20*${height}`, 70, 31], 0);
	const [still, clip] = [join(folder, "still.png"), join(folder, "clip.mp4")];
	const ffmpeg = (...args) => execFileSync("ffmpeg", ["-v", "error", "-y", ...args]);
	ffmpeg("-f", "lavfi", "-i", `color=black:s=${width}x480,format=gbrp,geq=r='${red}':g='${green}':b='${blue}'`, "-frames:v", "1", still);
	const coded = ["-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "main", "-level", "3.1", "-g", `${10 * WINDOW}`, "-sc_threshold", "0"];
	const parts = ["-movflags", "frag_keyframe+empty_moov+default_base_moof"];
	ffmpeg("-loop", "1", "-framerate", "10", "-i", still, "-t", `${CLIP}`, "-vf", "scroll=h=0.0012,crop=854:480:0:0,format=yuv420p", ...coded, "-an", ...parts, clip);
	return split(readFileSync(clip));
}

/** An initialisation segment, and windows: a moof with its mdat each. */
function split(file) {
	const [init, windows] = [[], []];
	for (let at = 0; at < file.length; ) {
		const size = file.readUInt32BE(at);
		const kind = file.toString("latin1", at + 4, at + 8);
		const box = file.subarray(at, at + size);
		if (kind === "moof") windows.push([box]);
		else if (kind === "mdat") windows.at(-1).push(box);
		else if (kind !== "mfra") init.push(box);
		at += size;
	}
	const codecs = init.map((box) => box.toString("latin1").indexOf("avcC") + 5).find((at) => at > 4);
	const moov = Buffer.concat(init);
	const at = moov.indexOf("avcC") + 5;
	return {init: moov, codecs: codecs && `avc1.${moov.subarray(at, at + 3).toString("hex")}`, windows: windows.map((boxes) => Buffer.concat(boxes))};
}

const TOKEN = parseAbi([
	"function balanceOf(address) view returns (uint256)",
	"function DOMAIN_SEPARATOR() view returns (bytes32)",
	"function authorizationState(address, bytes32) view returns (bool)",
	"function usdc() view returns (address)",
]);
const DOMAIN = [
	{name: "name", type: "string"},
	{name: "version", type: "string"},
	{name: "chainId", type: "uint256"},
	{name: "verifyingContract", type: "address"},
];

/** A wallet of EIP-1193 with one key, on an L2 of which it makes everything up. What it has and answers can be changed at any time. */
export function wallet(is = {}) {
	const it = {names: ["Example wallet"], connected: false, chain: CHAIN, code: "0x", has: 20_000_000n, spent: false, answer: () => {}, methods: [], ...is};
	const now = () => Math.floor(Date.now() / 1_000);
	const call = ([{data}]) => {
		const {functionName, args} = decodeFunctionData({abi: TOKEN, data});
		const separator = () => hashDomain({domain: {name: "USD Coin", version: "2", chainId: CHAIN, verifyingContract: USDC}, types: {EIP712Domain: DOMAIN}});
		const results = {balanceOf: () => it.has, DOMAIN_SEPARATOR: separator, authorizationState: () => it.spent, usdc: () => USDC};
		return encodeFunctionResult({abi: TOKEN, functionName, args, result: results[functionName]()});
	};
	it.request = async ({method, params = []}) => {
		it.methods.push(method);
		switch (method) {
			case "eth_requestAccounts":
				await it.answer(method);
				it.connected = true;
				return [owner.address];
			case "eth_accounts":
				return it.connected ? [owner.address] : [];
			case "eth_chainId":
				return toHex(it.chain);
			case "wallet_switchEthereumChain":
				it.chain = Number(params[0].chainId);
				return null;
			case "eth_getCode":
				return it.code;
			case "eth_getBlockByNumber":
				return {number: toHex(1_000), timestamp: toHex(now())};
			case "eth_getLogs":
				return [];
			case "eth_call":
				return call(params);
			case "eth_signTypedData_v4":
				await it.answer(method);
				return owner.signTypedData(JSON.parse(params[1]));
			default:
				throw Object.assign(new Error(`no ${method}`), {code: 4200});
		}
	};
	return it;
}

/** In the page: wallets that ask the test. */
function announce(names) {
	const provider = {
		async request(call) {
			const {result, error} = await window.askWallet(call);
			if (error) throw Object.assign(new Error(error.message), error);
			return result;
		},
		on() {},
	};
	const say = () => {
		for (const name of names) {
			const info = Object.freeze({uuid: crypto.randomUUID(), name, icon: "data:image/svg+xml,", rdns: `example.${name.length}`});
			dispatchEvent(new CustomEvent("eip6963:announceProvider", {detail: Object.freeze({info, provider: {...provider}})}));
		}
	};
	addEventListener("eip6963:requestProvider", say);
}

/** In the page: what its worker is told, the way to speak in its place, and all elements, those of the embedded player among them. */
function overhear() {
	const all = (root) => [...root.querySelectorAll("*")].flatMap((one) => [one, ...(one.shadowRoot === null ? [] : all(one.shadowRoot))]);
	window.elements = () => all(document.body);
	window.focused = () => {
		let one = document.activeElement;
		while (one?.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
		return one;
	};
	window.stage = () => window.elements().find(({id}) => id === "stage");
	window.told = [];
	new BroadcastChannel("worker-hears").onmessage = ({data}) => window.told.push(data);
	window.worker = new BroadcastChannel("worker-says");
}

export class Stand {
	/** What the relayer and the agent answer. */
	account = {free: "50000", deposit: "4210000", unlocking: null};
	head = 120_400;
	agent = {is: "there", state: "waiting"};
	#folder = mkdtempSync(join(tmpdir(), "gallery-"));
	#server;
	#browser;

	static async open(page = builtPage()) {
		const stand = new Stand();
		stand.film = film(stand.#folder);
		stand.page = page;
		stand.workers = readdirSync(join(page, "assets")).filter((name) => /^(worker|embedded)-.*\.js$/.test(name)).map((name) => `assets/${name}`);
		stand.#server = createServer((request, response) => stand.#answer(request, response));
		await new Promise((resolve) => stand.#server.listen(0, "127.0.0.1", resolve));
		stand.origin = `http://127.0.0.1:${stand.#server.address().port}`;
		const args = ["--disable-gpu", "--autoplay-policy=no-user-gesture-required"];
		stand.#browser = await chromium.launch({executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args});
		return stand;
	}

	async close() {
		await this.#browser?.close().catch(() => {});
		this.#server?.close();
		this.#server?.closeAllConnections();
		rmSync(this.#folder, {recursive: true, force: true});
	}

	#answer(request, response) {
		const {pathname} = new URL(request.url, this.origin);
		const say = (kind, body, status = 200) =>
			response.writeHead(status, {"content-type": kind, "content-security-policy": POLICY, "x-content-type-options": "nosniff", "cache-control": "no-store"}).end(body);
		const json = (what, status) => say(KINDS[".json"], JSON.stringify(what), status);
		const clip = /^\/clip\/(.+)$/.exec(pathname)?.[1];
		if (clip !== undefined) return say("video/mp4", clip === "init" ? this.film.init : this.film.windows[clip]);
		const way = /^\/(\d+)\/(.*)$/.exec(pathname);
		const flow = this.flows.get(way?.[1]);
		if (flow === undefined) return say("text/plain", "nothing here", 404);
		const path = way[2] === "" ? "index.html" : way[2];
		if (path === "deployment.json") return flow.wallet === undefined ? response.writeHead(204).end() : json(this.#deployment(way[1]));
		if (path === "relayer.json") return json({head: this.head});
		if (path.startsWith("account/")) return json(flow.account ?? this.account);
		if (path.startsWith("agent/v1/")) return this.#agent(flow, path.slice(9), json);
		if (this.workers.includes(path)) return say(KINDS[".js"], WORKER);
		const file = join(this.page, path);
		return file.startsWith(this.page) && existsSync(file) ? say(KINDS[extname(file)], readFileSync(file)) : say("text/plain", "no such file", 404);
	}

	#agent({agent}, path, json) {
		if (agent.is === "away") return json({code: "unavailable", message: "it syncs the L2 anew"}, 503);
		if (path === "terms") {
			const ours = {l2: CHAIN, vault: VAULT, usdc: USDC, genesis: GENESIS};
			return json({...ours, deposit: {fee: "12000"}, action: {tip: "4000"}, withdrawal: {fee: "30000"}});
		}
		return json({id: hex("1d", 32), state: agent.state});
	}

	#deployment(flow) {
		const agents = [`${this.origin}/${flow}/agent`];
		const token = {name: "USD Coin", version: "2"};
		return {name: "Base", chainId: CHAIN, rpcUrls: [], vault: VAULT, usdc: USDC, token, genesis: GENESIS, agents};
	}

	flows = new Map();

	/** The page, in a browser of its own; with a wallet, it is the page of a deployment. */
	async visit({wallet, path = "", ...other} = {}) {
		const name = String(this.flows.size + 1);
		this.flows.set(name, {wallet, agent: {is: "there", state: "waiting"}, ...other});
		const context = await this.#browser.newContext({viewport: {width: 1280, height: 800}, colorScheme: "light", reducedMotion: "reduce", locale: "en-GB"});
		const page = await context.newPage();
		const complaints = [];
		// What an agent refuses is told by the browser, too.
		const ours = (message) => !message.location().url.includes("/agent/");
		page.on("console", (m) => ["error", "warning"].includes(m.type()) && ours(m) && complaints.push(m.text()));
		page.on("pageerror", (error) => complaints.push(String(error)));
		await context.addInitScript(overhear);
		if (wallet !== undefined) {
			const answer = (call) => wallet.request(call).then((result) => ({result}), ({code, message}) => ({error: {code, message}}));
			await context.exposeFunction("askWallet", answer);
			await context.addInitScript(announce, wallet.names);
		}
		const visit = new Visit(page, this.flows.get(name), this.film, complaints);
		visit.address = `${this.origin}/${name}/${path}`;
		await page.goto(visit.address);
		return visit;
	}
}

/** One page that is looked at. */
export class Visit {
	constructor(page, flow, film, complaints) {
		Object.assign(this, {page, flow, film, complaints});
	}

	/** Says something in the worker's place. */
	say(...messages) {
		return this.page.evaluate((messages) => messages.forEach((message) => window.worker.postMessage(message)), messages);
	}

	/** What the worker is told, of this kind: the newest, once there is one that was not asked for before. */
	async told(kind) {
		const found = await this.page.waitForFunction((kind) => {
			const at = window.told.findIndex((one) => one.kind === kind);
			return at < 0 ? false : {found: window.told.splice(0, at + 1).at(-1)};
		}, kind);
		return (await found.evaluate(({found}) => found));
	}

	until(selector) {
		return this.page.locator(selector).first().waitFor({timeout: 30_000});
	}

	at(view) {
		return this.until(`#wallet[data-at="${view}"]`);
	}

	state(state) {
		return this.until(`#stage[data-state="${state}"]`);
	}

	/** By keyboard alone: goes there with the tabulator, and presses. */
	async press(selector, key = "Enter") {
		await this.focus(selector);
		await this.page.keyboard.press(key);
	}

	async focus(selector) {
		for (let steps = 0; steps < 60; steps++) {
			if (await this.page.evaluate((selector) => window.focused()?.matches(selector) ?? false, selector)) return;
			await this.page.keyboard.press("Tab");
		}
		throw new Error(`the tabulator does not reach ${selector}`);
	}

	/** By keyboard, in place of what is there. */
	async type(selector, text) {
		await this.focus(selector);
		await this.page.keyboard.press("Control+A");
		await this.page.keyboard.type(text);
	}

	close() {
		return this.page.context().close();
	}
}
