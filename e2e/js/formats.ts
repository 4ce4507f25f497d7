// The formats of docs/protocol.md that a browser reads and writes. Strict and total: bytes that are not exactly one valid
// value throw a FormatError, and so do values that have no bytes. Depends on nothing; whoever uses it brings SHA-256.

/** What is wrong with bytes or a value. */
export type Fault =
	| "too short" // ends before the value does
	| "too long" // goes on behind it
	| "count" // more than there may be, or not written as short as it can be
	| "scheme" // a key of a scheme that is not known
	| "text" // not UTF-8, or with control characters
	| "order" // what has to ascend does not, or there is none where one has to be
	| "range" // a number that its field cannot have
	| "hash"; // a root or hash of something else

export class FormatError extends Error {
	readonly fault: Fault;

	constructor(fault: Fault, what: string) {
		super(`${fault}: ${what}`);
		this.fault = fault;
	}
}

function must(holds: boolean, fault: Fault, what: string): asserts holds {
	if (!holds) throw new FormatError(fault, what);
}

class Reader {
	readonly bytes: Uint8Array;
	at = 0;

	constructor(bytes: Uint8Array) {
		this.bytes = bytes;
	}

	take(length: number): Uint8Array {
		must(length <= this.bytes.length - this.at, "too short", `${length} bytes`);
		this.at += length;
		return this.bytes.slice(this.at - length, this.at);
	}
}

/** How values of a type are read and written. */
export interface Format<T> {
	read(from: Reader): T;
	/** Appends to `to`. */
	write(value: T, to: number[]): void;
}

/** The value that these bytes are, all of them. */
export function decode<T>(format: Format<T>, bytes: Uint8Array): T {
	const reader = new Reader(bytes);
	const value = format.read(reader);
	must(reader.at === bytes.length, "too long", `${bytes.length - reader.at} bytes behind the end`);
	return value;
}

/** The bytes of a value. */
export function encode<T>(format: Format<T>, value: T): Uint8Array {
	const bytes: number[] = [];
	format.write(value, bytes);
	return Uint8Array.from(bytes);
}

// Integers of at most 32 bits are numbers, wider ones are bigints.

function narrow(width: number): Format<number> {
	return {
		read: (from) => from.take(width).reduceRight((number, byte) => number * 256 + byte, 0),
		write(value, to) {
			must(Number.isInteger(value) && value >= 0 && value < 256 ** width, "range", `${value}`);
			for (let i = 0; i < width; i++) to.push(Math.floor(value / 256 ** i) % 256);
		},
	};
}

function wide(width: number): Format<bigint> {
	return {
		read: (from) => from.take(width).reduceRight((number, byte) => (number << 8n) | BigInt(byte), 0n),
		write(value, to) {
			must(value >= 0n && value >> BigInt(8 * width) === 0n, "range", `${value}`);
			for (let i = 0; i < width; i++) to.push(Number((value >> BigInt(8 * i)) & 255n));
		},
	};
}

const u8 = narrow(1);
const u16 = narrow(2);
const u32 = narrow(4);
const u64 = wide(8);
const u128 = wide(16);

function raw(length: number): Format<Uint8Array> {
	return {
		read: (from) => from.take(length),
		write(value, to) {
			must(value.length === length, "range", `${value.length} bytes in place of ${length}`);
			for (const byte of value) to.push(byte);
		},
	};
}

const hash = raw(32);
const account = raw(32);
const signature = raw(64);

/** Ed25519, scheme 0. */
const key: Format<Uint8Array> = {
	read(from) {
		const scheme = u8.read(from);
		must(scheme === 0, "scheme", `${scheme}`);
		return from.take(32);
	},
	write(value, to) {
		to.push(0);
		raw(32).write(value, to);
	},
};

