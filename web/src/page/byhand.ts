// Paying without a wallet on this page: whose deposit it is, and which key its owner is to authorise, by whatever means.
import {fromHex} from "../core/scale.ts";
import {el, row} from "./dom.ts";

/** 32 bytes; undefined where it is none. */
export function accountOf(text: string): Uint8Array | undefined {
	return /^(0x)?[0-9a-fA-F]{64}$/.test(text.trim()) ? fromHex(text.trim()) : undefined;
}

export class ByHand {
	readonly element: HTMLDetailsElement;
	readonly #say = el("p", {id: "money-say"});
	readonly #account = el("input", {
		id: "account",
		name: "account",
		autocomplete: "off",
		spellcheck: "false",
		inputmode: "text",
		placeholder: "0x…",
		"aria-describedby": "account-wrong account-hint",
	});
	readonly #wrong = el("p", {id: "account-wrong", class: "note", role: "alert"});
	readonly #form: HTMLFormElement;
	readonly #key = el("output", {id: "session-key"});
	readonly #proof = el("output", {id: "session-proof"});
	readonly #expiry = el("output", {id: "session-expiry"});
	readonly #authorise = el("dl", {id: "authorise", hidden: true});

	/** `pays` is told which account, once it is one. */
	constructor(pays: (account: Uint8Array, text: string) => void) {
		const hint = "32 bytes as hexadecimal digits. Its wallet authorises a key that stays in this browser; the key itself cannot be read.";
		this.#form = el(
			"form",
			{id: "payer"},
			el("label", {for: "account"}, "Account that holds the deposit"),
			this.#account,
			this.#wrong,
			el("p", {id: "account-hint", class: "hint"}, hint),
			el("button", {type: "submit", class: "quiet"}, "Go on"),
		);
		this.#authorise.append(row("Session key", el("dd", {}, this.#key)), row("Proof for this account", el("dd", {}, this.#proof)), row("Good until block, at most", el("dd", {}, this.#expiry)));
		this.element = el("details", {id: "by-hand", hidden: true}, el("summary", {}, "Pay by hand, without a wallet"), this.#say, this.#form, this.#authorise);
		this.#form.addEventListener("submit", (event) => {
			event.preventDefault();
			const account = accountOf(this.#account.value);
			this.#account.setAttribute("aria-invalid", String(account === undefined));
			this.#wrong.textContent = account === undefined ? "That is no account: it has 64 digits, 0 to 9 and a to f." : "";
			if (account === undefined) return this.#account.focus();
			pays(account, this.#account.value.trim());
		});
	}

	/** What is typed already. */
	set account(text: string) {
		this.#account.value = text;
	}

	/** What its owner's wallet is to authorise. */
	key(key: string, proof: string, expiry: number): void {
		this.#key.textContent = key;
		this.#proof.textContent = proof;
		this.#expiry.textContent = String(expiry);
	}

	/** Whether an account is asked for, and whether a key waits for its owner. */
	draw(asks: boolean, waits: boolean): void {
		this.#form.hidden = !asks;
		this.#authorise.hidden = !waits;
		this.element.hidden = !waits && !asks;
		this.#say.textContent = waits ? "Nothing is paid from this key before the account’s wallet has signed this." : "";
	}
}
