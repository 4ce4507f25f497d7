// The purse: what is spent of the limit, as money; what is left, as time.
import {isLow} from "../wallet/handover.ts";
import {el} from "./dom.ts";
import {sum, time, usdc} from "./format.ts";

export class Purse {
	readonly element: HTMLElement;
	readonly #used = el("strong", {id: "figure-used"}, "–");
	readonly #limit = el("span", {id: "figure-limit"});
	readonly #time = el("strong", {id: "figure-time"}, "–");
	readonly #bar = el("span");
	readonly #meter = el("div", {id: "purse-meter", role: "meter", "aria-valuemin": "0", "aria-valuemax": "100", "aria-label": "What is spent of the limit, per cent"}, this.#bar);
	readonly #low = el("div", {id: "low", hidden: true}, el("p", {}, "Less than a tenth is left."));

	/** `topUp` is done where it is pressed; nothing can be where there is none. */
	constructor(topUp?: () => void) {
		const sums = el("div", {class: "sum"}, el("p", {class: "lasts"}, "about ", this.#time, " left"), el("p", {}, this.#used, " ", this.#limit));
		this.element = el("div", {id: "purse", hidden: true}, sums, this.#meter, this.#low);
		if (topUp === undefined) return;
		const button = el("button", {id: "top-up", type: "button"}, "Top up");
		button.addEventListener("click", topUp);
		this.#low.append(button);
	}

	/** Micro-USDC; `lasts` is how long the rest does, seconds. */
	draw(spent: bigint, left: bigint, limit: bigint, lasts: number, asks: boolean): void {
		this.element.hidden = false;
		this.#used.textContent = usdc(spent);
		this.#limit.textContent = `of ${sum(limit)} spent`;
		this.#time.textContent = time(lasts);
		const part = limit === 0n ? 100 : Math.round(100 - (100 * Number(left)) / Number(limit));
		this.#meter.setAttribute("aria-valuenow", String(part));
		this.#bar.style.width = `${part}%`;
		this.#low.hidden = !isLow(left, limit) || asks;
	}
}
