// <clustercast-player>: a stream in somebody else's page. It watches with a key of its own, which is authorised by hand or where it links
// to; it never asks a wallet, since what that is asked would be chosen by whoever has the page. README.md has attributes and events.
import {accountOf, ByHand} from "../../src/page/byhand.ts";
import {el} from "../../src/page/dom.ts";
import {usdc} from "../../src/page/format.ts";
import parts from "../../src/page/parts.css?inline";
import {SAYS, Stage, type Says} from "../../src/page/stage.ts";
import stageCss from "../../src/page/stage.css?inline";
import tokens from "../../src/page/tokens.css?inline";
import {trusted} from "../../src/page/trust.ts";
import {Client, obstacle, USUAL_PRICE} from "../../src/watch/client.ts";
import {Feeder} from "../../src/watch/feeder.ts";
import type {FromWorker, State} from "../../src/watch/messages.ts";
import workerUrl from "./embedded.ts?worker&url";
import own from "./player.css?inline";

/** Where the account is kept that somebody named here. */
const ACCOUNT = "clustercast-player account";
/** What came last may take so long to be paid when the element is taken away, milliseconds: as long as the worker gives it. */
const SETTLE = 4_000;

const EMBEDDED: Says = {
	...SAYS,
	"needs-account": ["Ready when you are", "Watch on its own page, or say who pays."],
	"needs-session": ["Waiting for a key", "Its owner authorises it, for 1 USDC at most: this page can spend it. The picture starts by itself."],
	"no-money": ["The deposit is used up", "It is topped up on its own page."],
};

/** What its events tell, by their names. */
export interface PlayerEvents {
	/** Where it stands, in a word, and why. */
	statechange: {state: State; reason: string};
	/** What is watched, and for how much: micro-USDC per 10^9 bytes. */
	title: {title: string; pricePerGb: bigint};
	/** A key that an account is to authorise, with its proof and until which block at most. */
	session: {account: string; key: string; proof: string; expiry: number};
	/** Micro-USDC, of the key that pays. */
	money: {spent: bigint; left: bigint; limit: bigint};
}

let sheets: CSSStyleSheet[] | undefined;

/** Parsed once for all players of a page. */
function styles(): CSSStyleSheet[] {
	sheets ??= [tokens, parts, stageCss, own].map((text) => {
		const sheet = new CSSStyleSheet();
		sheet.replaceSync(text);
		return sheet;
	});
	return sheets;
}

/** What this origin keeps; nothing where the browser gives frames of others none. */
function memory(): Storage | undefined {
	try {
		return localStorage;
	} catch {
		return undefined;
	}
}

/** USDC per GB as micro-USDC; what is usual where it is none. */
function priceOf(text: string | null): bigint {
	return text !== null && /^\d+(\.\d{1,6})?$/.test(text) ? BigInt(Math.round(Number(text) * 1e6)) : USUAL_PRICE;
}

export class ClusterCastPlayer extends HTMLElement {
	static readonly observedAttributes = ["stream", "relayer", "account"];
	#watching: Watching | undefined;

	connectedCallback(): void {
		this.#begin();
	}

	disconnectedCallback(): void {
		this.#end();
	}

	attributeChangedCallback(_name: string, before: string | null, now: string | null): void {
		if (this.#watching !== undefined && before !== now) this.#begin();
	}

	/** Where it stands. */
	get state(): State {
		return this.#watching?.state ?? "stopped";
	}

	/** Watches, if it does not. */
	play(): void {
		if (this.state === "stopped") this.#watching?.start();
	}

	/** What came is paid, and nothing more comes. */
	stop(): void {
		this.#watching?.stop();
	}

	#begin(): void {
		this.#end();
		const shadow = this.shadowRoot ?? this.attachShadow({mode: "open"});
		shadow.adoptedStyleSheets = styles();
		this.#watching = new Watching(this);
		shadow.replaceChildren(this.#watching.element);
		this.#watching.open();
	}

	#end(): void {
		this.#watching?.end();
		this.#watching = undefined;
	}
}

/** One stream of one relayer, from when its element says so until it says another. */
class Watching {
	readonly element: HTMLElement;
	state: State = "connecting";
	readonly #stage: Stage;
	#client: Client | undefined;
	readonly #accept = el("button", {type: "button", id: "accept", hidden: true});
	readonly #byHand: ByHand;
	readonly #elsewhere: HTMLAnchorElement;
	readonly #over = new AbortController();
	#account: Uint8Array | undefined;
	#accepts: bigint;

