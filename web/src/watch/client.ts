// The worker, as a page has it: what it is asked, and whether this browser can watch at all.
import type {FromWorker, ToWorker} from "./messages.ts";

/** Accepted without a word, micro-USDC per 10^9 bytes: as the player has it. */
export const USUAL_PRICE = 100_000n;

/** The relayer that is watched from, and what of it. */
export interface Place {
	/** Where the relayer says what it has, and ends with a slash. */
	base: string;
	/** Stream key, in digits; the relayer's first one where it is none. */
	stream: string | null;
}

/** Why nothing can be watched from here; undefined where it can. */
export function obstacle(isSecure: boolean, shows: boolean): string | undefined {
	if (!isSecure) return "This page came by http: it needs https.";
	// WebKit stops after a minute and a half of video (its bug 319818): it is told by what it is, not by what it calls itself.
	const webkit = CSS.supports("font", "-apple-system-body");
	return webkit || typeof WebTransport === "undefined" || !shows ? "" : undefined;
}

export class Client {
	constructor(
		private readonly worker: Worker,
		private readonly place: Place,
		hear: (message: FromWorker) => void,
		lost: () => void,
	) {
		worker.onmessage = ({data}: MessageEvent<FromWorker>) => hear(data);
		worker.onerror = lost;
	}

	tell(message: ToWorker): void {
		this.worker.postMessage(message);
	}

	/** Watches, as this account; whatever was watched before is over. */
	watch(account: Uint8Array | undefined, maxPricePerGb: bigint): void {
		const {base, stream} = this.place;
		this.tell({
			kind: "watch",
			stream: stream !== null && /^\d+$/.test(stream) ? BigInt(stream) : undefined,
			account,
			maxPricePerGb,
			base,
		});
	}

	/** Nothing is to come any more, nor is asked for. */
	end(): void {
		this.worker.terminate();
	}
}
