// What a wallet signed: kept before anybody sees it, and until it is used or nobody can use it any more.
import type {Hex} from "viem";
import type {SignedDeposit} from "../bridge/deposit.ts";
import {get, put, remove} from "../watch/database.ts";

export interface Order {
	/** Chain and account: one at a time. */
	name: string;
	deposit: SignedDeposit;
	/** What was signed: agents know it by this. */
	id: Hex;
	/** The session key in it. */
	session: Hex;
	/** Block of the L2 behind which it is to be found. */
	from: bigint;
	/** Who are given it, in their order. */
	agents: string[];
	/** What the account is worth once it is credited, micro-USDC: see watch/succession.ts. */
	worth: bigint;
}

export const kept = (name: string) => get<Order>("orders", name);
export const keep = (order: Order) => put("orders", order);
/** This one alone: another tab may have put a later one in its place. */
export const forget = ({name, id}: Order) => remove<Order>("orders", name, (found) => found.id === id);
