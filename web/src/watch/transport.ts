// A subscription's streams over WebTransport: one both ways, and one for each range of chunks, which the relayer opens.

/** First byte of each stream of a subscription, either way; who opens it says behind it what it is called. */
const DELIVERY = 1;
const NAME = 4;

export class Subscription {
	private constructor(
		private readonly transport: WebTransport,
		private readonly writer: WritableStreamDefaultWriter<Uint8Array>,
		private readonly reader: ReadableStreamDefaultReader<Uint8Array>,
		/** Words that came behind the answer. */
		private rest: Uint8Array,
	) {}

	/** To who shows a certificate with this hash. */
	static async open(url: string, certificate: Uint8Array, within: number): Promise<Subscription> {
		const transport = new WebTransport(url, {
			serverCertificateHashes: [{algorithm: "sha-256", value: certificate as BufferSource}],
			congestionControl: "throughput",
		});
		// Told by what waits for it.
		transport.closed.catch(() => {});
		const late = setTimeout(() => transport.close(), within);
		try {
			return await Subscription.#on(transport);
		} finally {
			clearTimeout(late);
		}
	}

	static async #on(transport: WebTransport): Promise<Subscription> {
		await transport.ready;
		const stream = await transport.createBidirectionalStream();
		const writer = stream.writable.getWriter() as WritableStreamDefaultWriter<Uint8Array>;
		await writer.write(Uint8Array.of(DELIVERY, 0, 0, 0, 0));
		const reader = stream.readable.getReader() as ReadableStreamDefaultReader<Uint8Array>;
		const {value} = await reader.read();
		if (value === undefined || value[0] !== DELIVERY) throw new Error("the relayer does not take the stream");
		return new Subscription(transport, writer, reader, value.subarray(1));
	}

	async send(bytes: Uint8Array): Promise<void> {
		await this.writer.write(bytes);
	}

	/** What is said next; undefined at the end. */
	async hear(): Promise<Uint8Array | undefined> {
		if (this.rest.length > 0) {
			const said = this.rest;
			this.rest = new Uint8Array();
			return said;
		}
		return (await this.reader.read()).value;
	}

	/** The next stream of chunks; undefined when there are no more. */
	async *bodies(): AsyncGenerator<Body> {
		const streams = (this.transport.incomingUnidirectionalStreams as ReadableStream<ReadableStream<Uint8Array>>).getReader();
		for (;;) {
			const {value} = await streams.read();
			if (value === undefined) return;
			yield new Body(value.getReader());
		}
	}

	close(): void {
		try {
			this.transport.close();
		} catch {
			// It was not open, or no longer.
		}
	}
}

/** Chunks that come. */
export class Body {
	#held = new Uint8Array();

	constructor(private readonly reader: ReadableStreamDefaultReader<Uint8Array>) {}

	/** What it begins with, behind the subscription's name: so many bytes; undefined where it ends before. */
	async prefix(length: number): Promise<Uint8Array | undefined> {
		while (this.#held.length < NAME + length) {
			const {value} = await this.reader.read();
			if (value === undefined) return undefined;
			const joined = new Uint8Array(this.#held.length + value.length);
			joined.set(this.#held);
			joined.set(value, this.#held.length);
			this.#held = joined;
		}
		const prefix = this.#held.slice(NAME, NAME + length);
		this.#held = this.#held.slice(NAME + length);
		return prefix;
	}

	/** The next bytes; undefined at the end. */
	async next(): Promise<Uint8Array | undefined> {
		if (this.#held.length > 0) {
			const held = this.#held;
			this.#held = new Uint8Array();
			return held;
		}
		return (await this.reader.read()).value;
	}

	/** Wants no more of it. */
	async drop(): Promise<void> {
		await this.reader.cancel().catch(() => {});
	}
}
