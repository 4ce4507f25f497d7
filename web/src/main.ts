// The page: draws what the worker says, feeds the video, and does what is pressed.
import {fromHex, toHex} from "./core/scale.ts";
import {megabytes, rate, share, sum, time, usdc} from "./page/format.ts";
import {WalletPanel} from "./page/wallet.ts";
import {isLow} from "./wallet/handover.ts";
import {Feeder} from "./watch/feeder.ts";
import type {FromWorker, Source, State, ToWorker} from "./watch/messages.ts";
import type {Why} from "./watch/roster.ts";
import workerUrl from "./watch/worker.ts?worker&url";

/** Windows over which the bit rate is taken. */
const RATED = 5;

/** Accepted without a word, micro-USDC per 10^9 bytes: as the player has it. */
const USUAL_PRICE = 100_000n;

const $ = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const video = $<HTMLVideoElement>("video");
const feeder = new Feeder(video, (why) => {
	tell({kind: "leave"});
	show("refused", why);
});

interface Policy {
	createScriptURL(url: string): string;
}
interface Factory {
	createPolicy(name: string, rules: {createScriptURL(url: string): string}): Policy;
}

/** The worker's script is the one address that this page ever makes into code. */
function trusted(url: string): string {
	const factory = (globalThis as {trustedTypes?: Factory}).trustedTypes;
	const same = (asked: string) => {
		if (asked !== url) throw new TypeError("no script of this page");
		return asked;
	};
	return factory?.createPolicy("clustercast", {createScriptURL: same}).createScriptURL(url) ?? url;
}

// What each state says: a headline, and what to do.
const SAYS: Record<State, [string, string]> = {
	connecting: ["Connecting…", ""],
	"needs-account": ["Ready when you are", "Say below who pays. The picture starts by itself."],
	"needs-session": ["Waiting for your wallet", "It signs once, below. The picture starts by itself."],
	playing: ["", ""],
	paused: ["The broadcaster pauses", "The picture goes on by itself."],
	absent: ["Nothing is heard of the broadcaster", "The relayer is there, and waits as well."],
	ended: ["The broadcast is over", ""],
	"no-relayer": ["No relayer", "Trying again."],
	dear: ["It costs more than usual", "Say below whether you want to pay that."],
	stopped: ["Stopped", "Nothing comes and nothing is paid. Play goes on live."],
	"no-money": ["The deposit is used up", "Top it up, below."],
	refused: ["This cannot be watched here", ""],
	fault: ["The relayer broke the rules", "It is not paid any more, and nothing that it sent is shown."],
	"other-tab": ["It plays in another tab", "One tab at a time pays from a session key."],
	unsupported: ["This browser cannot watch here yet", "It needs WebTransport and MediaSource. Chrome, Edge and Firefox have both."],
};

/** Nobody waits for a wallet any more: what was asked for is asked again, or never. */
const LEFT: State[] = ["stopped", "refused", "fault", "other-tab"];

/** A key that follows the present one waits for its owner. */
let follows = false;

/** What is authorised without a wallet on this page. */
function byHand(): void {
	const state = document.documentElement.dataset.state;
	const waits = state === "needs-session" || (follows && !panel.offers);
	$("authorise").hidden = !waits;
	$("by-hand").hidden = !waits && state !== "needs-account";
}

function show(state: State, reason: string): void {
	document.documentElement.dataset.state = state;
	const [headline, detail] = SAYS[state];
	$("headline").textContent = headline;
	$("detail").textContent = [reason, detail].filter((text) => text !== "").join(" ");
	$("notice").hidden = headline === "";
	$("money").hidden = !["needs-account", "needs-session", "no-money", "dear", "stopped", "playing", "paused"].includes(state);
	const asks = state === "needs-account" || state === "needs-session";
	$("payer").hidden = state !== "needs-account";
	byHand();
	$("accept").hidden = state !== "dear";
	$("purse").hidden ||= asks;
	$("money-say").textContent = state === "needs-session" ? "Nothing is paid before the account's wallet has signed this." : "";
	if (state === "needs-account") panel.idle();
}

const windows: {bytes: number; seconds: number}[] = [];
let verified = 0;
let money: {spent: bigint; left: bigint; limit: bigint} | undefined;
let price = 0n;
let payer: Uint8Array | undefined;
/** That would be accepted. */
let accepts = USUAL_PRICE;

function bitRate(): number {
	const seconds = windows.reduce((sum, window) => sum + window.seconds, 0);
	return seconds === 0 ? 0 : (8 * windows.reduce((sum, window) => sum + window.bytes, 0)) / seconds;
}

