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
	| {kind: "purse"; left: bigint}
	| {kind: "init"; codecs: string; title: string; data: ArrayBuffer}
	| {kind: "window"; epoch: number; startMs: number; durationMs: number; bytes: number; data: ArrayBuffer}
	| {kind: "rejected"; count: number}
	| {kind: "terms"; pricePerGb: bigint}
	| {kind: "paid"; spent: bigint; left: bigint};
