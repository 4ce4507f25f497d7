// The part of the page about wallets: draws where the way from a wallet to a session key stands, and does what is pressed. The way back and the link
// to where wallets are asked are parts of it that stand elsewhere.
import {asking, isLoopback, parse, type Canonical, type Deployment} from "../wallet/deployment.ts";
import {limitOf, STAGES, type Stage} from "../wallet/handover.ts";
import {Payment, total, type Asked, type Offer, type View} from "../wallet/payment.ts";
import {BackPanel} from "./back.ts";
import {el, row} from "./dom.ts";
import {address, moment, short, sum, time} from "./format.ts";

/** What a stream of 480p takes, bytes a second: hours are reckoned with it before anything came. */
const USUAL_RATE = 1_500_000 / 8;

/** Between two digits of somebody who types, milliseconds. */
const TYPING = 300;

/** What each stage of a deposit says. */
const SAYS: Record<Stage, string> = {
	signed: "Signed, once",
	sent: "Sent to the network",
	onL2: "In a block",
	attested: "Attested by the validators",
	usable: "Usable: the picture starts",
};

/** What is shown before anything is signed: name, label, and whether it is money. */
const OFFERED: [string, string, boolean][] = [
	["origin", "Asked by", false],
	["payer", "Pays", false],
	["limit", "Limit", true],
	["spare", "Kept for the way back", true],
	["fee", "Fee of the agent", true],
	["until", "Until", false],
	["key", "Session key", false],
];

/** What is served beside a page of loopback; none where nothing is, or nothing that could be meant. */
async function beside(): Promise<Deployment | undefined> {
	try {
		const answer = await fetch(new URL("deployment.json", location.href), {cache: "no-store"});
		return answer.status === 200 ? parse(await answer.json(), isLoopback(location.hostname)) : undefined;
	} catch (error) {
		console.error("deployment.json:", error);
		return undefined;
	}
}

/** What its page is told. */
export interface Heard {
	/** A wallet is there, and this is its account; whether the page turns to it. */
	connected(account: string, prompted: boolean): boolean;
	/** Another key may be needed in place of this one. */
	replace(key: string, worth: bigint): void;
	/** Where it stands. */
	drawn(at: View["at"]): void;
	/** Whether a wallet is asked, and for what. */
	changed(): void;
}

