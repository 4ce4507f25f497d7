// Handing what a wallet signed to agents: which of them, for how much, who is next, and when another signature may be asked for. No
// network and no clock in here. Nobody is paid twice, since all are given the same bytes, of which the L2 takes one. The command line
// has the same rules (bridge/src/handover.rs).
import type {Hex} from "viem";
import type {SignedDeposit} from "../bridge/deposit.ts";
import type {Deployment} from "./deployment.ts";

/** What is read of an agent's terms. */
export interface Terms {
	l2: number;
	vault: Hex;
	usdc: Hex;
	genesis: Hex;
	deposit: {fee: string};
	/** For messages to the chain; null where none are taken. */
	action?: {tip: string} | null;
	withdrawal?: {fee: string};
}

/** Most that an agent is paid, micro-USDC: far above what one asks on a bad day. */
export const MAX_FEE = 100_000n;
/** How long an authorisation is good, seconds: so long one waits at most before another may be signed. */
export const VALIDITY = 900n;
/** How long an agent has before the next is given the same bytes, milliseconds. */
export const PATIENCE = 20_000;
/** Between two rounds through all agents, milliseconds: some refuse for a while only. */
export const ROUND = 15_000;

/** Who is turned to, in the order given, and what is signed for all of them. */
export interface Plan {
	/** What the first of them asks, micro-USDC. Nobody earns more because somebody else is dear. */
	fee: bigint;
	agents: string[];
	/** The others, and why. */
	passed: [string, string][];
}

/** Whether they are the same in hexadecimal digits, whatever their capitals. */
export const same = (a: unknown, b: string) => typeof a === "string" && a.toLowerCase() === b.toLowerCase();

function judge(terms: Terms | Error, of: Deployment): bigint | string {
	if (terms instanceof Error) return terms.message;
	// An agent that names another vault would be paid itself.
	const ours = terms.l2 === of.chainId && same(terms.vault, of.vault) && same(terms.usdc, of.usdc) && same(terms.genesis, of.genesis);
	if (!ours) return "it serves another bridge";
	const asks = terms.deposit?.fee;
	if (typeof asks !== "string" || !/^\d{1,30}$/.test(asks)) return "it does not say what it asks";
	return BigInt(asks);
}

/** Chooses among agents by what they answered. */
export function plan(answers: [string, Terms | Error][], of: Deployment, most = MAX_FEE): Plan {
	const chosen: Plan = {fee: 0n, agents: [], passed: []};
	for (const [agent, terms] of answers) {
		const asks = judge(terms, of);
		if (typeof asks === "string") chosen.passed.push([agent, asks]);
		else if (asks > most) chosen.passed.push([agent, "it asks more than is paid"]);
		else {
			if (chosen.agents.length === 0) chosen.fee = asks;
			chosen.agents.push(agent);
		}
	}
	return chosen;
}

/** What the L2 says of something that was signed; undefined where it was not asked or did not answer. */
export interface Facts {
	/** The token took the authorisation, or its owner cancelled it: nobody can use it any more. */
	spent: boolean;
	/** It was cancelled. */
	cancelled: boolean;
	/** Of the newest final block, seconds. */
	finalTime: bigint;
}

/** What became of what was signed: nothing else is signed while it is open. */
export type Fate = "open" | "used" | "cancelled" | "over";

/** By facts of the L2 alone: what agents say lets nobody sign again. Newer blocks than final ones may go away. */
export function fate(signed: SignedDeposit, facts: Facts | undefined): Fate {
	if (facts === undefined) return "open";
	if (facts.cancelled) return "cancelled";
	if (facts.spent) return "used";
	return facts.finalTime >= BigInt(signed.validBefore) ? "over" : "open";
}

/** Which of several agents has its turn. */
export class Turns {
	#place = 0;
	/** Until then nobody is turned to. */
	#until = 0;

	constructor(private readonly agents: number) {}

	/** Whom the bytes are given to now; undefined while one who has them has time. */
	due(now: number): number | undefined {
		return now < this.#until || this.agents === 0 ? undefined : this.#place % this.agents;
	}

	/** It took them: it has some time. */
	took(now: number): void {
		this.#place++;
		this.#until = now + PATIENCE;
	}

	/** It refused, or did not answer: the next one at once, and all of them again later. */
	refused(now: number): void {
		if (++this.#place % this.agents === 0) this.#until = now + ROUND;
	}
}

/** How far a deposit is, as it is drawn. */
export const STAGES = ["signed", "sent", "onL2", "attested", "usable"] as const;
export type Stage = (typeof STAGES)[number];

/** The furthest of what agents say and what is known. Of what an agent says nothing follows but a picture. */
export function stage(said: string[], facts: Facts | undefined): Stage {
	const known: Stage = facts?.spent === true && !facts.cancelled ? "onL2" : "signed";
	const far = (one: string) => STAGES.indexOf((one === "waiting" ? "signed" : one) as Stage);
	return STAGES[Math.max(STAGES.indexOf(known), ...said.map(far))] ?? "signed";
}

/** What can be chosen as a limit, micro-USDC: what the vault takes at least, and a deposit's cap. */
export const LIMITS = [1_000_000n, 50_000_000n] as const;
export const USUAL_LIMIT = 5_000_000n;

/** What is typed as USDC, in micro-USDC; undefined where it is none that can be chosen. */
export function limitOf(text: string): bigint | undefined {
	const match = /^(\d{1,3})(?:[.,](\d{1,6}))?$/.exec(text.trim());
	if (match === null) return undefined;
	const micro = BigInt(match[1] ?? "0") * 1_000_000n + BigInt((match[2] ?? "").padEnd(6, "0"));
	return micro >= LIMITS[0] && micro <= LIMITS[1] ? micro : undefined;
}

/** What is deposited beside the limit, micro-USDC: the session key holds 0.01 of it, and the first message on the way back is tipped from it, since escrow pays no tips. */
export const SPARE = 50_000n;

/** Most session keys of an account, and most that it may have in escrow, micro-USDC: as the chain has them (runtime/src/constants.rs). */
export const MOST_SESSIONS = 8;
export const MOST_ESCROW = 50_000_000n;

/** Why the chain would not take a key with this limit, for an account that has so many keys and so much in escrow; undefined where it would. */
export function hindrance(limit: bigint, sessions: number, escrow: bigint): string | undefined {
	if (sessions >= MOST_SESSIONS) return `Your account has ${sessions} session keys, as many as it may have. Load this page again when one of them has ended.`;
	const room = MOST_ESCROW - escrow;
	if (room < LIMITS[0]) return "Your account has as much in escrow as it may have, 50 USDC. Watch with it, or take it back first.";
	// Rounded down to what can be typed.
	return limit > room ? `Your account may have 50 USDC in escrow, and has some: choose a limit of ${Number(room / 10_000n) / 100} USDC or less.` : undefined;
}

/** Less than a tenth is left. */
export function isLow(left: bigint, limit: bigint): boolean {
	return left * 10n < limit;
}
