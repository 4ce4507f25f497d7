// The way from a wallet with USDC to a session key that pays: connect, show what is to be signed, one signature, and the same bytes to
// one agent after the other until they are used. What is decided about agents and second signatures is in handover.ts.
import {hashTypedData, recoverAddress, serializeTypedData, size, slice, concat, type Hex} from "viem";
import {authorisation, signedDeposit, type Consent} from "../bridge/deposit.ts";
import {accountOf, encodeCredit} from "../bridge/formats.ts";
import * as agents from "./agents.ts";
import {DOMAIN, tokenDomain, type Deployment, type Types} from "./deployment.ts";
import {fate, hindrance, plan, SPARE, stage, Turns, USUAL_LIMIT, VALIDITY, type Facts, type Fate, type Plan, type Stage} from "./handover.ts";
import {L2} from "./l2.ts";
import {forget, keep, kept, type Order} from "./orders.ts";
import {account, ask, discover, WalletError, type Wallet} from "./provider.ts";

/** A session key that waits for its owner's wallet. */
export interface Asked {
	/** Chain and account. */
	name: string;
	key: Hex;
	proof: Hex;
	/** Last block for which it can sign, and about when that is, ms. */
	expiry: number;
	until: number;
	/** Of the account: how many keys it has, what is in escrow, and all that it is worth (watch/succession.ts); micro-USDC. */
	sessions: number;
	escrow: bigint;
	worth: bigint;
}

/** What is about to be signed; amounts are micro-USDC. */
export interface Offer {
	address: Hex;
	/** Goes to escrow. */
	limit: bigint;
	/** Is deposited beside it. */
	spare: bigint;
	fee: bigint;
	/** Who is paid that. */
	agent: string;
	until: number;
	key: Hex;
}

/** Whether they say the same. */
export const equal = (a: Offer, b: Offer) => (Object.keys(a) as (keyof Offer)[]).every((field) => a[field] === b[field]);

/** All that it takes from the wallet. */
export const total = ({limit, spare, fee}: Offer) => limit + spare + fee;

export type View =
	| {at: "no-wallet"}
	| {at: "connect"; wallets: string[]; note: string}
	| {at: "connecting"}
	| {at: "wrong-chain"; chain: string; note: string}
	| {at: "has-code"}
	| {at: "poor"; offer: Offer; has: bigint}
	| {at: "no-agent"; why: string[]}
	| {at: "review"; offer: Offer; note: string}
	| {at: "signing"; offer: Offer}
	/** `blind`: the wallet is on another network, so nobody tells whether it may be signed again. */
	| {at: "handed"; stage: Stage; why: string; blind: string | undefined}
	| {at: "failed"; why: string}
	| {at: "done"};

/** Between two looks at where it is, milliseconds. */
const LOOK = 2_000;
/** A deposit that is said to be usable for so long may have been refused its session key: the relayer is asked. */
const KEY_PATIENCE = 60_000;
/** What agents asked is good for so long, milliseconds: then they are asked again before anything is signed. */
const TERMS_LIFE = 60_000;
/** The kind of deposits that are a credit. */
const CREDIT = 0;
const SENDING = ["sent", "onL2", "attested", "usable"];

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const words = (error: unknown) => agents.plain(error instanceof Error ? error.message : String(error));

/** As the token takes it: v is 27 or 28; some wallets say 0 or 1. */
export function canonical(signature: Hex): Hex {
	if (size(signature) !== 65) throw new Error("The wallet’s signature is not one of a key: contracts and smart accounts are not served yet.");
	const v = Number(slice(signature, 64));
	return v < 27 ? concat([slice(signature, 0, 64), v === 0 ? "0x1b" : "0x1c"]) : signature;
}

export class Payment {
	#wallets: Wallet[] = [];
	#wallet: Wallet | undefined;
	#address: Hex | undefined;
	#asked: Asked | undefined;
	#plan: Plan | undefined;
	/** When its agents were asked, ms. */
	#planned = 0;
	#limit = USUAL_LIMIT;
	#view: View = {at: "no-wallet"};
	/** Counts what the page is at: what was begun for something before is given up. */
	#turn = 0;
	/** A wallet is asked to sign: until it answers nothing else is asked of it. */
	#signing = false;

