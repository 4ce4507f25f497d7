// The machines of the protocol (web/core, WebAssembly): what they are given and what they say. web/core/src/abi.rs has the functions.
import wasm from "./core.wasm?url";
import {Reader, Writer} from "./scale.ts";

export interface Facts {
	key: Uint8Array;
	former: Uint8Array[];
	terms: number;
	head: number;
}

export interface Payer {
	account: Uint8Array;
	session: Uint8Array;
	expiry: number;
	maxTicketLife: number;
	/** Of the key, in its whole life; and what the deposit has that is free. */
	limit: bigint;
	deposit: bigint;
	maxPricePerGb: bigint;
	maxFaceValue: bigint;
	purse: Uint8Array | undefined;
}

export interface Config {
	genesis: Uint8Array;
	stream: bigint;
	track: number;
	facts: Facts;
	payer: Payer;
}

export interface Relayer {
	key: Uint8Array;
	account: Uint8Array;
	certificate: Uint8Array;
	/** Signed, as the relayer wrote it. */
	notice: Uint8Array;
}

/** Why a relayer ended it. */
export type End = "over" | "gone" | "full" | "absent" | "other";

export type Silence = "none" | "pause" | "absence" | "over";

export type Blame = "none" | "terms" | "broken";

export type Output =
	| {kind: "send"; bytes: Uint8Array}
	| {kind: "store"; number: number; purse: Uint8Array}
	| {kind: "sign"; number: number; payload: Uint8Array}
	| {kind: "terms"; pricePerGb: bigint}
	| {kind: "init"; codecs: string; title: string; data: Uint8Array}
	| {kind: "window"; epoch: number; startMs: number; durationMs: number; data: Uint8Array}
	| {kind: "skipped"}
	| {kind: "money"; spent: bigint; left: bigint; paid: boolean}
	| {kind: "silence"; silence: Silence}
	| {kind: "cannot-pay"; reason: string}
	| {kind: "ended"; end: End; reason: string}
	| {kind: "fault"; blame: Blame; rejected: boolean; reason: string}
	| {kind: "failed"; reason: string}
	| {kind: "late"};

/** What a stream of chunks begins with, behind the name of its subscription. */
export const PREFIX = 40;

interface Exports extends WebAssembly.Exports {
	memory: WebAssembly.Memory;
	input(length: number): number;
	open(length: number, elapsed: bigint, unix: bigint): number;
	connect(length: number): number;
	disconnected(): void;
	leave(): void;
	go_live(): void;
	tick(elapsed: bigint, unix: bigint): void;
	learn(length: number): number;
	said(length: number): void;
	begin(length: number): bigint;
	chunks(body: number, length: number): void;
	end(body: number, ended: number): void;
	stored(number: number): void;
	signed(number: number, length: number): number;
	proof(length: number): number;
	poll(): number;
	answer(): number;
	length(): number;
}

/** One viewer. */
export class Core {
	private constructor(private readonly wasm: Exports) {}

	static async load(): Promise<Core> {
		const {instance} = await WebAssembly.instantiateStreaming(fetch(wasm), {});
		return new Core(instance.exports as Exports);
	}

	open({genesis, stream, track, facts, payer}: Config): void {
		const config = new Writer().raw(genesis).u64(stream).u16(track);
		writeFacts(config, facts);
		config.raw(payer.account).key(payer.session).u32(payer.expiry).u32(payer.maxTicketLife).u128(payer.limit).u128(payer.deposit);
		config.u64(payer.maxPricePerGb).u128(payer.maxFaceValue).option(payer.purse, (purse) => config.bytes(purse));
		this.#judge(this.wasm.open(this.#write(config.finish()), ...clocks()));
	}

	connect({key, account, certificate, notice}: Relayer): void {
		this.#judge(this.wasm.connect(this.#write(new Writer().key(key).raw(account).raw(certificate).raw(notice).finish())));
	}

	disconnected(): void {
		this.wasm.disconnected();
	}

	leave(): void {
		this.wasm.leave();
	}

	goLive(): void {
		this.wasm.go_live();
	}

	tick(): void {
		this.wasm.tick(...clocks());
	}

