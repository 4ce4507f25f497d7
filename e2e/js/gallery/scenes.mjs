// The states of the page, each reached as a person reaches it: by what a relayer and its worker say, what a wallet answers, and keys that
// are pressed. A scene visits the page and looks at it under a name.
import {ACCOUNT, GENESIS, wallet} from "./stand.mjs";

const TITLE = "Dawn over the ridge, live";
const RELAYER = `0x${"9d41".repeat(16)}`;
const KEY = `0x${"71c3".repeat(16)}`;
const PROOF = `0x${"e20b".repeat(32)}`;
const NEXT = `0x${"48af".repeat(16)}`;
const PRICE = 20_000n;
const WEEK = 7 * 24 * 3_600_000;

const about = (price = PRICE) => ({kind: "about", title: TITLE, genesis: GENESIS, pricePerGb: price});
const state = (state, reason = "") => ({kind: "state", state, reason});
const session = (account, follows = false, key = KEY) => ({
	kind: "session", name: `${GENESIS}/${account}`, key, proof: PROOF, expiry: 422_800, until: Date.now() + WEEK, follows,
	sessions: follows ? 1 : 0, escrow: follows ? 5_000_000n : 0n, worth: 5_000_000n,
});
const authorised = (account, key = KEY) => ({kind: "authorised", name: `${GENESIS}/${account}`, key});
const money = (left, limit = 5_000_000n) => ({kind: "money", spent: limit - left, left, limit});
const digits = (bytes) => `0x${Buffer.from(bytes).toString("hex")}`;

/** The worker's part up to a picture; what pays is there. */
async function plays(visit, account = ACCOUNT, left = 4_612_000n) {
	await visit.say(about(), authorised(account), state("playing"), {kind: "terms", pricePerGb: PRICE});
	const {codecs, windows} = visit.film;
	await visit.say({kind: "sources", sources: [
		{key: `0x${"1f60".repeat(16)}`, bytes: 750_000, sends: false, left: "silent"},
		{key: RELAYER, bytes: 2_250_000, sends: true, left: undefined},
	]});
	await visit.say({kind: "clip", codecs, title: TITLE, windows: windows.length, bytes: 375_000}, money(left));
	await visit.page.waitForFunction(() => window.stage().querySelector("video").currentTime > 0.3, undefined, {timeout: 20_000});
	await visit.until("#live-badge:visible");
}

/** Somebody whose account the page knows from before. */
async function known(stand, options) {
	const visit = await stand.visit(options);
	await visit.told("watch");
	await visit.say(about(), state("needs-account"));
	await visit.state("needs-account");
	return visit;
}

/** By hand: an account is named. */
async function named(stand) {
	const visit = await known(stand);
	await visit.type("#account", ACCOUNT);
	await visit.press("#payer button");
	await visit.told("watch");
	return visit;
}

/** A wallet that is connected, whose owner is asked for a signature. */
async function asked(stand, is = {}, other = {}) {
	const purse = wallet({connected: true, ...is});
	const visit = await known(stand, {wallet: purse, ...other});
	await visit.at("connect");
	await visit.press("#wallet-do button");
	const watch = await accountAsked(visit);
	await visit.say(state("needs-session"), session(watch));
	return {visit, purse, account: watch};
}

/** Which account the page watches with, once a wallet said it. */
async function accountAsked(visit) {
	for (;;) {
		const bytes = await visit.page.waitForFunction(() => {
			const at = window.told.findIndex(({kind}) => kind === "watch");
			if (at < 0) return false;
			const [{account}] = window.told.splice(at, 1);
			return {account: account === undefined ? null : Array.from(account)};
		});
		const {account} = await bytes.jsonValue();
		if (account !== null) return digits(account);
	}
}

/** A question that a wallet answers once it is told to. */
function question() {
	let answer, refuse;
	const answered = new Promise((resolve, reject) => ([answer, refuse] = [resolve, reject]));
	// It may be answered before it is asked.
	answered.catch(() => {});
	return {answered, answer, refuse};
}

