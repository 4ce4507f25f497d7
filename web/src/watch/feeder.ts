// Windows to a <video>: appended as they come, held near the newest, taken out once they are old.

/** Behind the newest window by so much at the start, so that the next one is there in time, seconds. */
const HELD = 0.7;
/** Further behind than so many windows it goes on at the newest. */
const MOST_WINDOWS = 3;
/** What is kept of what was shown, seconds. */
const KEPT = 60;
/** Bytes that wait to be appended, at most: behind them nothing is shown, so nothing more is to be paid. */
const MOST_QUEUED = 32 << 20;

interface Managed {
	ManagedMediaSource?: typeof MediaSource;
}

const Source = (globalThis as Managed).ManagedMediaSource ?? globalThis.MediaSource;

interface Init {
	codecs: string;
	data: ArrayBuffer;
}

interface Window {
	epoch: number;
	startMs: number;
	durationMs: number;
	data: ArrayBuffer;
}

export class Feeder {
	#source: MediaSource | undefined;
	#buffer: SourceBuffer | undefined;
	#queue: (Init | Window)[] = [];
	#init: Init | undefined;
	#epoch: number | undefined;
	#window = 2;
	/** Capture of what is shown at the beginning of the media's time, Unix seconds. */
	#origin: number | undefined;
	#begun = false;
	/** The viewer wants it to play. */
	wanted = true;

	/** `failed` is told once nothing can be shown any more. */
	constructor(
		private readonly video: HTMLVideoElement,
		private readonly failed: (why: string) => void,
	) {
		video.disableRemotePlayback = true;
		video.addEventListener("waiting", () => this.#settle());
		video.addEventListener("error", () => this.failed(video.error?.message ?? "the browser cannot decode it"));
	}

	static supported(codecs?: string): boolean {
		return Source !== undefined && (codecs === undefined || Source.isTypeSupported(type(codecs)));
	}

	init(init: Init): void {
		this.#init = init;
		this.#queue.push(init);
		this.#next();
	}

	window(window: Window): void {
		if (this.#epoch !== undefined && this.#epoch !== window.epoch) this.#reset();
		this.#epoch = window.epoch;
		this.#window = window.durationMs / 1_000;
		this.#queue.push(window);
		if (this.#queue.reduce((sum, {data}) => sum + data.byteLength, 0) > MOST_QUEUED) {
			this.#queue = [];
			return this.failed("the browser takes no more video");
		}
		this.#next();
	}

	/** How far what is shown is behind its capture, seconds. */
	lag(): number | undefined {
		return this.#origin === undefined ? undefined : Date.now() / 1_000 - (this.#origin + this.video.currentTime);
	}

	/** Seconds that are here and not shown yet. */
	ahead(): number {
		const {buffered, currentTime} = this.video;
		return buffered.length === 0 ? 0 : buffered.end(buffered.length - 1) - currentTime;
	}

	/** Whether what is shown is as new as it can be. */
	isLive(): boolean {
		return this.ahead() < 2 * this.#window + HELD;
	}

	goLive(): void {
		const {buffered} = this.video;
		if (buffered.length === 0) return;
		const last = buffered.length - 1;
		this.video.currentTime = Math.max(buffered.start(last), buffered.end(last) - this.#window - HELD);
	}

	play(): void {
		this.wanted = true;
		if (!this.isLive()) this.goLive();
		void this.video.play().catch(() => {});
	}

	pause(): void {
		this.wanted = false;
		this.video.pause();
	}

	/** From the beginning, with whatever comes next. */
	clear(): void {
		this.#epoch = undefined;
		this.#init = undefined;
		this.#reset();
	}

	/** Another run of the broadcast has times of its own: from the beginning. */
	#reset(): void {
		this.#source = undefined;
		this.#buffer = undefined;
		this.#origin = undefined;
		this.#begun = false;
		this.#queue = this.#init === undefined ? [] : [this.#init];
	}

	#next(): void {
		const first = this.#queue[0];
		if (first === undefined || this.#buffer?.updating) return;
		if (this.#source === undefined) {
			// Nothing but an initialisation segment says what it is.
			if (!("codecs" in first)) return void this.#queue.shift();
			return this.#open();
		}
		if (this.#buffer === undefined) return;
		this.#queue.shift();
		if ("codecs" in first) this.#buffer.changeType(type(first.codecs));
		const before = this.#end();
		try {
			this.#buffer.appendBuffer(first.data);
		} catch (error) {
			if (!(error instanceof DOMException && error.name === "QuotaExceededError")) throw error;
			this.#evict(0);
			this.#queue.unshift(first);
			return;
		}
		if ("startMs" in first) this.#buffer.addEventListener("updateend", () => this.#appended(first, before), {once: true});
	}

	#open(): void {
		const source = new Source();
		this.#source = source;
		source.addEventListener(
			"sourceopen",
			() => {
				if (this.#source !== source || this.#init === undefined) return;
				URL.revokeObjectURL(url);
				source.duration = Infinity;
				this.#buffer = source.addSourceBuffer(type(this.#init.codecs));
				this.#buffer.addEventListener("updateend", () => this.#next());
				this.#next();
			},
			{once: true},
		);
		const url = URL.createObjectURL(source);
		this.video.src = url;
	}

	#end(): number {
		const buffered = this.#buffer?.buffered;
		return buffered === undefined || buffered.length === 0 ? 0 : buffered.end(buffered.length - 1);
	}

	#appended({startMs, durationMs}: Window, before: number): void {
		const {video} = this;
		const end = this.#end();
		if (end <= before) return;
		this.#origin = startMs / 1_000 - (end - durationMs / 1_000);
		const {buffered} = video;
		if (this.#source?.readyState === "open" && buffered.length > 0) this.#source.setLiveSeekableRange?.(buffered.start(0), end);
		if (!this.#begun) {
			this.#begun = true;
			video.currentTime = buffered.start(buffered.length - 1);
			setTimeout(() => this.wanted && void video.play().catch(() => {}), HELD * 1_000);
		} else if (this.wanted && this.ahead() > MOST_WINDOWS * this.#window) {
			this.goLive();
		}
		this.#settle();
		this.#evict(KEPT);
	}

	/** Over a hole that nothing fills. */
	#settle(): void {
		const {buffered, currentTime} = this.video;
		for (let n = 0; n < buffered.length; n++) {
			if (buffered.start(n) <= currentTime + 0.05 && currentTime < buffered.end(n)) return;
			if (buffered.start(n) > currentTime) {
				this.video.currentTime = buffered.start(n);
				return;
			}
		}
	}

	#evict(kept: number): void {
		const buffer = this.#buffer;
		const until = this.video.currentTime - kept;
		if (buffer !== undefined && !buffer.updating && buffer.buffered.length > 0 && buffer.buffered.start(0) < until - this.#window) {
			buffer.remove(0, until);
		}
	}
}

function type(codecs: string): string {
	return `video/mp4; codecs="${codecs}"`;
}
