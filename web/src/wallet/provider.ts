// Wallets in this browser: found by EIP-6963, or where an old one puts itself; asked by EIP-1193.
import type {Hex} from "viem";

export interface Provider {
	request(call: {method: string; params?: unknown[]}): Promise<unknown>;
	on?(event: string, hear: (what: unknown) => void): void;
}

export interface Wallet {
	/** Of itself. */
	name: string;
	/** Reverse domain name: tells it from others. */
	id: string;
	provider: Provider;
}

/** Why a wallet did not do it. */
export class WalletError extends Error {
	constructor(
		readonly kind: "refused" | "unknown-chain" | "other",
		message: string,
	) {
		super(message);
	}
}

/** EIP-1193's code where the person said no, and the one of a chain that the wallet does not know (EIP-3085, EIP-3326). */
const REFUSED = 4_001;
const UNKNOWN_CHAIN = 4_902;

/** Tells of each wallet that announces itself, once; an old one where none does. */
export function discover(hear: (wallet: Wallet) => void): void {
	const known = new Set<Provider>();
	const found = (wallet: Wallet) => {
		if (known.has(wallet.provider)) return;
		known.add(wallet.provider);
		hear(wallet);
	};
	addEventListener("eip6963:announceProvider", (event) => {
		const {info, provider} = (event as CustomEvent<{info?: {name?: unknown; rdns?: unknown}; provider?: Provider}>).detail ?? {};
		if (typeof provider?.request !== "function") return;
		found({name: String(info?.name ?? "Wallet").slice(0, 40), id: String(info?.rdns ?? ""), provider});
	});
	dispatchEvent(new Event("eip6963:requestProvider"));
	const old = (globalThis as {ethereum?: Provider}).ethereum;
	if (known.size === 0 && typeof old?.request === "function") found({name: "This browser’s wallet", id: "", provider: old});
}

/** One question. Words of a wallet are cut: they go on the page. */
export async function ask<T>({provider}: Wallet, method: string, params: unknown[] = []): Promise<T> {
	try {
		return (await provider.request({method, params})) as T;
	} catch (error) {
		const {code, message, data} = (error ?? {}) as {code?: unknown; message?: unknown; data?: {originalError?: {code?: unknown}}};
		const codes = [code, data?.originalError?.code];
		const kind = codes.includes(REFUSED) ? "refused" : codes.includes(UNKNOWN_CHAIN) ? "unknown-chain" : "other";
		throw new WalletError(kind, String(message ?? error).slice(0, 200));
	}
}

/** The account that it has chosen; asks the person where `prompt`. */
export async function account(wallet: Wallet, prompt: boolean): Promise<Hex | undefined> {
	const [first] = await ask<unknown[]>(wallet, prompt ? "eth_requestAccounts" : "eth_accounts");
	return typeof first === "string" && /^0x[0-9a-fA-F]{40}$/.test(first) ? (first.toLowerCase() as Hex) : undefined;
}
