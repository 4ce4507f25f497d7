// Watches: asks the relayer what it serves, connects, moves bytes between streams and the machines, signs and stores what these ask for.
// What is verified goes to the page, by transfer. Which bytes are right and what is paid for them is decided in web/core alone.
import {Core, PREFIX, type Facts, type Output} from "../core/core.ts";
import {fromHex, toHex} from "../core/scale.ts";
import {session, sign, storePurse, type Session} from "./keys.ts";
import type {FromWorker, State, ToWorker, Watch} from "./messages.ts";
import {Subscription, type Body} from "./transport.ts";

/** As relayer/src/web.rs has it. */
interface About {
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

interface AboutStream {
	id: number;
	title: string;
	signingKey: string;
	previousKeys: string[];
	termsCounter: number;
	pricePerGb: number;
	notice: string;
}

interface Account {
	deposit: string;
	reserved: string;
	sessions: {key: string; limit: string; spent: string; expiry: number}[];
}

/** How often the relayer is asked what the chain says, milliseconds: three blocks. */
const LEARN = 6_000;
/** How often the machines look at the clock. */
const TICK = 500;
/** Between two looks at whether a wallet has authorised the session key. */
const LOOK = 2_000;
/** Between two attempts, at first and at most. */
const AGAIN = [500, 8_000] as const;
/** Streams of chunks that may wait for the announcement of their window. */
const MOST_WAITING = 32;
/** Blocks that a new session key is asked for: seven days. */
const SESSION_LIFE = 7 * 24 * 1_800;
/** Blocks in which relayers take nothing any more from a session key that ends. */
const LAST_BLOCKS = 150;
/** Most that is accepted, micro-USDC: per GB, and of one ticket. */
const MAX_PRICE_PER_GB = 10_000_000n;
const MAX_FACE_VALUE = 100_000n;
/** Below this no ticket is paid as a rule, micro-USDC. */
const LEAST = 2_500n;
/** The one track that is broadcast. */
const TRACK = 0;

const tell = (message: FromWorker, transfer: Transferable[] = []) => postMessage(message, {transfer});
const state = (state: State, reason = "") => tell({kind: "state", state, reason});
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

class Watching {
	#core!: Core;
	#session!: Session;
	#subscription: Subscription | undefined;
	/** One at a time: what is to be stored is stored before what stands behind it is signed. */
	#working = false;
	/** Waiting for the relayer's next words. */
	#parked: (() => void)[] = [];
	#over: ((why: string) => void) | undefined;
	#budget = 0n;
	#rejected = 0;
	/** The relayer is not to be trusted again. */
	#distrusted = false;
	#finished = false;

	constructor(private readonly watch: Watch) {}

	async run(): Promise<void> {
		state("connecting");
		const about = await this.#reached();
		const stream = this.#stream(about);
		if (stream === undefined) return state("no-relayer", "This relayer does not carry the stream.");
		tell({kind: "about", title: stream.title, relayer: about.account});
		if (this.watch.account === undefined) return state("needs-account");
		const name = `${about.genesis}/${toHex(this.watch.account)}`;
		// Two of them would number payments alike.
		await navigator.locks.request(`clustercast ${name}`, {ifAvailable: true}, async (lock) => {
			if (lock === null) return state("other-tab");
			this.#session = await session(name);
			this.#core = await Core.load();
			await this.#funded(about);
		});
	}

	async #about(): Promise<About> {
		const answer = await fetch(new URL("relayer.json", this.watch.base), {cache: "no-store"});
		if (!answer.ok) throw new Error(`the relayer answers ${answer.status}`);
		return (await answer.json()) as About;
	}