/** Micro-USDC an hour, by the price and what comes. */
function perHour(): number {
	return (bitRate() / 8) * 3_600 * (Number(price) / 1e9);
}

/** What is spent of the limit, as money; what is left, as time. */
function purse(): void {
	if (money === undefined) return;
	const {spent, left, limit} = money;
	$("purse").hidden = false;
	$("figure-spent").textContent = usdc(spent);
	$("figure-used").textContent = usdc(spent);
	$("figure-limit").textContent = `of ${sum(limit)} spent`;
	$("figure-time").textContent = time(panel.lasts(left));
	$<HTMLMeterElement>("purse-meter").value = limit === 0n ? 1 : 1 - Number(left) / Number(limit);
	$("low").hidden = !isLow(left, limit) || !$("wallet").hidden;
}

function draw(): void {
	const lag = feeder.lag();
	$("figure-lag").textContent = lag === undefined ? "–" : `${lag.toFixed(1)} s`;
	const live = video.readyState > 2 && !video.paused && feeder.isLive();
	$("live-badge").hidden = !live;
	$("live").toggleAttribute("disabled", live);
	$("unmute").hidden = !(video.muted && !video.paused);
	$("play").textContent = video.paused ? "Play" : "Pause";
	$("mute").textContent = video.muted ? "Unmute" : "Mute";
}

/** What became of a relayer that was left. */
const LEFT_FOR: Record<Why, string> = {
	lied: "lied",
	refused: "asks what is not accepted",
	absent: "does not carry it",
	full: "full",
	silent: "fell silent",
	slow: "too slow",
	lost: "connection lost",
	ended: "ended it",
	gone: "does not have the next window",
};

/** A relayer, its share of what was verified, and what became of it. */
function drawn({key, bytes, sends, left}: Source, all: Source[]): HTMLLIElement {
	const line = document.createElement("li");
	line.dataset.key = key;
	line.classList.toggle("sends", sends);
	const verified = all.reduce((sum, source) => sum + source.bytes, 0);
	const part = bytes === 0 ? [] : [share(bytes, verified)];
	line.textContent = [`${key.slice(0, 10)}…`, ...part, ...(left === undefined || sends ? [] : [LEFT_FOR[left]])].join(" · ");
	return line;
}

function hear(message: FromWorker): void {
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
			price = message.pricePerGb;
			return panel.about(message.genesis, price);
		case "sources":
			$("sources").replaceChildren(...message.sources.map((source) => drawn(source, message.sources)));
			return;
		case "session": {
			$("session-key").textContent = message.key;
			$("session-proof").textContent = message.proof;
			$("session-expiry").textContent = String(message.expiry);
			({follows} = message);
			panel.wants({...message, key: hex(message.key), proof: hex(message.proof)}, follows);
			byHand();
			return purse();
		}
		case "authorised":
			follows = false;
			byHand();
			void panel.usable(message.name, message.key).then((follows) => follows && tell({kind: "succeed"}));
			return;
		case "asks":
			$("accept").textContent = `Pay ${usdc(message.pricePerGb)} per GB`;
			accepts = message.pricePerGb;
			return;
		case "terms":
			price = message.pricePerGb;
			$("figure-transport").textContent = "WebTransport";
			return;
		case "init":
			if (!Feeder.supported(message.codecs)) {
				tell({kind: "leave"});
				return show("unsupported", message.codecs);
			}
			feeder.init(message);
			if ("mediaSession" in navigator) navigator.mediaSession.metadata = new MediaMetadata({title: message.title, artist: "ClusterCast"});
			return;
		case "window":
			verified += message.bytes;
			windows.push({bytes: message.bytes, seconds: message.durationMs / 1_000});
			if (windows.length > RATED) windows.shift();
			$("figure-verified").textContent = megabytes(verified);
			$("figure-bitrate").textContent = rate(bitRate());
			$("figure-hour").textContent = usdc(Math.round(perHour()));
			panel.rate = bitRate() / 8;
			purse();
			return feeder.window(message);
		case "rejected":
			$("figure-rejected").textContent = String(message.count);
			return;
		case "money":
			money = message;
			return purse();
	}
}

const place = new URL(location.href);
// WebKit stops after a minute and a half of video (its bug 319818): it is told by what it is, not by what it calls itself.
const webkit = CSS.supports("font", "-apple-system-body");
const worker = new Worker(trusted(new URL(workerUrl, location.href).href), {type: "module"});
worker.onmessage = ({data}: MessageEvent<FromWorker>) => hear(data);
worker.onerror = () => show("refused", "The page could not be loaded.");
const tell = (message: ToWorker) => worker.postMessage(message);