	learn(facts: Facts): void {
		const writer = new Writer();
		writeFacts(writer, facts);
		this.#judge(this.wasm.learn(this.#write(writer.finish())));
	}

	said(bytes: Uint8Array): void {
		this.wasm.said(this.#write(bytes));
	}

	/** Its number; undefined where its window is not announced yet. */
	begin(prefix: Uint8Array): number | undefined {
		const number = Number(this.wasm.begin(this.#write(prefix)));
		return number < 0 ? undefined : number;
	}

	chunks(body: number, bytes: Uint8Array): void {
		this.wasm.chunks(body, this.#write(bytes));
	}

	end(body: number, ended: boolean): void {
		this.wasm.end(body, ended ? 1 : 0);
	}

	stored(number: number): void {
		this.wasm.stored(number);
	}

	signed(number: number, signature: Uint8Array): void {
		this.#judge(this.wasm.signed(number, this.#write(signature)));
	}

	/** What the session key signs so that the account's wallet can register it. */
	proof(genesis: Uint8Array, account: Uint8Array): Uint8Array {
		this.#judge(this.wasm.proof(this.#write(new Writer().raw(genesis).raw(account).finish())));
		return this.#answer(this.wasm.answer());
	}

	poll(): Output | undefined {
		const at = this.wasm.poll();
		return at === 0 ? undefined : readOutput(new Reader(this.#answer(at)));
	}

	#write(bytes: Uint8Array): number {
		// The memory may have grown: it is looked up behind the call.
		const at = this.wasm.input(bytes.length);
		new Uint8Array(this.wasm.memory.buffer, at, bytes.length).set(bytes);
		return bytes.length;
	}

	/** Copied: the memory is written again with the next call. */
	#answer(at: number): Uint8Array {
		return new Uint8Array(this.wasm.memory.buffer, at, this.wasm.length()).slice();
	}

	#judge(refused: number): void {
		if (refused !== 0) throw new Error(new TextDecoder().decode(this.#answer(this.wasm.answer())));
	}
}

function clocks(): [bigint, bigint] {
	return [BigInt(Math.floor(performance.now())), BigInt(Date.now())];
}

function writeFacts(writer: Writer, {key, former, terms, head}: Facts): void {
	writer.key(key).count(former.length);
	for (const other of former) writer.key(other);
	writer.u32(terms).u32(head);
}

const BLAMES: Blame[] = ["none", "terms", "broken"];
const ENDS: End[] = ["over", "gone", "full", "absent", "other"];
const SILENCES: Silence[] = ["none", "pause", "absence", "over"];

function readOutput(reader: Reader): Output {
	const kind = reader.u8();
	switch (kind) {
		case 0:
			return {kind: "send", bytes: reader.bytes()};
		case 1:
			return {kind: "store", number: reader.u32(), purse: reader.bytes()};
		case 2:
			return {kind: "sign", number: reader.u32(), payload: reader.bytes()};
		case 3:
			return {kind: "terms", pricePerGb: reader.u64()};
		case 4:
			return {kind: "init", codecs: reader.text(), title: reader.text(), data: reader.bytes()};
		case 5:
			return {
				kind: "window",
				epoch: reader.u32(),
				startMs: Number(reader.u64()),
				durationMs: reader.u32(),
				data: reader.bytes(),
			};
		case 6:
			return {kind: "skipped"};
		case 7:
			return {kind: "money", spent: reader.u128(), left: reader.u128(), paid: reader.bool()};
		case 8:
			return {kind: "silence", silence: SILENCES[reader.u8()] ?? "none"};
		case 9:
			return {kind: "cannot-pay", reason: reader.text()};
		case 10:
			return {kind: "ended", end: ENDS[reader.u8()] ?? "other", reason: reader.text()};
		case 11:
			return {kind: "fault", blame: BLAMES[reader.u8()] ?? "broken", rejected: reader.bool(), reason: reader.text()};
		case 12:
			return {kind: "failed", reason: reader.text()};
		case 13:
			return {kind: "late"};
		default:
			throw new RangeError(`no output ${kind}`);
	}
}