/** Compact, below 2^14: no format has more. */
function count(most: number): Format<number> {
	return {
		read(from) {
			const first = u8.read(from);
			must((first & 3) < 2, "count", "above 2^14");
			const number = (first & 3) === 0 ? first >> 2 : (first >> 2) | (u8.read(from) << 6);
			must((first & 3) === 0 || number >= 64, "count", `${number} in two bytes`);
			must(number <= most, "count", `${number}, at most ${most}`);
			return number;
		},
		write(value, to) {
			must(value <= most, "count", `${value}, at most ${most}`);
			if (value < 64) to.push(value << 2);
			else u16.write((value << 2) | 1, to);
		},
	};
}

function list<T>(item: Format<T>, most: number): Format<T[]> {
	return {
		read: (from) => Array.from({ length: count(most).read(from) }, () => item.read(from)),
		write(value, to) {
			count(most).write(value.length, to);
			for (const each of value) item.write(each, to);
		},
	};
}

function bytes(most: number): Format<Uint8Array> {
	return {
		read: (from) => from.take(count(most).read(from)),
		write(value, to) {
			count(most).write(value.length, to);
			for (const byte of value) to.push(byte);
		},
	};
}

function text(most: number): Format<string> {
	return {
		read(from) {
			const encoded = bytes(most).read(from);
			let value: string;
			try {
				value = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(encoded);
			} catch {
				throw new FormatError("text", "not UTF-8");
			}
			must(!/\p{Cc}/u.test(value), "text", "a control character");
			return value;
		},
		write(value, to) {
			must(!/[\p{Cc}\p{Cs}]/u.test(value), "text", "a control character, or half a pair of surrogates");
			bytes(most).write(new TextEncoder().encode(value), to);
		},
	};
}

type Shape = { [field: string]: Format<unknown> };
type Fields<S extends Shape> = { [F in keyof S]: S[F] extends Format<infer T> ? T : never };

/** Fields one after the other; `check` throws where they do not agree with each other. */
function struct<S extends Shape>(shape: S, check: (value: Fields<S>) => void = () => {}): Format<Fields<S>> {
	return {
		read(from) {
			const read = Object.entries(shape).map(([field, format]) => [field, format.read(from)]);
			const value = Object.fromEntries(read) as Fields<S>;
			check(value);
			return value;
		},
		write(value, to) {
			check(value);
			for (const [field, format] of Object.entries(shape)) format.write(value[field], to);
		},
	};
}

/** The type that a format reads. */
export type Of<F> = F extends Format<infer T> ? T : never;

function signed<T>(message: Format<T>): Format<{ message: T; signature: Uint8Array }> {
	return struct({ message, signature }) as Format<{ message: T; signature: Uint8Array }>;
}