function watch(account: Uint8Array | undefined, maxPricePerGb: bigint): void {
	const stream = place.searchParams.get("stream");
	payer = account;
	feeder.wanted = true;
	if (!isSecureContext) return show("unsupported", "This page came by http: it needs https.");
	if (webkit || typeof WebTransport === "undefined" || !Feeder.supported()) return show("unsupported", "");
	show("connecting", "");
	tell({
		kind: "watch",
		stream: stream !== null && /^\d+$/.test(stream) ? BigInt(stream) : undefined,
		account,
		maxPricePerGb,
		base: new URL("./", location.href).href,
	});
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

/** 32 bytes; undefined where it is none. */
function accountOf(text: string): Uint8Array | undefined {
	return /^(0x)?[0-9a-fA-F]{64}$/.test(text.trim()) ? fromHex(text.trim()) : undefined;
}

$("payer").addEventListener("submit", (event) => {
	event.preventDefault();
	const field = $<HTMLInputElement>("account");
	const account = accountOf(field.value);
	field.setAttribute("aria-invalid", String(account === undefined));
	if (account === undefined) return field.focus();
	localStorage.setItem("account", field.value.trim());
	watch(account, USUAL_PRICE);
});
$("top-up").addEventListener("click", () => tell({kind: "succeed"}));
$("accept").addEventListener("click", () => watch(payer, accepts));

/** What nobody watches is not paid: a pause ends the subscription, and goes on live. */
function toggle(): void {
	if (document.documentElement.dataset.state === "stopped") return watch(payer, accepts);
	if (video.paused) return feeder.play();
	feeder.pause();
	feeder.clear();
	tell({kind: "leave"});
}
const mute = () => (video.muted = !video.muted);
const full = () => void (document.fullscreenElement === null ? $("stage").requestFullscreen() : document.exitFullscreen()).catch(() => {});
const mini = () => void (document.pictureInPictureElement === null ? video.requestPictureInPicture() : document.exitPictureInPicture()).catch(() => {});
const live = () => (document.documentElement.dataset.state === "stopped" ? toggle() : feeder.play());
function figures(): void {
	const overlay = $("overlay");
	overlay.hidden = !overlay.hidden;
	$("figures").setAttribute("aria-pressed", String(!overlay.hidden));
}
function louder(by: number): void {
	video.volume = Math.min(1, Math.max(0, video.volume + by));
	if (by > 0) video.muted = false;
}

for (const [id, act] of Object.entries({play: toggle, mute, unmute: mute, live, figures, full, pip: mini})) $(id).addEventListener("click", act);
video.addEventListener("click", toggle);
$<HTMLInputElement>("volume").addEventListener("input", ({target}) => {
	video.volume = Number((target as HTMLInputElement).value) / 100;
	video.muted = false;
});
for (const event of ["play", "pause", "volumechange", "playing", "waiting"]) video.addEventListener(event, draw);
video.addEventListener("volumechange", () => ($<HTMLInputElement>("volume").value = String(Math.round(video.volume * 100))));
$("pip").hidden = !document.pictureInPictureEnabled;
$("full").hidden = !document.fullscreenEnabled;

const KEYS: Record<string, () => void> = {
	" ": toggle,
	k: toggle,
	m: mute,
	f: full,
	i: mini,
	l: live,
	s: figures,
	ArrowUp: () => louder(0.1),
	ArrowDown: () => louder(-0.1),
};
document.addEventListener("keydown", (event) => {
	const target = event.target as HTMLElement;
	const act = KEYS[event.key];
	// Fields and buttons have keys of their own.
	if (act === undefined || event.ctrlKey || event.metaKey || event.altKey || target.closest("input, button, output")) return;
	event.preventDefault();
	act();
});

if ("mediaSession" in navigator) {
	for (const action of ["play", "pause"] as const) navigator.mediaSession.setActionHandler(action, toggle);
}

const THEMES = ["", "light", "dark"];
function theme(name: string): void {
	if (name === "") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = name;
}
theme(localStorage.getItem("theme") ?? "");
$("theme").addEventListener("click", () => {
	const now = THEMES.indexOf(document.documentElement.dataset.theme ?? "");
	const next = THEMES[(now + 1) % THEMES.length] ?? "";
	localStorage.setItem("theme", next);
	theme(next);
});

addEventListener("pagehide", () => tell({kind: "leave"}));
setInterval(draw, 500);
const known = localStorage.getItem("account") ?? "";
payer = accountOf(place.hash.slice(1)) ?? accountOf(known);
const panel = await WalletPanel.open(__DEPLOYMENT__ ?? undefined, connected, paying, (key, worth) => tell({kind: "replace", key, worth}));
$<HTMLInputElement>("account").value = known;
watch(payer, USUAL_PRICE);
