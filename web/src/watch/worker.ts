// Watches: asks relayers what they serve, connects, moves bytes between streams and the machines, signs and stores what these ask for.
// What is verified goes to the page, by transfer. Which bytes are right and what is paid for them is decided in web/core alone, which
// relayer is turned to in roster.ts.
import {Core, PREFIX, type Blame, type End, type Facts, type Output} from "../core/core.ts";
import {fromHex, toHex} from "../core/scale.ts";
import {get, put} from "./database.ts";
import {disown, heir, renew, session, sign, storePurse, successor, type Session} from "./keys.ts";
import type {FromWorker, State, ToWorker, Watch} from "./messages.ts";
import {Roster, type Left, type Relayer, type Why} from "./roster.ts";
import {about as aboutAt, others, transportUrl, type About, type AboutStream} from "./statement.ts";
import {follows, has, refused, worth, type Account} from "./succession.ts";
import {Subscription, type Body} from "./transport.ts";

/** How often the relayer is asked what the chain says, milliseconds: three blocks. */
const LEARN = 6_000;
/** How often another one is asked for that, while the one that serves the page is away; and it, whether it is back. */
const AWAY = 30_000;
/** How often it is asked who else there is, and how old what another one says of itself may be. */
const FRESH = 60_000;
/** Relayers of which that is at hand, beside the one that sends. */
const AT_HAND = 2;
/** How often the machines look at the clock. */
const TICK = 100;
/** Between two looks at whether a wallet has authorised the session key. */
const LOOK = 2_000;
/** Between two attempts, at first and at most; and some more by chance, so that not all come at once. */
const AGAIN = [500, 30_000] as const;
/** Opening a connection, with its stream: where nobody else is there; and where somebody is, longer than it takes on any usual line. */
const OPENING = [4_000, 1_500] as const;
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
const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** What it means for a relayer. */
const ENDS: Record<End, Why> = {over: "ended", gone: "gone", full: "full", absent: "absent", other: "ended"};
const BLAMES: Record<Blame, Why> = {none: "ended", terms: "refused", broken: "lied"};

/** The stream with this number, of what a relayer carries. */
const of = ({streams}: About, stream: number) => streams.find(({id}) => id === stream);

class Watching {
	#core!: Core;
	#session!: Session;
	#subscription: Subscription | undefined;
	/** One at a time: what is to be stored is stored before what stands behind it is signed. */
	#working = false;
	/** Waiting for the relayer's next words. */
	#parked: (() => void)[] = [];
	/** Leaves the relayer that sends. */
	#over: ((why: Why, reason: string) => void) | undefined;
	/** Ends a wait for a relayer. */
	#stir: (() => void) | undefined;
	#roster!: Roster;
	/** The one that serves this page: what it says of the chain counts. */
	#host!: string;
	/** What the chain has of the stream, by its word. */
	#facts!: Omit<Facts, "head">;
	#stream!: number;
	/** It did not answer, and is not asked before this. */
	#awayUntil = 0;
	/** What others said of themselves, by their keys. */
	#statements = new Map<string, {about: About; at: number}>();
	/** Verified bytes, by relayer, of those that were turned to. */
	#shares = new Map<string, number>();
	/** The relayer that sends. */
	#present: string | undefined;
	/** Why the last one was left. */
	#last: {why: Why; reason: string} = {why: "lost", reason: ""};
	#rejected = 0;
	/** The session key is used up, or too old: another one is to be authorised. */
	#worn = false;
	/** Most that the present key may spend, micro-USDC. */
	#limit = 0n;
	#succeeding = false;
	/** Counts the keys that were gone over to: who waits for the follower of one before gives up. */
	#round = 0;
	#finished = false;
	/** The page wants no more of this. */
	#stopped = false;

	constructor(private readonly watch: Watch) {}

