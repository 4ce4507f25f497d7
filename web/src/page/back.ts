// The part of the page about the way back: what is left, and what comes next.
import {go, price, step, type Going, type Holdings, type Price, type Step} from "../wallet/back.ts";
import type {Payment} from "../wallet/payment.ts";
import {el} from "./dom.ts";
import {address, sum, time} from "./format.ts";

/** Of the chain, seconds. */
const BLOCK = 2;

interface Told {
	free: string;
	deposit: string;
	unlocking: {amount: string; unlocksAt: number} | null;
}

async function told<T>(path: string): Promise<T> {
	const answer = await fetch(new URL(path, location.href), {cache: "no-store"});
	if (!answer.ok) throw new Error(`The relayer answers ${answer.status}.`);
	return (await answer.json()) as T;
}

/** What there is, what comes next, and what that costs; none where no agent says. */
interface Look {
	next: Step;
	head: number;
	holdings: Holdings;
	asks: Price | undefined;
}

export class BackPanel {
	readonly #say = el("p", {id: "back-say", role: "status"});
	readonly #note = el("p", {id: "back-note", class: "note", role: "alert"});
	readonly #button = el("button", {id: "back-go", type: "button", class: "quiet", hidden: true});
	readonly element = el("details", {id: "back", hidden: true}, el("summary", {}, "Take back what is left"), this.#say, this.#note, this.#button);
	/** What is drawn. */
	#going: Going | undefined;
	#busy = false;

	/** Whose account the page pays from, 32 bytes; undefined before anybody said. */
	constructor(
		private readonly payment: Payment,
		private readonly payer: () => string | undefined,
	) {
		this.element.addEventListener("toggle", () => this.element.open && void this.#look());
		this.#button.addEventListener("click", () => void this.#go());
	}

	/** Draws what there is and what can be pressed; again after what was pressed. */
	async #look(note = ""): Promise<void> {
		if (this.#busy) return;
		this.#going = undefined;
		const payer = this.payer();
		const name = `${this.payment.deployment.genesis}/${payer}`;
		if (payer === undefined || this.payment.owner?.name !== name) {
			return this.#draw("Connect the wallet that paid first.", undefined);
		}
		try {
			const look = await this.#see(payer);
			this.#going = going(look);
			this.#draw(...this.#words(look), note);
		} catch (error) {
			this.#draw(error instanceof Error ? error.message : String(error), undefined);
		}
	}

	async #see(payer: string): Promise<Look> {
		const asked = price(this.payment.deployment).catch(() => undefined);
		const [{head}, account, asks] = await Promise.all([told<{head: number}>("relayer.json"), told<Told>(`account/${payer}.json`), asked]);
		const {unlocking} = account;
		const holdings: Holdings = {
			free: BigInt(account.free),
			escrow: BigInt(account.deposit),
			unlocking: unlocking === null ? undefined : {amount: BigInt(unlocking.amount), at: unlocking.unlocksAt},
		};
		return {next: step(holdings, head, asks?.tip ?? 0n), head, holdings, asks};
	}

	/** What there is, and what can be pressed. */
	#words({next, holdings: {free, escrow}, asks}: Look): [string, string | undefined] {
		const there = `${sum(escrow)} are in escrow, ${sum(free)} beside it.`;
		if ("none" in next) return [next.none === "empty" ? "Nothing is left." : `${there} Less than 1 USDC behind the tips cannot be taken back.`, undefined];
		if ("wait" in next) return [`${there} It was asked for, and comes out in ${time(next.wait * BLOCK)}. Come back then.`, undefined];
		if (asks === undefined) return [`${there} No agent that submits messages can be reached.`, undefined];
		const tip = `The agent’s tip is ${sum(asks.tip)}`;
		switch (next.do) {
			case "Unlock":
				return [`${there} It comes out 40 minutes after you asked for it; from then on this browser pays with nothing. ${tip}.`, "Ask for it: sign once"];
			case "Collect":
				return [`${there} What you asked for can be taken out now. ${tip}.`, "Take it out of escrow: sign once"];
			case "Withdraw": {
				const to = address(this.payment.owner?.address ?? "");
				return [`${there} What is beside the escrow goes to your wallet’s own address, ${to}. ${tip}, and the fee on the L2 ${sum(asks.fee)}.`, "To my wallet: sign once"];
			}
		}
	}

	#draw(say: string, press: string | undefined, note = ""): void {
		this.#say.textContent = say;
		this.#note.textContent = note;
		this.#button.hidden = press === undefined;
		this.#button.textContent = press ?? "";
		this.#button.disabled = this.#busy;
	}

	async #go(): Promise<void> {
		const [shown, owner, payer] = [this.#going, this.payment.owner, this.payer()];
		if (this.#busy || shown === undefined || owner === undefined || payer === undefined) return;
		this.#busy = true;
		let note = "";
		try {
			this.#draw("Compare with what your wallet shows, and sign there. An agent submits it; some blocks later it is done.", "Waiting…");
			if (!(await this.payment.isThere())) throw new Error("The wallet is on another network.");
			// It may have been shown for long: what is signed is for the chain of now, and costs what was shown.
			const now = going(await this.#see(payer));
			if (now?.kind !== shown.kind || now.price.tip !== shown.price.tip || now.price.fee !== shown.price.fee) note = "It is not as it was shown any more. Look again.";
			else if (this.payment.owner?.name !== owner.name) note = "The wallet went to another account.";
			else if (["refused", "unknown"].includes(await go(now, owner, this.payment.deployment))) note = "It was not done in its time. You can sign again.";
		} catch (error) {
			note = error instanceof Error ? error.message : String(error);
		} finally {
			this.#busy = false;
		}
		await this.#look(note);
	}
}

/** What can be pressed. */
function going({next, head, holdings, asks}: Look): Going | undefined {
	return "do" in next && asks !== undefined ? {kind: next.do, price: asks, head, holdings} : undefined;
}