export class WalletPanel {
	readonly element: HTMLElement;
	/** Of the way back; none where no wallet is asked. */
	back: BackPanel | undefined;
	readonly #there = el("a", {id: "canonical", rel: "noreferrer"}, "there");
	/** Where wallets are asked, on pages that ask none. */
	readonly elsewhere = el("p", {id: "elsewhere", class: "hint", hidden: true}, "Wallets are asked on one page alone: ", this.#there, " you watch with yours.");
	readonly #say = el("p", {id: "wallet-say", role: "status"});
	readonly #note = el("p", {id: "wallet-note", class: "note", role: "alert"});
	readonly #buttons = el("div", {id: "wallet-do"});
	readonly #limitField = el("input", {id: "limit", inputmode: "decimal", autocomplete: "off", value: "5", "aria-describedby": "limit-time"});
	readonly #limitTime = el("span", {id: "limit-time", class: "hint"});
	readonly #limitRow = el("div", {id: "limit-row"}, el("label", {for: "limit"}, "Spend at most"), el("span", {class: "amount"}, this.#limitField, " USDC"), this.#limitTime);
	readonly #offered = new Map(OFFERED.map(([name]) => [name, el("dd", {id: `offer-${name}`})]));
	readonly #agent = el("span", {id: "offer-agent"});
	readonly #offer = el("dl", {id: "offer", hidden: true});
	readonly #stages = el("ol", {id: "stages", hidden: true});
	#payment: Payment | undefined;
	#genesis: string | undefined;
	#price = 0n;
	#rate = USUAL_RATE;
	#view: View = {at: "no-wallet"};
	/** A key waits for a signature, or nobody has said yet who pays. */
	#wanted = false;
	#tops = false;
	#typing: ReturnType<typeof setTimeout> | undefined;

	private constructor(
		private readonly canonical: string | undefined,
		private readonly heard: Heard,
	) {
		for (const [name, label, isMoney] of OFFERED) this.#offer.append(row(name === "fee" ? this.#agent : label, this.#offered.get(name)!, isMoney ? "money" : ""));
		this.element = el("div", {id: "wallet", hidden: true}, this.#say, this.#limitRow, this.#offer, this.#stages, this.#note, this.#buttons);
		this.#limitField.addEventListener("input", () => this.#limit());
	}

	/** Where wallets may be asked: see deployment.ts. `payer` is whose account the page pays from. */
	static async open(compiled: Canonical | undefined, payer: () => string | undefined, heard: Heard): Promise<WalletPanel> {
		const may = await asking(location.origin, compiled, beside);
		const panel = new WalletPanel(may.may ? undefined : may.canonical, heard);
		if (may.may) {
			const connected = (account: string, prompted: boolean) => heard.connected(account, prompted);
			const replace = (key: string, worth: bigint) => heard.replace(key, worth);
			panel.#payment = new Payment(may.deployment, (view) => panel.#draw(view), connected, replace);
			panel.back = new BackPanel(panel.#payment, payer);
		}
		return panel;
	}

	/** Looks for wallets, once the page shows it. */
	start(): void {
		this.#payment?.start();
	}

	/** What the relayer says: of another chain no wallet is asked. */
	about(genesis: string, price: bigint): void {
		[this.#genesis, this.#price] = [genesis, price];
		this.#hours();
		this.#show();
	}

	/** What the stream takes, bytes a second. */
	set rate(rate: number) {
		if (rate > 0) this.#rate = rate;
	}

	/** Nobody has said yet who pays: a wallet may. */
	idle(): void {
		this.#wanted = true;
		this.#show();
		if (this.back !== undefined) this.back.element.hidden = true;
	}

	/** This key waits for its owner. */
	wants(asked: Asked, tops: boolean): void {
		[this.#wanted, this.#tops] = [true, tops];
		this.#show();
		if (this.offers) this.#payment?.wants(asked);
	}

	/** No key waits any more. */
	leave(): void {
		this.#wanted = false;
		this.#show();
		this.#payment?.wants(undefined);
	}

	/** This key may pay. Whether an order for another one, that was to follow, is under way. */
	async usable(name: string, key: string): Promise<boolean> {
		this.#wanted = false;
		const follows = (await this.#payment?.usable(name, key)) ?? false;
		this.#show();
		return follows;
	}

	/** Whether a wallet is asked here, for this relayer's chain. */
	get offers(): boolean {
		return this.#payment !== undefined && this.#payment.deployment.genesis === this.#genesis;
	}

	/** What it is about, as a heading. */
	get title(): string {
		if (!this.element.hidden) return this.#tops ? "Top up" : "Watch with your wallet";
		return this.#wanted ? "Who pays" : "What it costs";
	}

	#limit(): void {
		const limit = limitOf(this.#limitField.value);
		this.#limitField.setAttribute("aria-invalid", String(limit === undefined));
		// Who types is not interrupted, and agents are not asked for each digit.
		clearTimeout(this.#typing);
		this.#typing = setTimeout(() => {
			if (limit !== undefined && this.#payment !== undefined) this.#payment.limit = limit;
		}, TYPING);
		this.#hours();
		this.#draw(this.#view);
	}

	/** How long so much lasts at the stream's price, seconds. */
	lasts(micro: bigint): number {
		return (Number(micro) / Number(this.#price) / this.#rate) * 1e9;
	}

	#hours(): void {
		const limit = limitOf(this.#limitField.value);
		const lasts = () => (this.#price === 0n ? "" : `about ${time(this.lasts(limit!))} of this stream`);
		this.#limitTime.textContent = limit === undefined ? "Between 1 and 50 USDC." : lasts();
	}

	#show(): void {
		this.element.hidden = !(this.#wanted && this.offers);
		if (this.back !== undefined) this.back.element.hidden = !this.offers;
		const elsewhere = this.#wanted && !this.offers && this.canonical !== undefined;
		this.elsewhere.hidden = !elsewhere;
		if (elsewhere) this.#there.href = `${this.canonical}/${location.search}`;
		this.heard.changed();
	}

	#draw(view: View): void {
		this.#view = view;
		this.element.dataset.at = view.at;
		this.heard.drawn(view.at);
		const offer = "offer" in view ? view.offer : undefined;
		this.#offer.hidden = offer === undefined;
		if (offer !== undefined) this.#offers(offer);
		this.#limitRow.hidden = ["no-wallet", "handed", "signing", "has-code"].includes(view.at);
		this.#stages.hidden = view.at !== "handed";
		if (view.at === "handed") this.#reached(view.stage);
		const [say, note, ...buttons] = this.#words(view);
		this.#say.textContent = say;
		this.#note.textContent = note;
		this.#buttons.replaceChildren(...buttons.map(([text, act], first) => button(text, act, first > 0)));
	}

	/** What a view says, what went wrong, and what can be pressed. */
	#words(view: View): [string, string, ...[string, (() => unknown) | undefined][]] {
		const payment = this.#payment!;
		switch (view.at) {
			case "no-wallet":
				return ["There is no Ethereum wallet in this browser. An extension brings one, and so does the browser inside a wallet’s app.", "", ["Look again", () => location.reload()]];
			case "connect": {
				const one = view.wallets.length === 1;
				const say = "Pay with USDC: your wallet signs once, and needs no ether. Nothing is paid before you have seen what is signed.";
				return [say, view.note, ...view.wallets.map((name, number): [string, () => unknown] => [one ? "Watch with your wallet" : `Watch with ${name}`, () => payment.connect(number)])];
			}
			case "connecting":
				return ["Your wallet asks you.", "", ["Watch with your wallet", undefined]];
			case "wrong-chain":
				return [`Your wallet is on another network than ${view.chain}.`, view.note, [`Go to ${view.chain}`, () => payment.choose()]];
			case "has-code":
				return ["This address is a contract’s, or lets code run for it (EIP-7702).", "The chain follows signatures of plain keys alone: from a contract’s account the money could not be taken back. Choose another account in your wallet.", ["Try again", () => payment.again()]];
			case "poor":
				return [`There are ${sum(view.has)} on this address.`, `It takes ${sum(total(view.offer))}: choose a lower limit, or bring USDC to it.`, ["Try again", () => payment.again()]];
			case "no-agent":
				return ["Nobody who submits deposits can be reached.", view.why.join("; "), ["Try again", () => payment.again()]];
			case "review": {
				// What is pressed is what was typed.
				const valid = limitOf(this.#limitField.value) === view.offer.limit;
				const say = "One signature deposits this and lets this browser pay from it. What you do not watch stays yours.";
				return [say, view.note, [`Sign once: ${sum(total(view.offer))}`, valid ? () => payment.sign() : undefined]];
			}
			case "signing":
				return ["Compare with what your wallet shows, and sign there.", "", ["Waiting for your wallet…", undefined]];
			case "handed": {
				const say = "No further signature is needed. You may close this page and come back.";
				const {blind} = view;
				if (blind === undefined) return [say, view.why];
				return [say, `Your wallet shows this page nothing of ${blind}.`, [`Go to ${blind}`, () => payment.choose()]];
			}
			case "failed":
				return ["That did not work.", view.why, ["Try again", () => payment.again()]];
			case "done":
				return ["", ""];
		}
	}

	#offers({address: payer, limit, spare, fee, agent, until, key}: Offer): void {
		this.#agent.textContent = `Fee of ${agent}`;
		const said = {origin: location.origin, payer: address(payer), limit: sum(limit), spare: sum(spare), fee: sum(fee), until: moment(until), key: short(key)};
		for (const [name, text] of Object.entries(said)) this.#offered.get(name)!.textContent = text;
	}

	#reached(now: Stage): void {
		const at = STAGES.indexOf(now);
		const items = STAGES.map((stage, number) => {
			const item = document.createElement("li");
			item.textContent = SAYS[stage];
			item.dataset.is = number < at ? "done" : number === at ? "now" : "later";
			if (number === at) item.setAttribute("aria-current", "step");
			return item;
		});
		this.#stages.replaceChildren(...items);
	}
}

function button(text: string, act: (() => unknown) | undefined, quiet: boolean): HTMLButtonElement {
	const made = document.createElement("button");
	made.type = "button";
	made.textContent = text;
	made.disabled = act === undefined;
	if (quiet) made.className = "quiet";
	if (act !== undefined) made.addEventListener("click", () => void act());
	return made;
}

