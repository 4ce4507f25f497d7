// Agents of the bridge, over HTTP (docs/agent-api.md). They are trusted with nothing but their time.
import type {SignedDeposit} from "../bridge/deposit.ts";
import type {Terms} from "./handover.ts";
import type {Hex} from "viem";

/** How long one may take for an answer: a deposit is tried before it is taken. */
const ANSWER_TIME = 15_000;
/** Of an answer, bytes: far more than there is to say. */
const ANSWER_BYTES = 65_536;

/** How far a deposit is, as an agent says. */
export interface Report {
	id: Hex;
	state: string;
	/** Why it waits, or was refused. */
	reason?: string;
}

/** Words of a stranger, of which people see some. */
export function plain(words: string): string {
	return words.replace(/[\p{Cc}\p{Cf}]/gu, "").slice(0, 160);
}

/** A body to its end; nothing where it is longer than an answer. */
async function read(answer: Response): Promise<string> {
	const [text, reader] = [new TextDecoder(), answer.body?.getReader()];
	let said = "";
	for (let left = ANSWER_BYTES; reader !== undefined; ) {
		const {value} = await reader.read();
		if (value === undefined) break;
		left -= value.length;
		if (left < 0) {
			await reader.cancel().catch(() => {});
			return "";
		}
		said += text.decode(value, {stream: true});
	}
	return said + text.decode();
}

/** What JSON says, where that is an object. */
function object(text: string): Record<string, unknown> | undefined {
	try {
		const said: unknown = JSON.parse(text);
		return typeof said === "object" && said !== null && !Array.isArray(said) ? (said as Record<string, unknown>) : undefined;
	} catch {
		return undefined;
	}
}

async function ask<T>(agent: string, path: string, body?: unknown): Promise<T> {
	const request: RequestInit = {
		credentials: "omit",
		referrerPolicy: "no-referrer",
		redirect: "error",
		cache: "no-store",
		signal: AbortSignal.timeout(ANSWER_TIME),
		...(body === undefined ? {} : {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify(body)}),
	};
	let answer: Response;
	let text: string;
	try {
		answer = await fetch(`${agent.replace(/\/+$/, "")}/v1/${path}`, request);
		text = await read(answer);
	} catch {
		throw new Error("it does not answer");
	}
	const said = object(text);
	if (!answer.ok) throw new Error(plain(typeof said?.message === "string" ? said.message : `it answers ${answer.status}`));
	if (said === undefined) throw new Error("it does not answer in JSON");
	return said as T;
}

/** The same, of something that it has. */
async function standing(agent: string, path: string, body?: unknown): Promise<Report> {
	const said = await ask<Report>(agent, path, body);
	if (typeof said.state !== "string" || typeof said.id !== "string") throw new Error("it does not say how far it is");
	return said;
}

/** The terms of each, or why not. */
export function terms(agents: string[]): Promise<[string, Terms | Error][]> {
	const one = async (agent: string): Promise<[string, Terms | Error]> => {
		try {
			return [agent, await ask<Terms>(agent, "terms")];
		} catch (error) {
			return [agent, error as Error];
		}
	};
	return Promise.all(agents.map(one));
}

/** Gives it a deposit: the same bytes to whoever is asked. */
export function hand(agent: string, deposit: SignedDeposit): Promise<Report> {
	return standing(agent, "deposits", deposit);
}

/** What it says of one that it was given. */
export function report(agent: string, id: Hex): Promise<Report> {
	return standing(agent, `deposits/${id}`);
}

/** The same for messages to the chain. */
export function act(agent: string, signed: unknown): Promise<Report> {
	return standing(agent, "actions", signed);
}

export function acted(agent: string, id: Hex): Promise<Report> {
	return standing(agent, `actions/${id}`);
}
