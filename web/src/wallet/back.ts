// The way back: what is left in escrow is asked for, taken out after the chain's delay, and withdrawn to the wallet's own address. Each
// is a message that the wallet signs (EIP-712) and an agent submits for a tip; the address is never another than the wallet's.
import {hashTypedData, recoverAddress, serializeTypedData, type Hex} from "viem";
import {actionDomain, actionTypes} from "../bridge/formats.ts";
import {get, put} from "../watch/database.ts";
import * as agents from "./agents.ts";
import {DOMAIN, type Deployment, type Types} from "./deployment.ts";
import {same, Turns} from "./handover.ts";
import {canonical} from "./payment.ts";
import {ask, type Wallet} from "./provider.ts";

/** Of an account of the chain, as the relayer says: micro-USDC. */
export interface Holdings {
	free: bigint;
	/** In escrow, what is on its way out included. */
	escrow: bigint;
	unlocking: {amount: bigint; at: number} | undefined;
}

export type Kind = "Unlock" | "Collect" | "Withdraw";
export type Step = {do: Kind} | {wait: number} | {none: "empty" | "little"};

/** A withdrawal is no less. */
const LEAST = 1_000_000n;
/** Most that is paid for one message, and for a withdrawal on the L2. */
export const MAX_TIP = 50_000n;
/** Blocks that a message is good. */
const LIFE = 600;
const LOOK = 2_000;

/** What comes next on the way back, by the chain's newest block. Each message is tipped, and what is withdrawn in the end is no less than LEAST. */
export function step({free, escrow, unlocking}: Holdings, head: number, tip: bigint): Step {
	if (unlocking !== undefined) return head >= unlocking.at ? {do: "Collect"} : {wait: unlocking.at - head};
	// What was collected goes first, whatever came to the escrow since.
	if (free >= LEAST + tip) return {do: "Withdraw"};
	if (escrow + free >= LEAST + 3n * tip) return {do: "Unlock"};
	return {none: escrow + free > 0n ? "little" : "empty"};
}

/** A message as agents take it, and what is kept of it: until the next is signed. */
export interface Message {
	name: string;
	kind: Kind;
	signed: {signer: Hex; action: Record<string, Record<string, string | number>>; signature: Hex};
	deadline: number;
	/** What there was when it was signed. */
	before: Holdings;
	agents: string[];
}

/** Whether what was signed is handed over again, and nothing else is signed: by the chain's newest block and what there is now, as the
    relayer says. That an agent calls it done is not enough. */
export function isOpen({kind, deadline, before}: Pick<Message, "kind" | "deadline" | "before">, next: Kind, head: number, now: Holdings): boolean {
	const changed = before.unlocking?.at !== now.unlocking?.at || (kind === "Withdraw" && now.free < before.free);
	return kind === next && head <= deadline && !changed;
}

/** What an agent says when it has nothing more to do with it. */
const OVER = ["done", "queued", "released", "paid", "refused", "unknown"];

/** What the first agent asks for a message and for a withdrawal, of those that take messages for this bridge; and all of them. */
export interface Price {
	tip: bigint;
	fee: bigint;
	agents: string[];
}

export async function price(of: Deployment): Promise<Price> {
	const found = (await agents.terms(of.agents)).flatMap(([agent, terms]) => {
		if (terms instanceof Error || terms.l2 !== of.chainId || !same(terms.vault, of.vault) || !same(terms.genesis, of.genesis)) return [];
		const [tip, fee] = [asked(terms.action?.tip), asked(terms.withdrawal?.fee)];
		return tip <= MAX_TIP && fee <= MAX_TIP ? [{agent, tip, fee}] : [];
	});
	const [first] = found;
	if (first === undefined) throw new Error("No agent that submits messages can be reached.");
	return {tip: first.tip, fee: first.fee, agents: found.map(({agent}) => agent)};
}

/** What an agent says that it asks; more than is paid where it says nothing. */
const asked = (text: unknown) => (typeof text === "string" && /^\d{1,30}$/.test(text) ? BigInt(text) : MAX_TIP + 1n);

/** One step: what is done, for how much, and where the chain stands, as it was shown. */
export interface Going {
	kind: Kind;
	price: Price;
	head: number;
	holdings: Holdings;
}

/** Signs one step and hands it over, until an agent says that it is done; or hands over again what was signed before and is still good. */
export async function go(going: Going, who: {wallet: Wallet; address: Hex; name: string}, of: Deployment): Promise<string> {
	const name = `${who.name}/back`;
	const before = await get<Message>("orders", name);
	const isGood = before !== undefined && isOpen(before, going.kind, going.head, going.holdings);
	return hand(isGood ? before : await sign(going, who, of, name));
}

async function sign({kind, price, head, holdings}: Going, {wallet, address}: {wallet: Wallet; address: Hex}, of: Deployment, name: string): Promise<Message> {
	const {tip, fee, agents: to} = price;
	const envelope = {tip, nonce: BigInt(Date.now()), deadline: head + LIFE};
	// 0 is everything.
	const fields = {Unlock: {amount: 0n}, Collect: {}, Withdraw: {to: address, amount: 0n, fee}}[kind];
	const message = {...fields, ...envelope};
	const domain = {...actionDomain(of.chainId, of.vault)};
	const own: Types = {[kind]: actionTypes[kind]};
	const text = serializeTypedData({domain, types: {...DOMAIN, ...own}, primaryType: kind, message});
	const signature = canonical(await ask<Hex>(wallet, "eth_signTypedData_v4", [address, text]));
	const hash = hashTypedData({domain, types: own, primaryType: kind, message});
	if ((await recoverAddress({hash, signature})).toLowerCase() !== address) throw new Error("The wallet signed with another key than the account’s.");
	const json = Object.fromEntries(
		Object.entries(message).map(([field, value]) => [field, field === "nonce" || field === "deadline" ? Number(value) : `${value}`]),
	);
	const signed = {signer: address, action: {[kind.toLowerCase()]: json}, signature};
	const made: Message = {name, kind, signed, deadline: envelope.deadline, before: holdings, agents: to};
	await put("orders", made);
	return made;
}

/** To one agent after the other; the first final word of one of them. */
async function hand({signed, agents: to}: Message): Promise<string> {
	const turns = new Turns(to.length);
	const took = new Map<string, Hex>();
	const began = Date.now();
	for (let why = ""; ; ) {
		const due = turns.due(performance.now());
		const agent = due === undefined ? undefined : to[due];
		if (agent !== undefined) {
			try {
				took.set(agent, (await agents.act(agent, signed)).id);
				turns.took(performance.now());
			} catch (error) {
				why = error instanceof Error ? error.message : String(error);
				// The chain has it, whoever brought it.
				if (why.includes("AlreadyUsed")) return "done";
				turns.refused(performance.now());
			}
		}
		for (const [one, id] of took) {
			const report = await agents.acted(one, id).catch(() => undefined);
			if (report !== undefined && OVER.includes(report.state)) return report.state;
		}
		if (took.size === 0 && Date.now() > began + 30_000) throw new Error(why);
		await new Promise((resolve) => setTimeout(resolve, LOOK));
	}
}