	constructor(
		readonly deployment: Deployment,
		private readonly draw: (view: View) => void,
		/** A wallet is there: this is its account on the chain. Whether the page turns to that now; it does where a person asked for it. */
		private readonly connected: (account: Hex, prompted: boolean) => boolean,
		/** Another key may be needed in place of this one, where the account is worth so much without it. */
		private readonly replace: (key: Hex, worth: bigint) => void,
	) {}

	/** Looks for wallets; goes on with one that has agreed before, without asking it anything that a person sees. */
	start(): void {
		discover((wallet) => {
			this.#wallets.push(wallet);
			if (this.#wallet === undefined) this.#say(this.#choice());
			if (wallet.id === localStorage.getItem("wallet")) void this.#use(wallet, false);
		});
		if (this.#wallets.length === 0) this.#say({at: "no-wallet"});
	}

	/** Of the account, what it may spend; the offer is made again. */
	set limit(limit: bigint) {
		this.#limit = limit;
		if (["review", "poor", "failed"].includes(this.#view.at)) void this.#prepare();
	}

	/** Asks this wallet for its account. */
	connect(number: number): Promise<void> {
		const wallet = this.#wallets[number];
		return wallet === undefined ? Promise.resolve() : this.#use(wallet, true);
	}

	/** The page has a session key that waits for a wallet; none any more where it is undefined. */
	wants(asked: Asked | undefined): void {
		this.#asked = asked;
		if (asked === undefined) {
			this.#turn++;
			return;
		}
		if (this.#wallet !== undefined) void this.#prepare();
	}

	/** The chain has taken this session key. Whether an order for another one is still under way. */
	async usable(name: string, key: string): Promise<boolean> {
		this.wants(undefined);
		this.#say({at: "done"});
		// That is the relayer's word: what is kept is forgotten by the L2's alone, before another is signed.
		const order = await kept(name);
		return order !== undefined && order.session !== key;
	}

	/** Asks the wallet to go to the L2. */
	async choose(): Promise<void> {
		const l2 = this.#l2();
		try {
			this.#say({at: "connecting"});
			await l2.choose();
			await this.#prepare();
		} catch (error) {
			this.#say({at: "wrong-chain", chain: this.deployment.name, note: this.#refusal(error)});
		}
	}

	/** The wallet that is connected, and under which name its account is kept. */
	get owner(): {wallet: Wallet; address: Hex; name: string} | undefined {
		const [wallet, address] = [this.#wallet, this.#address];
		return wallet === undefined || address === undefined ? undefined : {wallet, address, name: this.#name(address)};
	}

	/** Whether the wallet is on the L2; asks it to go there where it is not. */
	async isThere(): Promise<boolean> {
		const l2 = this.#l2();
		if (!(await l2.isChosen())) await l2.choose();
		return l2.isChosen();
	}

	again(): Promise<void> {
		return this.#prepare();
	}

	/** One signature, unless an earlier one may still be used. */
	async sign(): Promise<void> {
		const shown = this.#view;
		if (shown.at !== "review" || this.#signing) return;
		if (Date.now() > this.#planned + TERMS_LIFE) await this.#prepare();
		const view = this.#view;
		// What is signed is what was pressed.
		if (view.at !== "review" || !equal(view.offer, shown.offer) || Date.now() > this.#planned + TERMS_LIFE) return;
		const [asked, chosen, wallet, address] = [this.#asked, this.#plan, this.#wallet, this.#address];
		if (this.#signing || asked === undefined || chosen === undefined || wallet === undefined || address === undefined) return;
		const {offer} = view;
		// Another key is asked for by now: its offer is on its way.
		if (offer.key !== asked.key || offer.until !== asked.until) return;
		const l2 = this.#l2();
		this.#signing = true;
		// An offer that is under way comes too late.
		this.#turn++;
		this.#say({at: "signing", offer});
		let signed: Order | undefined;
		let failed: View | undefined;
		try {
			const name = this.#name(address);
			// Again, behind all that may have changed since it was shown.
			const stands = (await kept(name)) === undefined && (await l2.isChosen()) && (await account(wallet, false)) === address;
			if (stands) signed = await this.#signed(wallet, name, offer, asked, chosen.agents);
		} catch (error) {
			failed = {at: "review", offer, note: this.#refusal(error)};
		} finally {
			this.#signing = false;
		}
		// Whatever the page asks for by now: what was signed is handed over.
		if (signed !== undefined) return this.#handOver(signed, ++this.#turn);
		if (failed !== undefined && asked === this.#asked) return this.#say(failed);
		return this.#prepare();
	}

	/** Asks for the signature. What was signed is kept before anybody sees it. */
	async #signed(wallet: Wallet, name: string, offer: Offer, asked: Asked, to: string[]): Promise<Order> {
		const {address} = offer;
		const {number, time} = await new L2(wallet, this.deployment).block("latest");
		const body = encodeCredit({
			account: accountOf(this.deployment.chainId, address),
			escrow: offer.limit,
			sessionKey: asked.key,
			sessionLimit: offer.limit,
			sessionExpiry: asked.expiry,
			sessionProof: asked.proof,
		});
		const order = {kind: CREDIT, amount: offer.limit + offer.spare, refundTo: address, body};
		const consent: Consent = {fee: offer.fee, validAfter: 0n, validBefore: time + VALIDITY};
		const message = authorisation(tokenDomain(this.deployment), this.deployment.vault, address, order, consent);
		const types: Types = {...DOMAIN, ...message.types};
		const text = serializeTypedData({...message, domain: {...message.domain}, types});
		const said = await ask<Hex>(wallet, "eth_signTypedData_v4", [address, text]);
		const signature = canonical(said);
		const id = hashTypedData(message);
		if ((await recoverAddress({hash: id, signature})).toLowerCase() !== address) {
			throw new Error("The wallet signed with another key than the account’s: contracts and smart accounts are not served yet.");
		}
		const deposit = signedDeposit(address, order, consent, signature);
		const signed: Order = {name, deposit, id, session: asked.key, from: number, agents: to, worth: asked.worth + order.amount};
		await keep(signed);
		return signed;
	}

	#say(view: View): void {
		this.#view = view;
		this.draw(view);
	}

	#choice(note = ""): View {
		return {at: "connect", wallets: this.#wallets.map(({name}) => name), note};
	}

	#refusal(error: unknown): string {
		const refused = error instanceof WalletError && error.kind === "refused";
		return refused ? "You said no in the wallet. Nothing was signed, and nothing is paid." : words(error);
	}

	#l2(): L2 {
		if (this.#wallet === undefined) throw new Error("no wallet");
		return new L2(this.#wallet, this.deployment);
	}

	#name(address: Hex): string {
		return `${this.deployment.genesis}/${accountOf(this.deployment.chainId, address)}`;
	}

	async #use(wallet: Wallet, prompt: boolean): Promise<void> {
		try {
			if (prompt) this.#say({at: "connecting"});
			const address = await account(wallet, prompt);
			if (address === undefined) return this.#say(this.#choice());
			if (this.#wallet !== wallet) {
				wallet.provider.on?.("accountsChanged", () => wallet === this.#wallet && void this.#use(wallet, false));
				wallet.provider.on?.("chainChanged", () => wallet === this.#wallet && this.#asked !== undefined && void this.#prepare());
			}
			localStorage.setItem("wallet", wallet.id);
			[this.#wallet, this.#address] = [wallet, address];
			if (this.connected(accountOf(this.deployment.chainId, address), prompt)) {
				// Its session key is asked for.
				this.#asked = undefined;
				this.#turn++;
			} else await this.#prepare();
		} catch (error) {
			this.#say(this.#choice(this.#refusal(error)));
		}
	}

	/** From the wallet's chain to what is to be signed, or to what stands in the way. */
	async #prepare(note = ""): Promise<void> {
		const [asked, address] = [this.#asked, this.#address];
		if (asked === undefined || address === undefined || this.#signing) return;
		if (asked.name !== this.#name(address)) return this.#say(this.#choice("This page pays from another account than your wallet’s."));
		const l2 = this.#l2();
		const turn = ++this.#turn;
		const say = (view: View) => turn === this.#turn && this.#say(view);
		try {
			const before = await kept(this.#name(address));
			// It needs no wallet any more.
			if (turn !== this.#turn) return;
			if (before !== undefined) return await this.#handOver(before, turn);
			if (!(await l2.isChosen())) return void say({at: "wrong-chain", chain: this.deployment.name, note: ""});
			if (await l2.hasCode(address)) return void say({at: "has-code"});
			if (!(await l2.isDeployed())) return void say({at: "failed", why: "Vault or token on this network are not those that this page knows."});
			const limit = this.#limit;
			const why = hindrance(limit, asked.sessions, asked.escrow);
			if (why !== undefined) return void say({at: "failed", why});
			const asking = Date.now();
			const [found, has] = await Promise.all([agents.terms(this.deployment.agents), l2.balance(address)]);
			const chosen = plan(found, this.deployment);
			const [agent] = chosen.agents;
			if (agent === undefined) return void say({at: "no-agent", why: chosen.passed.map(([name, why]) => `${host(name)}: ${why}`)});
			if (turn !== this.#turn) return;
			[this.#plan, this.#planned] = [chosen, asking];
			const offer: Offer = {address, limit, spare: SPARE, fee: chosen.fee, agent: host(agent), until: asked.until, key: asked.key};
			if (has < total(offer)) return void say({at: "poor", offer, has});
			say({at: "review", offer, note});
		} catch (error) {
			say({at: "failed", why: words(error)});
		}
	}

	/** Until the session key is good, or nobody can use what was signed. */
	async #handOver(order: Order, turn: number): Promise<void> {
		const turns = new Turns(order.agents.length);
		const took = new Set<string>();
		let why = "";
		let since: number | undefined;
		while (turn === this.#turn) {
			const facts = await this.#facts(order);
			if (turn !== this.#turn) return;
			const now = fate(order.deposit, facts);
			if (now === "over" || now === "cancelled") return await this.#lapsed(order, now);
			if (now === "used" && order.session !== this.#asked?.key) {
				// It brought another key, and that is done: one of this account that is asked for needs a signature of its own.
				if (this.#asked?.name === order.name) await forget(order);
				return await this.#prepare();
			}
			const due = now === "open" ? turns.due(performance.now()) : undefined;
			const agent = due === undefined ? undefined : order.agents[due];
			if (agent !== undefined) {
				try {
					await agents.hand(agent, order.deposit);
					took.add(agent);
					turns.took(performance.now());
				} catch (error) {
					why = `${host(agent)}: ${words(error)}`;
					turns.refused(performance.now());
				}
			}
			// Whoever brought it, and whoever else knows of it, tells.
			if (now === "used") order.agents.forEach((one) => took.add(one));
			const reports = await Promise.all([...took].map((one) => agents.report(one, order.id).catch(() => undefined)));
			const said = reports.flatMap((report) => (report === undefined ? [] : [report.state]));
			if (said.some((one) => SENDING.includes(one))) why = "";
			if (turn !== this.#turn) return;
			// Nobody else tells that; of several agents all have to.
			if (now === "used" && said.length > 0 && said.every((one) => one === "stranded")) {
				await forget(order);
				return this.#say({at: "failed", why: "The chain could not credit the deposit. It goes back to your address."});
			}
			const far = stage(said, facts);
			if (now === "used" && far === "usable" && performance.now() > (since ??= performance.now()) + KEY_PATIENCE) {
				// An agent's word: nothing is forgotten for it. The relayer may have another key asked for, which ends this.
				why = "The deposit is said to be on your account, and the chain does not have this browser’s session key yet. Where it refused that, you are asked to sign for another one.";
				this.replace(order.session, order.worth);
			}
			this.#say({at: "handed", stage: far, why, blind: facts === undefined ? this.deployment.name : undefined});
			if (agent === undefined || took.has(agent)) await sleep(LOOK);
		}
	}

	/** What the L2 says; undefined where the wallet is elsewhere, or does not answer. */
	async #facts(order: Order): Promise<Facts | undefined> {
		try {
			const l2 = this.#l2();
			return (await l2.isChosen()) ? await l2.facts(order.deposit, order.from) : undefined;
		} catch {
			return undefined;
		}
	}

	/** Nobody can use it any more, by a final block: another may be signed. */
	async #lapsed(order: Order, fate: Fate): Promise<void> {
		await forget(order);
		const note = fate === "cancelled" ? "You cancelled the last signature." : "The last signature was not used in its time, and is good for nothing now.";
		await this.#prepare(`${note} Nothing was paid.`);
	}
}

/** Of an agent, as people read it. */
function host(agent: string): string {
	return new URL(agent).host;
}
