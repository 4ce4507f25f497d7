// Watches: asks the relayer what it serves, connects, moves bytes between streams and the machines, signs and stores what these ask for.
// What is verified goes to the page, by transfer. Which bytes are right and what is paid for them is decided in web/core alone.
import {Core, PREFIX, type Facts, type Output} from "../core/core.ts";
import {fromHex, toHex} from "../core/scale.ts";
import {disown, heir, renew, session, sign, storePurse, successor, type Session} from "./keys.ts";
import type {FromWorker, State, ToWorker, Watch} from "./messages.ts";
import {follows, has, refused, worth, type Account} from "./succession.ts";
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

/** How often the relayer is asked what the chain says, milliseconds: three blocks. */
const LEARN = 6_000;
/** How often the machines look at the clock. */
const TICK = 500;
/** Between two looks at whether a wallet has authorised the session key. */
const LOOK = 2_000;
/** Between two attempts, at first and at most; and some more by chance, so that not all come at once. */
const AGAIN = [500, 30_000] as const;
/** Opening a connection, with its stream. */
const OPENING = 10_000;
/** How long what came last may take to be paid when the viewer stops. */
const SETTLE = 3_000;
/** Streams of chunks that may wait for the announcement of their window. */
const MOST_WAITING = 32;
/** Of the chain, milliseconds. */
const BLOCK = 2_000;
/** Blocks that a new session key is asked for: seven days. */
const SESSION_LIFE = 7 * 24 * 1_800;
/** Blocks in which relayers take nothing any more from a session key that ends. */
const LAST_BLOCKS = 150;
/** Of one ticket, micro-USDC: as the player has it. */
const MAX_FACE_VALUE = 100_000n;
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
	#rejected = 0;
	/** The session key is used up, or too old: another one is to be authorised. */
	#worn = false;
	/** Most that the present key may spend, micro-USDC. */
	#limit = 0n;
	#succeeding = false;
	/** Counts the keys that were gone over to: who waits for the follower of one before gives up. */
	#round = 0;
	/** The relayer is not to be trusted again. */
	#distrusted = false;
	#finished = false;
	/** The page wants no more of this. */
	#stopped = false;

	constructor(private readonly watch: Watch) {}

	async run(): Promise<void> {
		state("connecting");
		const about = await this.#reached();
		const stream = this.#stream(about);
		if (stream === undefined) return state("no-relayer", "This relayer does not carry the stream.");
		tell({kind: "about", title: stream.title, relayer: about.account, genesis: about.genesis, pricePerGb: BigInt(stream.pricePerGb)});
		if (this.watch.account === undefined) return state("needs-account");
		const name = `${about.genesis}/${toHex(this.watch.account)}`;
		// Two of them would number payments alike.
		await navigator.locks.request(`clustercast ${name}`, {ifAvailable: true}, async (lock) => {
			if (lock === null) return state("other-tab");
			this.#session = await session(name);
			this.#worn = await this.#isFollowed(name);
			do {
				this.#round++;
				if (this.#worn) this.#session = await renew(name);
				this.#worn = this.#succeeding = false;
				this.#finished = this.#stopped;
				this.#core = await Core.load();
				await this.#funded();
			} while (this.#worn && !this.#stopped);
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
	async #funded(): Promise<void> {
		// The key before may have lasted for days: what is asked for is reckoned from the head of now.
		let about = await this.#reached();
		const account = this.watch.account!;
		const genesis = fromHex(about.genesis);
		let shown = false;
		for (;;) {
			const found = await this.#account(account);
			const own = toHex(this.#session.public);
			const authorised = found?.sessions.find(({key}) => key === own);
			if (found !== undefined && authorised !== undefined && authorised.expiry > about.head + LAST_BLOCKS) {
				tell({kind: "authorised", name: this.#session.name, key: own});
				this.#limit = BigInt(authorised.limit);
				// It may have taken the wallet's owner long: receipts of now are of another block than then.
				about = await this.#reached();
				const stream = this.#stream(about);
				if (stream === undefined) return state("no-relayer", "This relayer does not carry the stream any more.");
				if (BigInt(stream.pricePerGb) > this.watch.maxPricePerGb) {
					tell({kind: "asks", pricePerGb: BigInt(stream.pricePerGb)});
					return state("dear");
				}
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
						limit: this.#limit,
						deposit: BigInt(found.deposit) - BigInt(found.reserved),
						maxPricePerGb: this.watch.maxPricePerGb,
						maxFaceValue: MAX_FACE_VALUE,
						purse: this.#session.purse,
					},
				});
				return this.#watchOn(about);
			}
			if (authorised !== undefined) {
				this.#worn = true;
				return;
			}
			if (!shown && found !== undefined && !this.#finished) {
				shown = true;
				await this.#askFor(about, this.#session, found, false);
				state("needs-session");
			}
			if (this.#finished) return;
			await sleep(LOOK);
			if (this.#finished) return;
		}
	}

	/** Whether the key that is to follow was authorised while nobody looked. */
	async #isFollowed(name: string): Promise<boolean> {
		const next = await heir(name);
		if (next === undefined) return false;
		return has(await this.#account(this.watch.account!), toHex(next.public));
	}

	/** Tells the page what a wallet is to authorise. */
	async #askFor(about: About, session: Session, account: Account, follows: boolean): Promise<void> {
		const proof = await sign(session, this.#core.proof(fromHex(about.genesis), this.watch.account!));
		const life = Math.min(SESSION_LIFE, about.maxSessionLife);
		const until = Date.now() + life * BLOCK;
		const asked = {name: session.name, key: toHex(session.public), proof: toHex(proof), expiry: about.head + life, until};
		const held = {sessions: account.sessions.length, escrow: BigInt(account.deposit), worth: worth(account)};
		tell({kind: "session", ...asked, ...held, follows});
	}

	/** The key that is to follow: until a wallet has authorised it, the present one pays on. */
	async succeed(): Promise<void> {
		if (this.#succeeding || this.#session === undefined || this.#finished) return;
		this.#succeeding = true;
		const round = this.#round;
		const isOver = () => this.#finished || round !== this.#round;
		const next = await successor(this.#session.name);
		let before: Account | undefined;
		while (!isOver() && (before = await this.#account(this.watch.account!)) === undefined) await sleep(LOOK);
		const about = await this.#reached();
		if (isOver() || before === undefined) return;
		await this.#askFor(about, {...next, name: this.#session.name}, before, true);
		for (const own = toHex(next.public); !isOver(); await sleep(LOOK)) {
			const found = await this.#account(this.watch.account!);
			if (isOver()) return;
			if (!follows(own, toHex(this.#session.public), found)) continue;
			// What came is paid from the present key; the next one begins with a connection of its own.
			this.#worn = true;
			return this.leave();
		}
	}

	/** Another key in place of one that the chain did not take with its deposit, by the relayer's word: what agents say is not enough. */
	async replace(key: string, least: bigint): Promise<void> {
		const round = this.#round;
		const found = this.#session === undefined ? undefined : await this.#account(this.watch.account!);
		if (this.#finished || round !== this.#round || !refused(key, least, found)) return;
		if (toHex(this.#session.public) === key) {
			this.#worn = true;
			return this.leave();
		}
		const {name} = this.#session;
		const next = await heir(name);
		if (next === undefined || toHex(next.public) !== key || round !== this.#round) return;
		this.#round++;
		this.#succeeding = false;
		await disown(name, next);
		return this.succeed();
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
			for (let wait: number = AGAIN[0]; !this.#distrusted && !this.#finished; ) {
				const payments = this.#payments;
				const why = await this.#attempt(about);
				if (this.#distrusted || this.#finished) return;
				state("no-relayer", why);
				// What it takes for progress is a payment that arrived: a relayer that refuses each time is asked less and less.
				wait = this.#payments > payments ? AGAIN[0] : Math.min(2 * wait, AGAIN[1]);
				await sleep(wait * (1 + Math.random() / 2));
				if (this.#finished) return;
				about = await this.#reached();
			}
		} finally {
			clearInterval(ticking);
			clearInterval(learning);
		}
	}

	/** That arrived. */
	#payments = 0;
	/** Of this attempt. */
	#windows = 0;

	/** A page cannot know which of two certificates it was shown, so it asks for one after the other. */
	async #open({port, path, certificates}: About): Promise<[Subscription, Uint8Array]> {
		const host = this.watch.host.includes(":") ? `[${this.watch.host}]` : this.watch.host;
		let failed: unknown = new Error("The relayer shows no certificate.");
		for (const certificate of certificates.map(fromHex)) {
			try {
				return [await Subscription.open(`https://${host}:${port}${path}`, certificate, OPENING), certificate];
			} catch (error) {
				failed = error;
			}
		}
		throw failed;
	}

	/** One connection, to its end: why. */
	async #attempt(about: About): Promise<string> {
		const stream = this.#stream(about);
		if (stream === undefined) return "This relayer does not carry the stream any more.";
		this.#windows = 0;
		const over = new Promise<string>((resolve) => (this.#over = resolve));
		try {
			const [subscription, certificate] = await this.#open(about);
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
			await this.#work();
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
			// What could not be stored is not signed, and a machine that broke is not asked again: the next page load goes on with what
			// was stored before.
			this.#finished = true;
			state("refused", String(error));
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
				await storePurse(this.#session, output.purse);
				return this.#core.stored(output.number);
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
			case "money":
				if (output.paid) this.#payments++;
				return tell({kind: "money", spent: output.spent, left: output.left, limit: this.#limit});
			case "silence":
				return state(({none: "playing", pause: "paused", absence: "absent", over: "ended"} as const)[output.silence]);
			case "cannot-pay":
				this.#finished = this.#worn = true;
				return this.#over?.(output.reason);
			case "ended":
				if (output.gone) this.#core.goLive();
				if (output.finished) {
					this.#finished = true;
					state("ended");
				}
				return this.#over?.(`The relayer ended it: ${output.reason}.`);
			case "fault":
				if (output.rejected) tell({kind: "rejected", count: ++this.#rejected});
				if (output.blame !== "none") {
					this.#distrusted = true;
					state(output.blame === "terms" ? "refused" : "fault", output.reason);
				}
				return this.#over?.(output.reason);
			case "failed":
				return this.#over?.(output.reason);
		}
	}

	/** The same, and nothing is to follow. */
	stop(): void {
		this.#stopped = true;
		this.leave();
	}

	/** Pays what came, and stops. */
	leave(): void {
		this.#finished = true;
		if (this.#subscription === undefined) return;
		this.#core.leave();
		void this.#work();
		setTimeout(() => this.#over?.("stopped"), SETTLE);
	}
}

let watching: Watching | undefined;
/** One behind the other: the one before has the session key until it is over. */
let running = Promise.resolve();
onmessage = ({data}: MessageEvent<ToWorker>) => {
	if (data.kind === "succeed") return void watching?.succeed();
	if (data.kind === "replace") return void watching?.replace(data.key, data.worth);
	watching?.stop();
	if (data.kind === "leave") return state("stopped");
	const next = (watching = new Watching(data));
	running = running.then(() => next.run()).catch((error: unknown) => state("refused", String(error)));
};
