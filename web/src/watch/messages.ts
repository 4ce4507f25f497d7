// What the page and its worker tell each other.
import type {Why} from "./roster.ts";

/** Where the viewer stands, in one word: what the page draws. */
export type State =
	| "connecting"
	| "needs-account"
	| "needs-session"
	| "playing"
	| "paused"
	| "absent"
	| "ended"
	| "no-relayer"
	| "dear"
	| "stopped"
	| "no-money"
	| "refused"
	| "fault"
	| "other-tab"
	| "unsupported";

export interface Source {
	key: string;
	bytes: number;
	/** It sends now. */
	sends: boolean;
	/** Why it was left, as long as that counts. */
	left: Why | undefined;
}

export interface Watch {
	kind: "watch";
	/** Stream key; the relayer's first where none is named. */
	stream: bigint | undefined;
	/** Who pays; 32 bytes. */
	account: Uint8Array | undefined;
	/** That the viewer accepts, micro-USDC per 10^9 bytes. */
	maxPricePerGb: bigint;
	/** Of the page: where its files are. */
	base: string;
}

export type ToWorker =
	| Watch
	| {kind: "leave"}
	/** A key is wanted that follows the present one; it is gone over to once a wallet has authorised it. */
	| {kind: "succeed"}
	/** The deposit that brings this key is said to be done: another key is wanted, where the account is worth so much and does not have it. */
	| {kind: "replace"; key: string; worth: bigint};

export type FromWorker =
	| {kind: "state"; state: State; reason: string}
	| {kind: "about"; title: string; genesis: string; pricePerGb: bigint}
	/** Who brought how many verified bytes, and who was left: by their keys, in the order in which they were met. */
	| {kind: "sources"; sources: Source[]}
	/** A key that a wallet is to authorise: for the name under which it is kept, until this block, which comes about then (ms). It may
	    follow one that pays. The account has so many keys, and so much in escrow, and is worth that: micro-USDC. */
	| {
			kind: "session";
			name: string;
			key: string;
			proof: string;
			expiry: number;
			until: number;
			follows: boolean;
			sessions: number;
			escrow: bigint;
			worth: bigint;
	  }
	/** The key that is kept under this name may pay. */
	| {kind: "authorised"; name: string; key: string}
	| {kind: "init"; codecs: string; title: string; data: ArrayBuffer}
	| {kind: "window"; epoch: number; startMs: number; durationMs: number; bytes: number; data: ArrayBuffer}
	| {kind: "rejected"; count: number}
	| {kind: "terms"; pricePerGb: bigint}
	| {kind: "money"; spent: bigint; left: bigint; limit: bigint}
	/** It asks more than is accepted: so much, micro-USDC per 10^9 bytes. */
	| {kind: "asks"; pricePerGb: bigint};
