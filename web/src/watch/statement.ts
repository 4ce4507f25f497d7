// What relayers say over HTTP: of themselves and of the chain, and who else there is. None of it is proven here: a certificate counts
// once web/core has seen that the relayer's key signed it.
import type {Relayer} from "./roster.ts";

/** As relayer/src/web.rs has it. */
export interface About {
	genesis: string;
	head: number;
	maxTicketLife: number;
	maxSessionLife: number;
	account: string;
	key: string;
	port: number;
	path: string;
	certificates: string[];
	streams: AboutStream[];
}

export interface AboutStream {
	id: number;
	title: string;
	signingKey: string;
	previousKeys: string[];
	termsCounter: number;
	pricePerGb: number;
	notice: string;
}

/** How long an answer may take. */
const ANSWER = 5_000;

async function ask<T>(file: string, web: string): Promise<T> {
	const answer = await fetch(new URL(file, web), {cache: "no-store", signal: AbortSignal.timeout(ANSWER)});
	if (!answer.ok) throw new Error(`the relayer answers ${answer.status}`);
	return (await answer.json()) as T;
}

/** Of whoever serves pages there. */
export const about = (web: string) => ask<About>("relayer.json", web);

/** Whom the relayer there knows of, that may have the stream. */
export async function others(web: string, stream: number): Promise<Relayer[]> {
	const named = await ask<(Omit<Relayer, "pricePerGb"> & {pricePerGb: number})[]>(`relayers/${stream}.json`, web);
	const is = (text: string) => /^0x[0-9a-f]{64}$/.test(text);
	return named.filter(({key, account, web}) => is(key) && is(account) && URL.canParse(web)).map((relayer) => ({...relayer, pricePerGb: BigInt(relayer.pricePerGb)}));
}

/** Where its WebTransport is: at the host of its page, whatever it says. */
export function transportUrl(web: string, {port, path}: About): string {
	const url = new URL(`https://${new URL(web).hostname}`);
	url.port = String(port);
	url.pathname = path;
	return url.href;
}