/** Each is one page from its opening on: a name, and what happens. `look` is given the name of what is to be seen. */
export const SCENES = [
	["a page that opens", async (stand, look) => {
		const visit = await stand.visit();
		await visit.told("watch");
		await visit.state("connecting");
		await look(visit, "connecting");
		await visit.say(state("no-relayer", "The relayer does not answer."));
		await visit.state("no-relayer");
		await look(visit, "no-relayer");
		await visit.say(about(), state("needs-account"));
		await visit.state("needs-account");
		await look(visit, "needs-account");
		// What is no account is said where it was typed.
		await visit.type("#account", "0x12");
		await visit.press("#payer button");
		await visit.until("#account[aria-invalid='true']");
		await look(visit, "no-account");
		return visit;
	}],
	["who pays by hand", async (stand, look) => {
		const visit = await named(stand);
		await visit.say(about(), session(ACCOUNT), state("needs-session"));
		await visit.state("needs-session");
		await look(visit, "needs-session");
		await visit.say(about(150_000n), {kind: "asks", pricePerGb: 150_000n}, state("dear"));
		await visit.state("dear");
		await look(visit, "dear");
		await visit.press("#accept");
		const {maxPricePerGb} = await visit.told("watch");
		if (maxPricePerGb !== 150_000n) throw new Error(`${maxPricePerGb} is accepted, and not what was shown`);
		await plays(visit);
		await look(visit, "playing");
		await visit.page.keyboard.press("s");
		await visit.until("#overlay:visible");
		await look(visit, "figures");
		await visit.page.keyboard.press("s");
		await visit.say(state("paused"));
		await visit.state("paused");
		await look(visit, "paused");
		await visit.say(state("absent"));
		await visit.state("absent");
		await look(visit, "absent");
		await visit.say(state("ended"));
		await visit.state("ended");
		await look(visit, "ended");
		return visit;
	}],
	["a viewer who stops, and whose limit runs out", async (stand, look) => {
		const visit = await named(stand);
		await plays(visit, ACCOUNT, 380_000n);
		await look(visit, "low");
		await visit.press("#top-up");
		await visit.told("succeed");
		await visit.say(session(ACCOUNT, true, NEXT));
		await visit.until("#authorise:visible");
		await look(visit, "follows");
		await visit.press("#play");
		await visit.told("leave");
		await visit.say(state("stopped"));
		await visit.state("stopped");
		await look(visit, "stopped");
		await visit.page.keyboard.press("k");
		await visit.told("watch");
		await visit.say(money(0n), state("no-money"));
		await visit.state("no-money");
		await look(visit, "no-money");
		return visit;
	}],
	["what cannot be watched", async (stand, look) => {
		const visit = await stand.visit();
		await visit.told("watch");
		await visit.say(about(), state("fault", "A chunk is not what the broadcaster signed."));
		await visit.state("fault");
		await look(visit, "fault");
		await visit.say(state("refused", "The relayer asks for another account than it has registered."));
		await visit.state("refused");
		await look(visit, "refused");
		await visit.say(state("other-tab"));
		await visit.state("other-tab");
		await look(visit, "other-tab");
		await visit.say({kind: "init", codecs: "av99.0", title: TITLE, data: new Uint8Array(8)});
		await visit.state("unsupported");
		await look(visit, "unsupported");
		return visit;
	}],
	["no wallet in the browser", async (stand, look) => {
		const visit = await known(stand, {wallet: wallet({names: []})});
		await visit.at("no-wallet");
		await look(visit, "no-wallet");
		return visit;
	}],
	["a wallet that is asked who it is, on another network, with another kind of account", async (stand, look) => {
		const asking = question();
		const purse = wallet({names: ["Example wallet", "Another wallet"], chain: 1, code: "0xef0100", answer: () => asking.answered});
		const visit = await known(stand, {wallet: purse});
		await visit.until("#wallet[data-at='connect'] #wallet-do button:nth-child(2)");
		await look(visit, "connect");
		await visit.press("#wallet-do button");
		await visit.at("connecting");
		await look(visit, "connecting-wallet");
		asking.answer();
		const account = await accountAsked(visit);
		await visit.say(state("needs-session"), session(account));
		await visit.at("wrong-chain");
		await look(visit, "wrong-chain");
		await visit.press("#wallet-do button");
		await visit.at("has-code");
		await look(visit, "has-code");
		return visit;
	}],
	["a wallet with too little, and agents that are away", async (stand, look) => {
		const {visit, purse} = await asked(stand, {has: 2_400_000n});
		await visit.at("poor");
		await look(visit, "poor");
		visit.flow.agent.is = "away";
		await visit.press("#wallet-do button");
		await visit.at("no-agent");
		await look(visit, "no-agent");
		visit.flow.agent.is = "there";
		purse.has = 20_000_000n;
		await visit.press("#wallet-do button");
		await visit.at("review");
		await visit.type("#limit", "70");
		await visit.until("#limit[aria-invalid='true']");
		await look(visit, "no-limit");
		return visit;
	}],
	["one signature, from the offer to the picture", async (stand, look) => {
		let signing = question();
		const {visit, purse, account} = await asked(stand, {answer: (method) => method === "eth_signTypedData_v4" && signing.answered});
		await visit.at("review");
		await look(visit, "review");
		await visit.press("#wallet-do button");
		await visit.at("signing");
		await look(visit, "signing");
		signing.refuse({code: 4001, message: "User rejected the request."});
		await visit.until("#wallet[data-at='review'] #wallet-note:not(:empty)");
		await look(visit, "refused-by-wallet");
		signing = question();
		signing.answer();
		await visit.press("#wallet-do button");
		const at = async (stage, name) => {
			await visit.page.waitForFunction((text) => document.querySelector("#stages [aria-current]")?.textContent === text, stage);
			await look(visit, name);
		};
		await at("Signed, once", "handed-signed");
		visit.flow.agent.state = "sent";
		await at("Sent to the network", "handed-sent");
		[visit.flow.agent.state, purse.spent] = ["onL2", true];
		await at("In a block", "handed-in-a-block");
		visit.flow.agent.state = "attested";
		await at("Attested by the validators", "handed-attested");
		visit.flow.agent.state = "usable";
		await at("Usable: the picture starts", "handed-usable");
		await plays(visit, account);
		await look(visit, "playing-by-wallet");
		return visit;
	}],
	["a deposit that nobody credits, and a wallet that went elsewhere", async (stand, look) => {
		const {visit, purse} = await asked(stand);
		await visit.at("review");
		await visit.press("#wallet-do button");
		await visit.at("handed");
		purse.chain = 1;
		await visit.until("#wallet[data-at='handed'] #wallet-do button");
		await look(visit, "handed-blind");
		[purse.chain, purse.spent, visit.flow.agent.state] = [8453, true, "stranded"];
		await visit.at("failed");
		// Nothing is on its way any more.
		await visit.until("#headline:text('Waiting for a signature')");
		await look(visit, "failed");
		return visit;
	}],
	["a purse that runs low, and what is left comes back", async (stand, look) => {
		const other = {account: {free: "50000", deposit: "4210000", unlocking: null}};
		const {visit, account} = await asked(stand, {}, other);
		await visit.at("review");
		await plays(visit, account, 400_000n);
		await visit.press("#top-up");
		await visit.told("succeed");
		await visit.say(session(account, true, NEXT));
		await visit.at("review");
		await visit.until("#wallet:visible");
		await look(visit, "top-up");
		await visit.say(authorised(account, NEXT), money(4_980_000n));
		await visit.press("#back summary");
		const again = async (holdings, words, name) => {
			visit.flow.account = holdings;
			await visit.press("#back summary");
			await visit.press("#back summary");
			await visit.page.waitForFunction((words) => document.getElementById("back-say").textContent.includes(words), words);
			await look(visit, name);
		};
		await again(other.account, "40 minutes after", "back-ask");
		await again({free: "50000", deposit: "4210000", unlocking: {amount: "4210000", unlocksAt: stand.head + 900}}, "comes out in", "back-wait");
		await again({free: "50000", deposit: "4210000", unlocking: {amount: "4210000", unlocksAt: stand.head}}, "can be taken out now", "back-collect");
		await again({free: "4256000", deposit: "0", unlocking: null}, "own address", "back-withdraw");
		await again({free: "0", deposit: "0", unlocking: null}, "Nothing is left", "back-empty");
		return visit;
	}],
	["a page that is asked for while nothing is reached", async (stand, look) => {
		const visit = await stand.visit();
		await visit.told("watch");
		// What is kept for it, and nothing else.
		await visit.page.waitForFunction(() => navigator.serviceWorker.ready.then(({active}) => active?.state === "activated"));
		const kept = await visit.page.evaluate(async () => {
			const all = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
			return all.flat().map(({url}) => url.split("/").at(-1).replace(/-[^-]*\./, "."));
		});
		if (kept.sort().join() !== "mark.svg,offline.css,offline.html") throw new Error(`it keeps ${kept}`);
		await visit.page.context().setOffline(true);
		await visit.page.reload();
		await visit.until("a.button");
		await look(visit, "offline");
		// And is there again, with the same address, once it is reached.
		await visit.page.context().setOffline(false);
		await visit.press("a.button");
		await visit.told("watch");
		return visit;
	}],
	["a player in a frame", async (stand, look) => {
		const visit = await stand.visit({path: "embed.html?stream=7"});
		await visit.told("watch");
		await visit.say(about(), state("needs-account"));
		await visit.state("needs-account");
		await look(visit, "framed-needs-account");
		await visit.press("#by-hand summary");
		await visit.type("#account", ACCOUNT);
		await visit.press("#payer button");
		await visit.told("watch");
		await visit.say(session(ACCOUNT), state("needs-session"));
		await visit.state("needs-session");
		await look(visit, "framed-needs-session");
		await visit.say({kind: "asks", pricePerGb: 150_000n}, state("dear"));
		await visit.state("dear");
		await look(visit, "framed-dear");
		await visit.press("#accept");
		await visit.told("watch");
		await plays(visit);
		await look(visit, "framed-playing");
		await visit.page.keyboard.press("s");
		await visit.until("#overlay:visible");
		await look(visit, "framed-figures");
		await visit.page.keyboard.press("s");
		await visit.press("#play");
		await visit.told("leave");
		await visit.say(state("stopped"));
		await visit.state("stopped");
		await look(visit, "framed-stopped");
		return visit;
	}],
];

/** A page that plays, paid by hand. */
export async function playing(stand) {
	const visit = await named(stand);
	await plays(visit);
	return visit;
}
