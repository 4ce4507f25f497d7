// Which relayer is tried next, and how long one rests that was left. No network and no clock in here: times are milliseconds on the
// page's own clock, and what was right is web/core's to say.

/** Known by its key; the rest is what is said of it. */
export interface Relayer {
	/** Hexadecimal, as is the account. */
	key: string;
	account: string;
	/** Where its page is. */
	web: string;
	/** Micro-USDC per 10^9 bytes. */
	pricePerGb: bigint;
}

/** Why one was left, in a word. */
export type Why =
	/** It broke the protocol: never again. */
	| "lied"
	/** Its terms are not accepted: not while this page is open. */
	| "refused"
	/** It does not carry the stream. */
	| "absent"
	| "full"
	/** Windows that there are did not come. */
	| "silent"
	/** It passed windows over. */
	| "slow"
	/** It could not be reached, or the connection broke. */
	| "lost"
	/** It ended the subscription, or disagrees about the chain. */
	| "ended"
	/** It no longer has the window to go on behind. */
	| "gone";

/** What is remembered of one that was left, with the time until when it rests; for who lied there is no end. */
export interface Left {
	key: string;
	why: Why;
	until: number;
	failures: number;
}

export type Next =
	| {kind: "try"; relayer: Relayer}
	/** Nobody can be tried for so long. */
	| {kind: "wait"; ms: number}
	/** Whoever could be tried asks more than is accepted: this much, at least. */
	| {kind: "dear"; pricePerGb: bigint}
	/** Nobody has the window to go on behind: on with the newest. */
	| {kind: "live"}
	| {kind: "nobody"};

/** Rest after a first failure; doubles with each further one, up to the second. */
const REST = [1_000, 15_000] as const;
/** So long it counts that one failed. */
const REMEMBERED = 5 * 60_000;
/** One that is full is asked again: seats are given back within minutes. */
const FULL = 60_000;
/** One that does not carry the stream. */
const ABSENT = 10 * 60_000;
/** Where those that serve are late so often within this, one after the other, it is our own line, or the broadcaster: nobody is left for that. */
const TOGETHER = [3, 30_000] as const;
/** Nor within this after it. */
const PATIENT = 60_000;
/** So many windows passed over within this make one slow. */
const SKIPPED = [2, 30_000] as const;
/** Relayers that are kept in mind. */
const MOST = 64;

interface Candidate {
	relayer: Relayer;
	left: Left | undefined;
}

export class Roster {
	/** In the order of `#order`, of those that failed equally often. */
	#candidates: Candidate[] = [];
	/** When those that were left for it were late. */
	#late: number[] = [];
	#patientUntil = 0;
	/** Live was gone on with, and nobody has been paid since. */
	#live = false;
	/** When the present one passed windows over. */
	#skipped: number[] = [];

	/** `accepts`: most that is paid, micro-USDC per 10^9 bytes. `first`: who is preferred, as it serves this page. `tie`: an order of this
	    page's own, so that not all turn to the same one. `remembered`: of an earlier visit. */
	constructor(
		private readonly accepts: bigint,
		private readonly first: string,
		private readonly tie: (key: string) => number,
		private readonly remembered: Left[] = [],
	) {}

	/** They are known from now on, or what is said of them is another. */
	add(relayers: Relayer[], now: number): void {
		for (const relayer of relayers) {
			const known = this.#find(relayer.key);
			if (known !== undefined) known.relayer = relayer;
			else if (this.#candidates.length < MOST) {
				const left = this.remembered.find(({key, until}) => key === relayer.key && now < until);
				this.#candidates.push({relayer, left: left && {...left}});
			}
		}
		this.#order();
	}

	/** It asks so much now. */
	asks(key: string, pricePerGb: bigint): void {
		const known = this.#find(key);
		if (known === undefined) return;
		known.relayer = {...known.relayer, pricePerGb};
		this.#order();
	}