	constructor(private readonly of: ClusterCastPlayer) {
		this.#accepts = priceOf(of.getAttribute("max-price"));
		this.#stage = new Stage({start: () => this.start(), stop: () => this.stop(), failed: (state, why) => this.#failed(state, why)}, EMBEDDED);
		this.element = this.#stage.element;
		this.#stage.keys(of.getAttribute("keys") === "page" ? document : this.element, this.#over.signal);
		this.#byHand = new ByHand((account, text) => {
			memory()?.setItem(ACCOUNT, text);
			this.#watch(account);
		});
		this.#elsewhere = el("a", {id: "elsewhere", class: "button", target: "_blank", rel: "noopener noreferrer", hidden: true}, "Watch on its own page");
		this.#stage.actions.append(this.#accept, this.#elsewhere, this.#byHand.element);
		this.#accept.addEventListener("click", () => this.start());
	}

	/** Once its element shows it. */
	open(): void {
		const stream = this.of.getAttribute("stream");
		const relayer = base(this.of.getAttribute("relayer"));
		if (relayer === undefined) return this.#show("refused", "The attribute “relayer” is no address of http or https.");
		// Wallets are asked there, and nowhere else; where nobody said where that is, the relayer's own page.
		const there = new URL(__DEPLOYMENT__?.origin ?? relayer);
		if (stream !== null) there.searchParams.set("stream", stream);
		this.#elsewhere.href = there.href;
		const named = this.of.getAttribute("account") ?? memory()?.getItem(ACCOUNT) ?? "";
		this.#byHand.account = named;
		this.#account = accountOf(named);
		const why = obstacle(isSecureContext, Feeder.supported());
		if (why !== undefined) return this.#show("unsupported", why);
		const worker = new Worker(trusted(new URL(workerUrl, import.meta.url).href), {type: "module"});
		this.#client = new Client(worker, {base: relayer, stream}, (message) => this.#hear(message), () => this.#show("refused", "The player could not be loaded."));
		this.start();
	}

	start(): void {
		this.#watch(this.#account);
	}

	stop(): void {
		this.#client?.tell({kind: "leave"});
	}

	/** It is taken away: nothing is shown any more, and what came is still paid. */
	end(): void {
		this.stop();
		this.#over.abort();
		this.#stage.end();
		setTimeout(() => this.#client?.end(), SETTLE);
	}

	#watch(account: Uint8Array | undefined): void {
		this.#account = account;
		this.#stage.want();
		this.#show("connecting", "");
		this.#client?.watch(account, this.#accepts);
	}

	#failed(state: State, why: string): void {
		this.stop();
		this.#show(state, why);
	}

	#show(state: State, reason: string): void {
		this.state = state;
		this.#stage.show(state, reason);
		this.#accept.hidden = state !== "dear";
		this.#elsewhere.hidden = !["needs-account", "needs-session", "no-money"].includes(state);
		this.#byHand.draw(state === "needs-account", state === "needs-session");
		this.#byHand.element.open ||= state === "needs-session";
		this.#tell("statechange", {state, reason});
	}

	#hear(message: FromWorker): void {
		this.#stage.hear(message);
		switch (message.kind) {
			case "state":
				return this.#show(message.state, message.reason);
			case "about":
				return this.#tell("title", {title: message.title, pricePerGb: message.pricePerGb});
			case "session": {
				const {key, proof, expiry, name} = message;
				this.#byHand.key(key, proof, expiry);
				// Chain and account.
				return this.#tell("session", {account: name.slice(name.indexOf("/") + 1), key, proof, expiry});
			}
			case "asks":
				this.#accept.textContent = `Pay ${usdc(message.pricePerGb)} per GB`;
				this.#accepts = message.pricePerGb;
				return;
			case "money": {
				const {spent, left, limit} = message;
				return this.#tell("money", {spent, left, limit});
			}
		}
	}

	#tell<Name extends keyof PlayerEvents>(name: Name, detail: PlayerEvents[Name]): void {
		this.of.dispatchEvent(new CustomEvent(name, {detail, bubbles: true, composed: true}));
	}
}

/** A relayer's address, which ends with a slash; undefined where it is none. */
function base(text: string | null): string | undefined {
	if (text === null || !URL.canParse(text, document.baseURI)) return undefined;
	const {protocol, origin, pathname} = new URL(text, document.baseURI);
	return ["http:", "https:"].includes(protocol) ? `${origin}${pathname.replace(/\/?$/, "/")}` : undefined;
}

declare global {
	interface HTMLElementTagNameMap {
		"clustercast-player": ClusterCastPlayer;
	}
}

customElements.define("clustercast-player", ClusterCastPlayer);
