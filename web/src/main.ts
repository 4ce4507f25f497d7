// The page: has its parts draw what the worker says, and does what is pressed.
import {fromHex, toHex} from "./core/scale.ts";
import {accountOf, ByHand} from "./page/byhand.ts";
import {el, mark} from "./page/dom.ts";
import {sum, usdc} from "./page/format.ts";
import {Purse} from "./page/purse.ts";
import {Stage} from "./page/stage.ts";
import {startTheme} from "./page/theme.ts";
import {trusted} from "./page/trust.ts";
import {WalletPanel} from "./page/wallet.ts";
import {Client, obstacle, USUAL_PRICE} from "./watch/client.ts";
import {Feeder} from "./watch/feeder.ts";
import type {FromWorker, State} from "./watch/messages.ts";
import workerUrl from "./watch/worker.ts?worker&url";

/** Nobody waits for a wallet any more: what was asked for is asked again, or never. */
const LEFT: State[] = ["stopped", "refused", "fault", "other-tab"];
/** There is something to say about money. */
const PAYING: State[] = ["needs-account", "needs-session", "no-money", "dear", "stopped", "playing", "paused"];

const $ = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const place = new URL(location.href);

const stage = new Stage({
	start: () => watch(payer, accepts),
	stop: () => client.tell({kind: "leave"}),
	failed(state, why) {
		client.tell({kind: "leave"});
		show(state, why);
	},
});
const purse = new Purse(() => client.tell({kind: "succeed"}));
const byHand = new ByHand((account, text) => {
	localStorage.setItem("account", text);
	watch(account, USUAL_PRICE);
});
const accept = el("button", {id: "accept", type: "button", hidden: true});
$("watch").prepend(stage.element);
$("name").before(mark());
stage.actions.append(accept);
stage.keys(document);
startTheme($("theme"));

const client = new Client(
	new Worker(trusted(new URL(workerUrl, location.href).href), {type: "module"}),
	{base: new URL("./", location.href).href, stream: place.searchParams.get("stream")},
	hear,
	() => show("refused", "The page could not be loaded."),
);

/** What is drawn. */
let state: State = "connecting";
/** A key that follows the present one waits for its owner. */
let follows = false;
let money: {spent: bigint; left: bigint; limit: bigint} | undefined;
let payer: Uint8Array | undefined;
/** That would be accepted. */
let accepts = USUAL_PRICE;

function show(now: State, reason: string): void {
	state = now;
	document.documentElement.dataset.state = state;
	stage.show(state, reason);
	$("money").hidden = !PAYING.includes(state);
	accept.hidden = state !== "dear";
	if (state === "needs-account" || state === "needs-session") purse.element.hidden = true;
	drawByHand();
	if (state === "needs-account") panel.idle();
}

/** What is authorised without a wallet on this page. */
function drawByHand(): void {
	byHand.draw(state === "needs-account", state === "needs-session" || (follows && !panel.offers));
}

function drawPurse(): void {
	if (money === undefined) return;
	const {spent, left, limit} = money;
	purse.draw(spent, left, limit, panel.lasts(left), !panel.element.hidden);
}

function hear(message: FromWorker): void {
	stage.hear(message);
	switch (message.kind) {
		case "state":
			if (LEFT.includes(message.state)) {
				follows = false;
				panel.leave();
			}
			return show(message.state, message.reason);
		case "about":
			$("title").textContent = message.title;
			document.title = `${message.title} – ClusterCast`;
			$("about-price").textContent = `${sum(message.pricePerGb)} per GB`;
			$("facts").hidden = false;
			return panel.about(message.genesis, message.pricePerGb);
		case "session":
			byHand.key(message.key, message.proof, message.expiry);
			({follows} = message);
			panel.wants({...message, key: hex(message.key), proof: hex(message.proof)}, follows);
			drawByHand();
			return drawPurse();
		case "authorised":
			follows = false;
			drawByHand();
			void panel.usable(message.name, message.key).then((follows) => follows && client.tell({kind: "succeed"}));
			return;
		case "asks":
			accept.textContent = `Pay ${usdc(message.pricePerGb)} per GB`;
			accepts = message.pricePerGb;
			return;
		case "window":
			panel.rate = stage.rate;
			return drawPurse();
		case "money":
			money = message;
			return drawPurse();
	}
}

function watch(account: Uint8Array | undefined, maxPricePerGb: bigint): void {
	payer = account;
	stage.want();
	const why = obstacle(isSecureContext, Feeder.supported());
	if (why !== undefined) return show("unsupported", why);
	show("connecting", "");
	client.watch(account, maxPricePerGb);
}

/** As it is: from the worker, which writes nothing else. */
const hex = (text: string) => text as `0x${string}`;

/** Who pays, in digits. */
const paying = () => (payer === undefined ? undefined : toHex(payer));

/** A wallet is there. What was said before by hand is not overruled by one that nobody asked for. */
function connected(account: string, prompted: boolean): boolean {
	const is = paying();
	if (account === is || (!prompted && is !== undefined)) return false;
	localStorage.setItem("account", account);
	watch(fromHex(account), USUAL_PRICE);
	return true;
}

/** What was signed is on its way: the wallet is not waited for any more, unless that comes to nothing. */
function drawn(view: string): void {
	if (state !== "needs-session") return;
	if (view === "handed") stage.say("On its way", "Your deposit is signed. The picture starts by itself.");
	else stage.show(state, "");
}

accept.addEventListener("click", () => watch(payer, accepts));
if ("mediaSession" in navigator) {
	for (const action of ["play", "pause"] as const) navigator.mediaSession.setActionHandler(action, () => stage.toggle());
}
// Says that the page is offline, where it is; it is not waited for, and nothing is lost where a browser has none.
addEventListener("load", () => void navigator.serviceWorker?.register(trusted(new URL("sw.js", location.href).href)).catch(() => {}));
addEventListener("pagehide", () => client.tell({kind: "leave"}));

const known = localStorage.getItem("account") ?? "";
payer = accountOf(place.hash.slice(1)) ?? accountOf(known);
const panel = await WalletPanel.open(__DEPLOYMENT__ ?? undefined, paying, {
	connected,
	drawn,
	replace: (key, worth) => client.tell({kind: "replace", key, worth}),
	changed() {
		$("money-title").textContent = panel.title;
		// Where no wallet is asked it is the only way.
		byHand.element.open ||= !panel.offers;
	},
});
$("money").append(purse.element, panel.element, ...(panel.back === undefined ? [] : [panel.back.element]), panel.elsewhere, byHand.element);
panel.start();
byHand.account = known;
watch(payer, USUAL_PRICE);