	next(now: number): Next {
		const ready = this.#ready(now);
		const gone = this.#candidates.filter(({left}) => left?.why === "gone");
		// Who failed is not asked for what others no longer have.
		const may = (candidate: Candidate) => candidate.relayer.pricePerGb <= this.accepts && (gone.length === 0 || failures(candidate, now) === 0);
		const first = ready.find(may);
		if (first !== undefined) return {kind: "try", relayer: first.relayer};
		if (gone.length > 0) {
			for (const candidate of gone) candidate.left = undefined;
			this.#live = true;
			return {kind: "live"};
		}
		const rest = this.#candidates.filter(({relayer, left}) => relayer.pricePerGb <= this.accepts && left && left.until < Infinity);
		if (rest.length > 0) return {kind: "wait", ms: Math.max(0, Math.min(...rest.map(({left}) => left!.until)) - now)};
		if (ready[0] !== undefined) return {kind: "dear", pricePerGb: ready[0].relayer.pricePerGb};
		return {kind: "nobody"};
	}

	/** What is said of it. */
	known(key: string): Relayer | undefined {
		return this.#find(key)?.relayer;
	}

	/** Who would be tried if this one is left: the first so many. */
	behind(key: string, count: number, now: number): Relayer[] {
		const others = this.#ready(now).filter(({relayer}) => relayer.key !== key && relayer.pricePerGb <= this.accepts);
		return others.slice(0, count).map(({relayer}) => relayer);
	}

	/** It was left for this; `paid`: it got a payment before. */
	report(key: string, why: Why, paid: boolean, now: number): void {
		this.#skipped = [];
		this.#live &&= !paid;
		// Who begins live asks for no window before.
		if (why === "gone" && this.#live) why = "ended";
		const known = this.#find(key);
		if (known === undefined) return;
		// Who serves and falls silent is forgiven by time alone: what comes now and then is of no use.
		const before = paid && why !== "silent" && why !== "slow" ? 0 : failures(known, now);
		known.left = {key, why, until: now + rest(why, before), failures: before + 1};
		this.#order();
	}

	/** Its next window is late: whether it is left for that, since somebody else is there and it is not all of them. `served`: it brought some. */
	late(key: string, served: boolean, now: number): boolean {
		if (this.behind(key, 1, now).length === 0) return false;
		if (!served) return true;
		if (now < this.#patientUntil) return false;
		const [most, within] = TOGETHER;
		this.#late = [...this.#late.filter((at) => now < at + within), now];
		if (this.#late.length >= most) this.#patientUntil = now + PATIENT;
		return this.#late.length < most;
	}

	/** It passed a window over: whether it is left for that. */
	skipped(key: string, now: number): boolean {
		const [most, within] = SKIPPED;
		this.#skipped = [...this.#skipped.filter((at) => now < at + within), now];
		return this.#skipped.length >= most && this.behind(key, 1, now).length > 0;
	}

	/** Who was left and why, as far as it counts still. */
	left(now: number): Left[] {
		return this.#candidates.flatMap(({left}) => (left !== undefined && now < left.until + REMEMBERED ? [left] : []));
	}

	#find(key: string): Candidate | undefined {
		return this.#candidates.find(({relayer}) => relayer.key === key);
	}

	/** Who may be tried, the best first. */
	#ready(now: number): Candidate[] {
		const ready = this.#candidates.filter(({left}) => left === undefined || (left.why !== "gone" && left.until <= now));
		return ready.sort((a, b) => failures(a, now) - failures(b, now));
	}

	/** The one that serves the page, then by price. */
	#order(): void {
		const place = ({relayer: {key, pricePerGb}}: Candidate): [number, number, number] => [
			key === this.first ? 0 : 1,
			Number(pricePerGb),
			this.tie(key),
		];
		this.#candidates.sort((a, b) => {
			const [one, other] = [place(a), place(b)];
			const at = one.findIndex((value, n) => value !== other[n]);
			return at < 0 ? 0 : one[at]! - other[at]!;
		});
	}
}

/** How often it failed of late. */
function failures({left}: Candidate, now: number): number {
	return left !== undefined && now < left.until + REMEMBERED ? left.failures : 0;
}

function rest(why: Why, failures: number): number {
	switch (why) {
		case "lied":
		case "refused":
			return Infinity;
		case "full":
			return FULL;
		case "absent":
			return ABSENT;
		default:
			return Math.min(REST[0] * 2 ** failures, REST[1]);
	}
}
