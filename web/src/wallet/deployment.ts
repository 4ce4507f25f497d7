// Which bridge this page asks wallets to sign for, and whether it may ask them at all. On the canonical origin that was compiled in; a
// page of loopback, as the demo's, takes what is served beside it. Nobody else's page asks wallets: what it would have to know comes
// from whoever serves it.
import type {Hex} from "viem";
import type {Token} from "../bridge/deposit.ts";

/** What signatures are for, and who takes them. */
export interface Deployment {
	/** For people. */
	name: string;
	/** The L2. */
	chainId: number;
	/** Where a wallet that does not know the L2 finds it; nothing where the wallet has to know it. */
	rpcUrls: string[];
	vault: Hex;
	usdc: Hex;
	/** As the token says itself: they are part of what is signed. */
	token: {name: string; version: string};
	/** Of the chain. */
	genesis: Hex;
	/** URLs, in the order in which they are turned to. */
	agents: string[];
}

/** What is compiled in: a deployment, and the one origin on which wallets are asked. */
export type Canonical = Deployment & {origin: string};

export type Asking =
	| {may: true; deployment: Deployment}
	/** Where they are asked instead, if anywhere. */
	| {may: false; canonical: string | undefined};

/** Whether a page of this host is of this very machine. */
export function isLoopback(host: string): boolean {
	return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(host);
}

/** Whether a page at `origin` may ask wallets. `beside` is asked for on loopback alone. */
export async function asking(
	origin: string,
	compiled: Canonical | undefined,
	beside: () => Promise<Deployment | undefined>,
): Promise<Asking> {
	if (compiled !== undefined && origin === compiled.origin) return {may: true, deployment: compiled};
	const found = isLoopback(new URL(origin).hostname) ? await beside() : undefined;
	if (found !== undefined) return {may: true, deployment: found};
	return {may: false, canonical: compiled?.origin};
}

const isHex = (value: unknown, bytes: number): value is Hex =>
	typeof value === "string" && new RegExp(`^0x[0-9a-fA-F]{${2 * bytes}}$`).test(value);
const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

/** Agents are reached by https; on loopback by http as well. */
function isAgent(value: unknown, loopback: boolean): value is string {
	if (!isText(value) || !URL.canParse(value)) return false;
	const {protocol, hostname, search, hash} = new URL(value);
	const known = protocol === "https:" || (loopback && protocol === "http:" && isLoopback(hostname));
	return known && search === "" && hash === "";
}

/** A deployment from JSON; an error that says which field is wrong. */
export function parse(json: unknown, loopback: boolean): Deployment {
	const all = (value: unknown, is: (one: unknown) => boolean) => Array.isArray(value) && value.every(is);
	const given = (typeof json === "object" && json !== null ? json : {}) as Record<string, unknown>;
	const token = (given.token ?? {}) as Record<string, unknown>;
	const rules: [string, boolean][] = [
		["name", isText(given.name)],
		["chainId", Number.isInteger(given.chainId) && Number(given.chainId) > 0 && Number(given.chainId) < 2 ** 32],
		["rpcUrls", all(given.rpcUrls, isText)],
		["vault", isHex(given.vault, 20)],
		["usdc", isHex(given.usdc, 20)],
		["token", isText(token.name) && isText(token.version)],
		["genesis", isHex(given.genesis, 32)],
		["agents", all(given.agents, (one) => isAgent(one, loopback)) && (given.agents as unknown[]).length > 0],
	];
	const wrong = rules.filter(([, right]) => !right).map(([field]) => field);
	if (wrong.length > 0) throw new TypeError(`the deployment is wrong in: ${wrong.join(", ")}`);
	return given as unknown as Deployment;
}

/** The same with an origin: what is compiled in. */
export function parseCanonical(json: unknown): Canonical {
	const deployment = parse(json, false) as Canonical;
	const {origin} = deployment;
	if (!isText(origin) || !URL.canParse(origin) || new URL(origin).origin !== origin || !origin.startsWith("https:"))
		throw new TypeError("the deployment is wrong in: origin");
	return deployment;
}

/** Types of a message, and of its domain (EIP-712). */
export type Types = Record<string, readonly {name: string; type: string}[]>;

export const DOMAIN: Types = {
	EIP712Domain: [
		{name: "name", type: "string"},
		{name: "version", type: "string"},
		{name: "chainId", type: "uint256"},
		{name: "verifyingContract", type: "address"},
	],
};

/** The domain of the token's signatures. */
export function tokenDomain({token, chainId, usdc}: Deployment): Token {
	return {name: token.name, version: token.version, chainId, verifyingContract: usdc};
}
