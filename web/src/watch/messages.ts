// What the page and its worker tell each other.

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

export interface Watch {
	kind: "watch";
	/** Stream key; the relayer's first where none is named. */
	stream: bigint | undefined;
	/** Who pays; 32 bytes. */
	account: Uint8Array | undefined;
	/** That the viewer accepts, micro-USDC per 10^9 bytes. */
	maxPricePerGb: bigint;
	/** Host that the page came from. */
	host: string;
	/** Of the page: where its files are. */
	base: string;
}

export type ToWorker = Watch | {kind: "leave"};

export type FromWorker =
	| {kind: "state"; state: State; reason: string}
	| {kind: "about"; title: string; relayer: string}
	| {kind: "session"; key: string; proof: string; expiry: number}
	| {kind: "init"; codecs: string; title: string; data: ArrayBuffer}
	| {kind: "window"; epoch: number; startMs: number; durationMs: number; bytes: number; data: ArrayBuffer}
	| {kind: "rejected"; count: number}
	| {kind: "terms"; pricePerGb: bigint}
	| {kind: "money"; spent: bigint; left: bigint}
	/** It asks more than is accepted: so much, micro-USDC per 10^9 bytes. */
	| {kind: "asks"; pricePerGb: bigint};
