// How fast a page's machines verify: the time of all calls into its WebAssembly while a stream plays, and beside it what the browser's own
// cryptography takes for the same bytes, without anything that the machines do besides (order, evidence, receipts, payments).

/** In a worker, before it loads its machines: counts what is spent in them, and the bytes of chunks that they are given. */
function count() {
	const load = WebAssembly.instantiateStreaming;
	const spent = (self.spent = {ms: 0, calls: 0, bytes: 0});
	WebAssembly.instantiateStreaming = async (...given) => {
		const {module, instance} = await load(...given);
		const timed = (name, call) => (...args) => {
			const began = performance.now();
			try {
				return call(...args);
			} finally {
				spent.ms += performance.now() - began;
				spent.calls++;
				if (name === "chunks") spent.bytes += args.at(-1);
			}
		};
		const entries = Object.entries(instance.exports).map(([name, value]) => [name, typeof value === "function" ? timed(name, value) : value]);
		return {module, instance: {exports: Object.fromEntries(entries)}};
	};
}

/** In the same worker: the same bytes by WebCrypto, in chunks of 16 KiB, one awaited after the other and all at once; and a signature. */
async function compare(bytes) {
	const [size, times] = [16_384, 100];
	const chunks = Array.from({length: Math.max(1, Math.floor(bytes / size))}, (_, n) => new Uint8Array(size).fill(n));
	const timed = async (act) => {
		const began = performance.now();
		await act();
		return performance.now() - began;
	};
	const digest = (chunk) => crypto.subtle.digest("SHA-256", chunk);
	const one = async () => {
		for (const chunk of chunks) await digest(chunk);
	};
	await one();
	const rate = (ms) => Math.round((chunks.length * size) / ms / 1_000);
	const {publicKey, privateKey} = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
	const signature = await crypto.subtle.sign("Ed25519", privateKey, chunks[0]);
	const verify = async () => {
		for (let n = 0; n < times; n++) await crypto.subtle.verify("Ed25519", publicKey, signature, chunks[0]);
	};
	return {
		hashMBpsOneByOne: rate(await timed(one)),
		hashMBpsAtOnce: rate(await timed(() => Promise.all(chunks.map(digest)))),
		verifyMicroseconds: Math.round((1_000 * (await timed(verify))) / times),
	};
}

/** Counts in the next worker of this page. To be asked for before the page is opened. */
export function meter(page) {
	const counted = page.waitForEvent("worker").then(async (worker) => {
		await worker.evaluate(count);
		return worker;
	});
	counted.catch(() => {});
	return async () => {
		const worker = await counted;
		const {ms, calls, bytes} = await worker.evaluate(() => self.spent);
		const machines = {bytes, calls, ms: Math.round(ms * 10) / 10, MBps: Math.round(bytes / ms / 1_000)};
		return {machines, webCrypto: await worker.evaluate(compare, bytes)};
	};
}