	/** Until the relayer answers: it may be starting. */
	async #reached(): Promise<About> {
		for (let wait: number = AGAIN[0]; ; wait = Math.min(2 * wait, AGAIN[1])) {
			try {
				return await this.#about();
			} catch {
				state("no-relayer", "The relayer does not answer.");
				await sleep(wait);
			}
		}
	}

	#stream(about: About): AboutStream | undefined {
		const wanted = this.watch.stream;
		return wanted === undefined ? about.streams[0] : about.streams.find(({id}) => BigInt(id) === wanted);
	}

	#facts(about: About, {signingKey, previousKeys, termsCounter}: AboutStream): Facts {
		return {key: fromHex(signingKey), former: previousKeys.map(fromHex), terms: termsCounter, head: about.head};
	}

	/** Until a wallet has authorised the session key; then watches. */
	async #funded(about: About): Promise<void> {
		const account = this.watch.account!;
		const genesis = fromHex(about.genesis);
		let shown = false;
		for (;;) {
			const found = await this.#account(account);
			const own = toHex(this.#session.public);
			const authorised = found?.sessions.find(({key}) => key === own);
			if (found !== undefined && authorised !== undefined && authorised.expiry > about.head + LAST_BLOCKS) {
				// It may have taken the wallet's owner long: receipts of now are of another block than then.
				about = await this.#reached();
				const left = BigInt(authorised.limit) - BigInt(authorised.spent);
				const free = BigInt(found.deposit) - BigInt(found.reserved);
				this.#budget = left < free ? left : free;
				tell({kind: "purse", left: this.#budget});
				if (this.#budget < LEAST) return state("no-money", "The deposit, or what is left of the session key's limit, does not pay a ticket.");
				const stream = this.#stream(about);
				if (stream === undefined) return state("no-relayer", "This relayer does not carry the stream any more.");
				this.#core.open({
					genesis,
					stream: BigInt(stream.id),
					track: TRACK,
					facts: this.#facts(about, stream),
					payer: {
						account,
						session: this.#session.public,
						expiry: authorised.expiry,
						maxTicketLife: about.maxTicketLife,
						budget: this.#budget,
						maxPricePerGb: MAX_PRICE_PER_GB,
						maxFaceValue: MAX_FACE_VALUE,
						purse: this.#session.purse,
					},
				});
				return this.#watchOn(about);
			}
			if (!shown) {
				shown = true;
				const proof = await sign(this.#session, this.#core.proof(genesis, account));
				const expiry = about.head + Math.min(SESSION_LIFE, about.maxSessionLife);
				tell({kind: "session", key: own, proof: toHex(proof), expiry});
				state("needs-session");
			}
			await sleep(LOOK);
		}
	}

	async #account(account: Uint8Array): Promise<Account | undefined> {
		try {
			const answer = await fetch(new URL(`account/${toHex(account)}.json`, this.watch.base), {cache: "no-store"});
			return answer.ok ? ((await answer.json()) as Account) : undefined;
		} catch {
			return undefined;
		}
	}

	async #watchOn(first: About): Promise<void> {
		const ticking = setInterval(() => {
			this.#core.tick();
			void this.#work();
		}, TICK);
		const learning = setInterval(() => void this.#learn(), LEARN);
		try {
			let about = first;
			for (let wait: number = AGAIN[0], attempt = 0; !this.#distrusted && !this.#finished; attempt++) {
				const windows = this.#windows;
				const why = await this.#attempt(about, attempt);
				if (this.#distrusted || this.#finished) return;
				state("no-relayer", why);
				wait = this.#windows > windows ? AGAIN[0] : Math.min(2 * wait, AGAIN[1]);
				await sleep(wait);
				about = await this.#reached();
			}
		} finally {
			clearInterval(ticking);
			clearInterval(learning);
		}
	}

	#windows = 0;

	/** One connection, to its end: why. A page cannot know which of two certificates it was shown, so it asks for one at a time. */
	async #attempt(about: About, attempt: number): Promise<string> {
		const stream = this.#stream(about);
		const hash = about.certificates[attempt % about.certificates.length];
		if (stream === undefined || hash === undefined) return "This relayer does not carry the stream any more.";
		const certificate = fromHex(hash);
		const over = new Promise<string>((resolve) => (this.#over = resolve));
		try {
			const host = this.watch.host.includes(":") ? `[${this.watch.host}]` : this.watch.host;
			const subscription = await Subscription.open(`https://${host}:${about.port}${about.path}`, certificate);
			this.#subscription = subscription;
			this.#core.learn(this.#facts(about, stream));
			this.#core.connect({key: fromHex(about.key), account: fromHex(about.account), certificate, notice: fromHex(stream.notice)});
			void this.#hear(subscription);
			void this.#take(subscription);
			await this.#work();
			return await over;
		} catch (error) {
			return error instanceof Error ? error.message : String(error);
		} finally {
			this.#subscription?.close();
			this.#subscription = undefined;
			this.#core.disconnected();
			this.#wake();
		}
	}

	async #learn(): Promise<void> {
		try {
			const about = await this.#about();
			const stream = this.#stream(about);
			if (stream !== undefined) this.#core.learn(this.#facts(about, stream));
		} catch {
			// What was said before holds until somebody answers.
		}
	}

	async #hear(subscription: Subscription): Promise<void> {
		try {
			for (let said; (said = await subscription.hear()) !== undefined; ) {
				this.#core.said(said);
				this.#wake();
				await this.#work();
			}
			this.#over?.("The relayer closed the stream.");
		} catch {
			this.#over?.("The connection was lost.");
		}
	}

	/** Bodies that wait may be announced by now. */
	#wake(): void {
		for (const wake of this.#parked.splice(0)) wake();
	}

	async #take(subscription: Subscription): Promise<void> {
		try {
			for await (const body of subscription.bodies()) void this.#read(subscription, body);
		} catch {
			this.#over?.("The connection was lost.");
		}
	}

	async #read(subscription: Subscription, body: Body): Promise<void> {
		let number: number | undefined;
		try {
			const prefix = await body.prefix(PREFIX);
			if (prefix === undefined) return;
			while ((number = this.#core.begin(prefix)) === undefined) {
				await this.#work();
				if (this.#subscription !== subscription || this.#parked.length >= MOST_WAITING) return await body.drop();
				await new Promise<void>((resolve) => this.#parked.push(resolve));
				if (this.#subscription !== subscription) return await body.drop();
			}
			for (let bytes; (bytes = await body.next()) !== undefined; ) {
				this.#core.chunks(number, bytes);
				await this.#work();
			}
			this.#core.end(number, true);
		} catch {
			if (number !== undefined) this.#core.end(number, false);
		}
		await this.#work();
	}

	/** Does what the machines ask for, in their order, until nothing is left. */
	async #work(): Promise<void> {
		if (this.#working) return;
		this.#working = true;
		try {
			for (let output; (output = this.#core.poll()) !== undefined; ) await this.#do(output);
		} catch (error) {
			// What could not be stored or signed is not paid.
			this.#over?.(String(error));
		} finally {
			this.#working = false;
		}
	}

	async #do(output: Output): Promise<void> {
		switch (output.kind) {
			case "send":
				// Not waited for: a relayer that does not read is found out by what does not come.
				this.#subscription?.send(output.bytes).catch(() => {});
				return;
			case "store":
				return storePurse(this.#session, output.purse);
			case "sign":
				return this.#core.signed(output.number, await sign(this.#session, output.payload));
			case "terms":
				return tell({kind: "terms", pricePerGb: output.pricePerGb});
			case "init": {
				const data = output.data.slice().buffer;
				return tell({kind: "init", codecs: output.codecs, title: output.title, data}, [data]);
			}
			case "window": {
				if (this.#windows++ === 0) state("playing");
				const data = output.data.slice().buffer;
				const {epoch, startMs, durationMs} = output;
				return tell({kind: "window", epoch, startMs, durationMs, bytes: data.byteLength, data}, [data]);
			}
			case "skipped":
				return;
			case "paid":
				return tell({kind: "paid", spent: output.spent, left: this.#budget - output.spent});
			case "silence":
				return state(({none: "playing", pause: "paused", absence: "absent", over: "ended"} as const)[output.silence]);
			case "cannot-pay":
				this.#finished = true;
				state("no-money", output.reason);
				return this.#over?.(output.reason);
			case "ended":
				if (output.gone) this.#core.goLive();
				if (output.finished) {
					this.#finished = true;
					state("ended");
				}
				return this.#over?.(`The relayer ended it: ${output.reason}.`);
			case "fault":
				this.#distrusted = true;
				if (output.rejected) tell({kind: "rejected", count: ++this.#rejected});
				state("fault", output.reason);
				return this.#over?.(output.reason);
			case "failed":
				return this.#over?.(output.reason);
		}
	}

	leave(): void {
		this.#core?.leave();
		void this.#work();
	}
}

let watching: Watching | undefined;
onmessage = ({data}: MessageEvent<ToWorker>) => {
	if (data.kind === "leave") return watching?.leave();
	watching = new Watching(data);
	watching.run().catch((error: unknown) => state("refused", String(error)));
};