function ascend(numbers: number[], what: string): void {
	must(numbers.every((number, i) => i === 0 || numbers[i - 1] < number), "order", what);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
	return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

// Trees.

const MAX_WIDTH = 1n << 40n;
const path = list(hash, 40);

export const proof = struct({ index: u64, width: u64, path });

export const history = struct({ count: u64, peaks: path }, ({ count, peaks }) => {
	const ones = [...count.toString(2)].filter((digit) => digit === "1").length;
	must(count < MAX_WIDTH && peaks.length === ones, "count", `${peaks.length} peaks of ${count} leaves`);
});

// Windows.

const item = struct({ kind: u16, data: bytes(256) });

export const items = struct({ items: list(item, 16) }, ({ items }) => {
	ascend(items.map(({ kind }) => kind), "kinds of items");
});

export const windowId = struct({ stream: u64, track: u16, epoch: u32, segment: u64, part: u16 });

/** Bits of a header's `flags`. */
export const flags = { independent: 1, lastPart: 2, discontinuity: 4 } as const;

/** SHA-256 of nothing: the root of no leaves. */
const EMPTY_ROOT = Uint8Array.from(
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".match(/../g) ?? [],
	(digits) => Number.parseInt(digits, 16),
);

export const window = struct(
	{
		id: windowId,
		number: u64,
		history: hash,
		flags: u16,
		startMs: u64,
		durationMs: u32,
		bytes: u32,
		chunks: u32,
		chunkLog2: u8,
		root: hash,
		catalog: hash,
		ext: hash,
	},
	(header) => {
		must((header.flags & 0xf8) === 0, "range", `flags ${header.flags}`);
		must(header.durationMs <= 60_000, "range", `${header.durationMs} ms`);
		must(header.bytes > 0 && header.bytes <= 8 << 20, "range", `${header.bytes} bytes`);
		must(header.chunkLog2 >= 12 && header.chunkLog2 <= 16, "range", `chunks of 2^${header.chunkLog2} bytes`);
		must(header.chunks === Math.ceil(header.bytes / 2 ** header.chunkLog2), "range", `${header.chunks} chunks`);
		must(header.number < MAX_WIDTH - 1n, "range", `number ${header.number}`);
		must(header.number > 0n || equal(header.history, EMPTY_ROOT), "hash", "a history of no windows");
	},
);

// Catalog and status.

const track = struct({
	id: u16,
	kind: u8,
	role: u8,
	language: text(35),
	codecs: text(128),
	bitrate: u32,
	width: u16,
	height: u16,
	rate: u32,
	timescale: u32,
	init: hash,
});

const protection = struct({ scheme: u8, keyId: raw(16), tracks: list(u16, 64) });

export const catalogBody = struct(
	{
		stream: u64,
		epoch: u32,
		number: u32,
		title: text(128),
		tracks: list(track, 64),
		protection: list(protection, 4),
		mirrors: list(text(256), 8),
	},
	({ tracks }) => {
		must(tracks.length > 0, "order", "no tracks");
		ascend(tracks.map(({ id }) => id), "tracks");
	},
);

export const catalog = struct({ stream: u64, epoch: u32, number: u32, hash });
export const signedCatalog = struct({ seal: signed(catalog), catalog: catalogBody });

export const status = struct(
	{ stream: u64, epoch: u32, number: u64, state: u8, atMs: u64, validMs: u32, after: hash, tracks: hash },
	({ state, validMs }) => {
		must(state <= 2, "range", `state ${state}`);
		must(validMs <= 10_000, "range", `${validMs} ms`);
	},
);

const trackState = struct({ track: u16, count: u64, last: hash, history: hash });

export const signedStatus = struct({ status: signed(status), tracks: list(trackState, 64) }, ({ tracks }) => {
	ascend(tracks.map(({ track }) => track), "tracks");
});

// What a viewer and a relayer sign for each other.

const binding = struct({ kind: u8, end: raw(32) }, ({ kind }) => must(kind <= 1, "range", `binding ${kind}`));

export const subscribe = struct(
	{ account, session: key, stream: u64, tracks: list(u16, 16), challenge: hash, binding },
	({ tracks }) => {
		must(tracks.length > 0, "order", "no tracks");
		ascend(tracks, "tracks");
	},
);

export const receipt = struct({
	kind: u8,
	context: hash,
	payer: hash,
	payee: account,
	key,
	stream: u64,
	root: hash,
	bytes: u64,
	price: u64,
	commitment: hash,
	block: u32,
});

export const delivery = struct({ header: hash, first: u32, count: u32, delivered: hash });
export const deliveries = list(delivery, 256);
export const opening = struct({ salt: hash, account, session: key });

export const ticket = struct({
	sender: account,
	session: key,
	recipient: account,
	stream: u64,
	kind: u8,
	context: hash,
	bytes: u64,
	faceValue: u128,
	winProbability: u64,
	commitment: hash,
	nonce: u64,
	expiry: u32,
});

export const voucher = struct({
	sender: account,
	session: key,
	recipient: account,
	stream: u64,
	kind: u8,
	context: hash,
	terms: u32,
	amount: u128,
	bytes: u64,
	expiry: u32,
});

export const reservation = struct({
	sender: account,
	session: key,
	recipient: account,
	counter: u32,
	cap: u128,
	reward: u128,
	submitBy: u32,
});

export const close = struct({ sender: account, session: key, recipient: account, counter: u32, submitBy: u32 });

export const tip = struct({
	sender: account,
	session: key,
	stream: u64,
	amount: u128,
	reward: u128,
	nonce: u64,
	expiry: u32,
});

export const sessionProof = struct({ account });

export const relayerNotice = struct({
	account,
	key,
	number: u64,
	stream: u64,
	addresses: list(text(128), 8),
	transports: u32,
	certificates: list(hash, 4),
	pricePerGb: u64,
	freeSeats: u32,
	path: list(account, 16),
	lagMs: u32,
	contact: text(128),
	reports: text(128),
	untilMs: u64,
});

export const report = struct({
	session: key,
	window: windowId,
	header: hash,
	reason: u8,
	text: text(512),
	atMs: u64,
});

export const qos = struct({
	session: key,
	stream: u64,
	relayer: account,
	fromMs: u64,
	durationMs: u32,
	bytes: u64,
	startUpMs: u32,
	stalls: u32,
	stalledMs: u32,
	latencyMs: u32,
	refused: u32,
	commitments: list(hash, 64),
});

// What is signed and hashed.

/** Domains, by format. */
export const domains = {
	window: "clustercast/window/v2",
	catalog: "clustercast/catalog/v1",
	status: "clustercast/status/v1",
	subscribe: "clustercast/subscribe/v1",
	receipt: "clustercast/receipt/v2",
	ticket: "clustercast/ticket/v2",
	voucher: "clustercast/voucher/v2",
	reservation: "clustercast/reservation/v1",
	close: "clustercast/close/v1",
	tip: "clustercast/tip/v2",
	sessionProof: "clustercast/session-proof/v1",
	relayerNotice: "clustercast/relayer-notice/v1",
	report: "clustercast/report/v1",
	qos: "clustercast/qos/v1",
	payer: "clustercast/payer/v2",
} as const;

export type Domain = keyof typeof domains;

/** SHA-256 of the parts, one after the other. */
export type Sha256 = (...parts: Uint8Array[]) => Uint8Array;

function ascii(domain: Domain): Uint8Array {
	return new TextEncoder().encode(domains[domain]);
}

/** The bytes that are signed. */
export function payload(domain: Domain, genesis: Uint8Array, encoded: Uint8Array): Uint8Array {
	return Uint8Array.from([...ascii(domain), ...genesis, ...encoded]);
}

/** Names a window header, catalog body, status or receipt. */
export function nameHash(sha256: Sha256, domain: Domain, encoded: Uint8Array): Uint8Array {
	return sha256(Uint8Array.of(0), ascii(domain), encoded);
}

/** What a receipt states of its payer. */
export function payer(sha256: Sha256, who: Of<typeof opening>): Uint8Array {
	return sha256(ascii("payer"), encode(opening, who));
}

export function leafHash(sha256: Sha256, data: Uint8Array): Uint8Array {
	return sha256(Uint8Array.of(0), data);
}

function nodeHash(sha256: Sha256, left: Uint8Array, right: Uint8Array): Uint8Array {
	return sha256(Uint8Array.of(1), left, right);
}

/** RFC 6962 root over leaf hashes. */
export function treeRoot(sha256: Sha256, leaves: Uint8Array[]): Uint8Array {
	let level = leaves;
	while (level.length > 1) {
		const above: Uint8Array[] = [];
		for (let i = 0; i < level.length; i += 2) {
			above.push(i + 1 < level.length ? nodeHash(sha256, level[i], level[i + 1]) : level[i]);
		}
		level = above;
	}
	return level[0] ?? EMPTY_ROOT;
}

/** Whether `leaf` stands where the proof says, in the tree of this root: RFC 9162, 2.1.3.2. */
export function verifyProof(sha256: Sha256, proven: Of<typeof proof>, root: Uint8Array, leaf: Uint8Array): boolean {
	if (proven.index >= proven.width || proven.width > MAX_WIDTH) return false;
	let [index, last, node] = [proven.index, proven.width - 1n, leaf];
	for (const sibling of proven.path) {
		if (last === 0n) return false;
		if (index % 2n === 1n || index === last) {
			node = nodeHash(sha256, sibling, node);
			while (index % 2n === 0n && index !== 0n) [index, last] = [index / 2n, last / 2n];
		} else {
			node = nodeHash(sha256, node, sibling);
		}
		[index, last] = [index / 2n, last / 2n];
	}
	return last === 0n && equal(node, root);
}

/** Root over the leaves of a history. */
export function historyRoot(sha256: Sha256, { peaks }: Of<typeof history>): Uint8Array {
	return peaks.length === 0 ? EMPTY_ROOT : peaks.reduceRight((right, left) => nodeHash(sha256, left, right));
}

/** A history with one more leaf. */
export function append(sha256: Sha256, { count, peaks }: Of<typeof history>, leaf: Uint8Array): Of<typeof history> {
	const kept = [...peaks];
	let node = leaf;
	for (let rest = count; rest % 2n === 1n; rest /= 2n) {
		const left = kept.pop();
		must(left !== undefined, "count", `${peaks.length} peaks of ${count} leaves`);
		node = nodeHash(sha256, left, node);
	}
	return { count: count + 1n, peaks: [...kept, node] };
}

function rootOf<T>(sha256: Sha256, format: Format<T>, parts: T[]): Uint8Array {
	return treeRoot(sha256, parts.map((part) => leafHash(sha256, encode(format, part))));
}

/** What a header states of its items. */
export function extRoot(sha256: Sha256, ext: Of<typeof items>): Uint8Array {
	return ext.items.length === 0 ? new Uint8Array(32) : rootOf(sha256, item, ext.items);
}

/** What a receipt states of its deliveries. */
export function deliveriesRoot(sha256: Sha256, all: Of<typeof deliveries>): Uint8Array {
	return rootOf(sha256, delivery, all);
}

/** Throws unless the seal is for the catalog. Says nothing of the signature. */
export function checkCatalog(sha256: Sha256, { seal, catalog: body }: Of<typeof signedCatalog>): void {
	const { stream, epoch, number, hash: named } = seal.message;
	const agrees = stream === body.stream && epoch === body.epoch && number === body.number;
	must(agrees && equal(named, nameHash(sha256, "catalog", encode(catalogBody, body))), "hash", "a seal for another catalog");
}

/** Throws unless the states are those of the status. Says nothing of the signature. */
export function checkStatus(sha256: Sha256, { status, tracks }: Of<typeof signedStatus>): void {
	must(equal(rootOf(sha256, trackState, tracks), status.message.tracks), "hash", "states of another status");
}

// What a ticket states.

/** Bytes rounded up to what a ticket can pay for. */
export function ticketBytes(bytes: bigint): bigint {
	return ((bytes + 65_535n) / 65_536n) * 65_536n;
}

/** Micro-USDC for so many bytes in all, rounded down. */
export function cost(bytes: bigint, pricePerGb: bigint): bigint {
	return (bytes * pricePerGb) / 1_000_000_000n;
}

/** Of 2^64; undefined where no ticket can express it. */
export function winProbability(bytes: bigint, pricePerGb: bigint, faceValue: bigint): bigint | undefined {
	const [owed, unit] = [bytes * pricePerGb, faceValue * 1_000_000_000n];
	const allowed = pricePerGb <= 1n << 40n && bytes < 1n << 40n && owed < unit && unit < 1n << 96n;
	return allowed ? (owed << 64n) / unit : undefined;
}