	async run(): Promise<void> {
		state("connecting");
		const about = await this.#reached();
		const stream = this.#wanted(about);
		if (stream === undefined) return state("no-relayer", "This relayer does not carry the stream.");
		tell({kind: "about", title: stream.title, genesis: about.genesis, pricePerGb: BigInt(stream.pricePerGb)});
		if (this.watch.account === undefined) return state("needs-account");
		const name = `${about.genesis}/${toHex(this.watch.account)}`;
		// Two of them would number payments alike.
		await navigator.locks.request(`clustercast ${name}`, {ifAvailable: true}, async (lock) => {
			if (lock === null) return state("other-tab");
			this.#session = await session(name);
			this.#worn = await this.#isFollowed(name);
			await this.#meet(about, stream);
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

	/** What was remembered of relayers; and the one that serves the page, the first of them. */
	async #meet(about: About, stream: AboutStream): Promise<void> {
		const chance = crypto.getRandomValues(new Uint8Array(32));
		const tie = (key: string) => fromHex(key).reduce((sum, byte, at) => sum + (byte ^ chance[at % 32]!), 0);
		this.#host = about.key;
		this.#stream = stream.id;
		const remembered = await get<{left: Left[]}>("relayers", about.genesis);
		this.#roster = new Roster(this.watch.maxPricePerGb, about.key, tie, remembered?.left);
	}

	async #remember(genesis: string): Promise<void> {
		await put("relayers", {name: genesis, left: this.#roster.left(Date.now())});
	}

	/** Until the relayer answers: it may be starting. */
	async #reached(): Promise<About> {
		for (let wait: number = AGAIN[0]; ; wait = Math.min(2 * wait, AGAIN[1])) {
			try {
				return await aboutAt(this.watch.base);
			} catch {
				state("no-relayer", "The relayer does not answer.");
				await sleep(wait);
			}
		}
	}

	/** Of the one that serves the page. */
	#wanted({streams}: About): AboutStream | undefined {
		const wanted = this.watch.stream;
		return wanted === undefined ? streams[0] : streams.find(({id}) => BigInt(id) === wanted);
	}

	/** What the one that serves the page says. */
	#hostSays(about: About, {signingKey, previousKeys, termsCounter, pricePerGb}: AboutStream): Facts {
		const {key, account} = about;
		this.#facts = {key: fromHex(signingKey), former: previousKeys.map(fromHex), terms: termsCounter};
		this.#statements.set(key, {about, at: Date.now()});
		this.#roster.add([{key, account, web: this.watch.base, pricePerGb: BigInt(pricePerGb)}], Date.now());
		return {...this.#facts, head: about.head};
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
				const stream = this.#wanted(about);
				if (stream === undefined) return state("no-relayer", "This relayer does not carry the stream any more.");
				this.#core.open({
					genesis,
					stream: BigInt(stream.id),
					track: TRACK,
					facts: this.#hostSays(about, stream),
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
				return this.#watchOn(about.genesis);
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

	async #watchOn(genesis: string): Promise<void> {
		const looking = this.#look();
		const timers = [
			setInterval(() => {
				this.#core.tick();
				void this.#work();
			}, TICK),
			setInterval(() => void this.#learn(), LEARN),
			setInterval(() => void this.#look(), FRESH),
		];
		try {
			while (!this.#finished) {
				let next = this.#roster.next(Date.now());
				if (next.kind === "dear" || next.kind === "nobody") {
					// Others may ask less, or do better.
					await looking;
					next = this.#roster.next(Date.now());
				}
				if (this.#finished) return;
				switch (next.kind) {
					case "try":
						await this.#attempt(next.relayer, genesis);
						break;
					case "live":
						this.#core.goLive();
						break;
					case "wait":
						state("no-relayer", this.#last.reason);
						// Not all at once.
						await Promise.race([sleep(next.ms * (1 + Math.random() / 2)), new Promise<void>((resolve) => (this.#stir = resolve))]);
						break;
					case "dear":
						tell({kind: "asks", pricePerGb: next.pricePerGb});
						return state("dear");
					case "nobody":
						return state(this.#last.why === "refused" ? "refused" : "fault", this.#last.reason);
				}
			}
		} finally {
			timers.forEach(clearInterval);
		}
	}

	/** That arrived. */
	#payments = 0;
	/** Of this attempt. */
	#windows = 0;

	/** Who else there is; and what those say of themselves who are next. */
	async #look(): Promise<void> {
		if (Date.now() >= this.#awayUntil) {
			try {
				this.#roster.add(await others(this.watch.base, this.#stream), Date.now());
			} catch {
				// Those that are known are.
			}
		}
		await this.#prepare();
		this.#stir?.();
	}

	/** What those say of themselves who are next: at hand when they are needed. */
	async #prepare(): Promise<void> {
		const next = this.#roster.behind(this.#present ?? this.#host, AT_HAND, Date.now());
		const old = next.filter(({key}) => Date.now() >= (this.#statements.get(key)?.at ?? 0) + FRESH);
		const asked = old.map((relayer) =>
			this.#ask(relayer).then(
				(about) => of(about, this.#stream) ?? this.#roster.report(relayer.key, "absent", false, Date.now()),
				() => this.#roster.report(relayer.key, "lost", false, Date.now()),
			),
		);
		await Promise.all(asked);
	}

	/** What a relayer says of itself now. */
	async #ask({key, web}: Relayer): Promise<About> {
		const about = await aboutAt(web);
		if (about.key !== key) throw new Error("Another relayer answers there.");
		this.#statements.set(key, {about, at: Date.now()});
		const stream = of(about, this.#stream);
		if (stream !== undefined) this.#roster.asks(key, BigInt(stream.pricePerGb));
		return about;
	}

	/** Connects to who shows one of these certificates: a page cannot know which of two it was shown, so it asks for one after the other. */
	async #connect({key, web}: Relayer, about: About): Promise<[Subscription, Uint8Array]> {
		let failed: unknown = new Error("The relayer shows no certificate.");
		const begun = Date.now();
		const within = OPENING[this.#roster.behind(key, 1, begun).length > 0 ? 1 : 0];
		for (const certificate of about.certificates.map(fromHex)) {
			try {
				return [await Subscription.open(transportUrl(web, about), certificate, within), certificate];
			} catch (error) {
				failed = error;
				// Nobody is there.
				if (Date.now() >= begun + within) break;
			}
		}
		throw failed;
	}

	/** With what it said of itself a while ago, where that is enough: it may have other certificates since. */
	async #open(relayer: Relayer): Promise<[Subscription, Uint8Array, About]> {
		const kept = this.#statements.get(relayer.key)?.about;
		if (kept !== undefined && of(kept, this.#stream) !== undefined) {
			try {
				return [...(await this.#connect(relayer, kept)), kept];
			} catch (error) {
				this.#statements.delete(relayer.key);
				const about = await this.#ask(relayer).catch(() => undefined);
				if (about === undefined || about.certificates.join() === kept.certificates.join()) throw error;
				return [...(await this.#connect(relayer, about)), about];
			}
		}
		const about = await this.#ask(relayer);
		return [...(await this.#connect(relayer, about)), about];
	}

	/** One relayer, until it is left. */
	async #attempt(relayer: Relayer, genesis: string): Promise<void> {
		const payments = this.#payments;
		this.#windows = 0;
		this.#present = relayer.key;
		this.#shares.set(relayer.key, this.#shares.get(relayer.key) ?? 0);
		const over = new Promise<{why: Why; reason: string}>((resolve) => (this.#over = (why, reason) => resolve({why, reason})));
		let left: {why: Why; reason: string};
		try {
			const [subscription, certificate, about] = await this.#open(relayer);
			this.#subscription = subscription;
			const stream = of(about, this.#stream);
			if (this.#finished) return;
			if (stream === undefined) left = {why: "absent", reason: "The relayer does not carry the stream."};
			else {
				const {key, account} = relayer;
				this.#core.connect({key: fromHex(key), account: fromHex(account), certificate, notice: fromHex(stream.notice)});
				void this.#hear(subscription);
				void this.#take(subscription);
				void this.#prepare();
				await this.#work();
				left = await over;
			}
		} catch (error) {
			left = {why: "lost", reason: textOf(error)};
		} finally {
			this.#subscription?.close();
			this.#subscription = undefined;
			this.#core.disconnected();
			await this.#work();
			this.#wake();
		}
		this.#present = undefined;
		if (this.#finished) return;
		this.#last = left;
		// It may be started anew, with other certificates.
		this.#statements.delete(relayer.key);
		// What it takes for progress is a payment that arrived: a relayer that refuses each time is asked less and less.
		this.#roster.report(relayer.key, left.why, this.#payments > payments, Date.now());
		this.#tellSources();
		// The picture does not wait for it.
		void this.#remember(genesis).catch(() => {});
	}

	/** Who brought how much, and who was left. */
	#tellSources(): void {
		const left = this.#roster.left(Date.now());
		const source = ([key, bytes]: [string, number]) => ({
			key,
			bytes,
			sends: key === this.#present,
			left: left.find((other) => other.key === key)?.why,
		});
		tell({kind: "sources", sources: [...this.#shares].map(source)});
	}

	/** What the chain says, by the one that serves the page. While that is away the one that sends may say how far the chain is, and no more:
	    where that is untrue it is its own loss. */
	async #learn(): Promise<void> {
		const now = Date.now();
		try {
			if (now < this.#awayUntil) throw new Error("It is away.");
			const about = await aboutAt(this.watch.base);
			const stream = this.#wanted(about);
			if (stream !== undefined) this.#core.learn(this.#hostSays(about, stream));
		} catch {
			if (now < this.#awayUntil) return;
			this.#awayUntil = now + AWAY;
			const present = this.#roster.known(this.#present ?? this.#host);
			// What was said before holds until somebody answers.
			if (present === undefined || present.key === this.#host) return;
			const about = await this.#ask(present).catch(() => undefined);
			if (about !== undefined && this.#present === present.key) this.#core.learn({...this.#facts, head: about.head});
		}
	}

	async #hear(subscription: Subscription): Promise<void> {
		try {
			for (let said; (said = await subscription.hear()) !== undefined; ) {
				if (this.#subscription !== subscription) return;
				this.#core.said(said);
				this.#wake();
				await this.#work();
			}
			this.#lost(subscription, "The relayer closed the stream.");
		} catch {
			this.#lost(subscription, "The connection was lost.");
		}
	}

	/** Where it was not left before. */
	#lost(subscription: Subscription, reason: string): void {
		if (this.#subscription === subscription) this.#over?.("lost", reason);
	}

	/** Bodies that wait may be announced by now. */
	#wake(): void {
		for (const wake of this.#parked.splice(0)) wake();
	}

	async #take(subscription: Subscription): Promise<void> {
		try {
			for await (const body of subscription.bodies()) void this.#read(subscription, body);
		} catch {
			this.#lost(subscription, "The connection was lost.");
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
			this.#over?.("ended", String(error));
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
				if (this.#present !== undefined) {
					this.#shares.set(this.#present, (this.#shares.get(this.#present) ?? 0) + data.byteLength);
					this.#tellSources();
				}
				return tell({kind: "window", epoch, startMs, durationMs, bytes: data.byteLength, data}, [data]);
			}
			case "skipped":
				if (this.#present !== undefined && this.#roster.skipped(this.#present, Date.now())) this.#over?.("slow", "It passes windows over.");
				return;
			case "late": {
				const served = this.#windows > 0;
				if (this.#present !== undefined && this.#roster.late(this.#present, served, Date.now())) this.#over?.("silent", "Nothing came any more.");
				return;
			}
			case "money":
				if (output.paid) this.#payments++;
				return tell({kind: "money", spent: output.spent, left: output.left, limit: this.#limit});
			case "silence":
				return state(({none: "playing", pause: "paused", absence: "absent", over: "ended"} as const)[output.silence]);
			case "cannot-pay":
				this.#finished = this.#worn = true;
				return this.#over?.("ended", output.reason);
			case "ended":
				if (output.end === "over") {
					this.#finished = true;
					state("ended");
				}
				return this.#over?.(ENDS[output.end], `The relayer ended it: ${output.reason}.`);
			case "fault":
				if (output.rejected) tell({kind: "rejected", count: ++this.#rejected});
				return this.#over?.(BLAMES[output.blame], output.reason);
			case "failed":
				return this.#over?.("silent", output.reason);
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
		this.#stir?.();
		if (this.#subscription === undefined) return;
		this.#core.leave();
		void this.#work();
		setTimeout(() => this.#over?.("ended", "stopped"), SETTLE);
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
