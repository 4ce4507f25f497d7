// The stage: the picture, what is said over it, the controls and the figures. It feeds the video with what the worker says, and knows
// neither who pays nor how.
import {Feeder} from "../watch/feeder.ts";
import type {FromWorker, Source, State} from "../watch/messages.ts";
import type {Why} from "../watch/roster.ts";
import {el, icon, mark, pictured, relabel, row} from "./dom.ts";
import {megabytes, rate, share, usdc} from "./format.ts";

/** Windows over which the bit rate is taken. */
const RATED = 5;
/** What nobody's pointer touches for so long is shown without its controls, milliseconds. */
const IDLE = 3_000;

/** What each state says: a headline, and what to do. */
export type Says = Record<State, readonly [string, string]>;

export const SAYS: Says = {
	connecting: ["Connecting…", ""],
	"needs-account": ["Ready when you are", "Say who pays. The picture starts by itself."],
	"needs-session": ["Waiting for a signature", "It takes one. The picture starts by itself."],
	playing: ["", ""],
	paused: ["The broadcaster pauses", "The picture goes on by itself."],
	absent: ["Nothing is heard of the broadcaster", "The relayer is there, and waits as well."],
	ended: ["The broadcast is over", "Thank you for watching."],
	"no-relayer": ["No relayer", "Trying again."],
	dear: ["It costs more than usual", "Nothing is paid before you agree."],
	stopped: ["Stopped", "Nothing comes and nothing is paid. Play goes on live."],
	"no-money": ["The deposit is used up", "Top it up, and the picture goes on."],
	refused: ["This cannot be watched here", ""],
	fault: ["The relayer broke the rules", "It is not paid any more, and nothing that it sent is shown."],
	"other-tab": ["It plays in another tab", "One tab at a time pays from a session key."],
	unsupported: ["This browser cannot watch here yet", "It needs WebTransport and MediaSource. Chrome, Edge and Firefox have both."],
};

/** What became of a relayer that was left. */
const LEFT_FOR: Record<Why, string> = {
	lied: "lied",
	refused: "asks what is not accepted",
	absent: "does not carry it",
	full: "full",
	silent: "fell silent",
	slow: "too slow",
	lost: "connection lost",
	ended: "ended it",
	gone: "does not have the next window",
};

/** A relayer, its share of what was verified, and what became of it. */
function drawn({key, bytes, sends, left}: Source, all: Source[]): HTMLLIElement {
	const verified = all.reduce((sum, source) => sum + source.bytes, 0);
	const part = bytes === 0 ? [] : [share(bytes, verified)];
	const line = el("li", {"data-key": key}, [`${key.slice(0, 10)}…`, ...part, ...(left === undefined || sends ? [] : [LEFT_FOR[left]])].join(" · "));
	line.classList.toggle("sends", sends);
	return line;
}

/** What its owner does. */
export interface Acts {
	/** Watches, from now on. */
	start(): void;
	/** What nobody watches is not paid: nothing is to come any more. */
	stop(): void;
	/** It cannot be shown, and why. */
	failed(state: State, why: string): void;
}

export class Stage {
	readonly element: HTMLElement;
	/** What can be done about a state: below what is said. */
	readonly actions = el("div", {id: "notice-do"});
	readonly #again = el("button", {id: "again", type: "button", hidden: true}, icon("play"), "Go on live");
	readonly #video = el("video", {id: "video", playsinline: true});
	readonly #feeder: Feeder;
	readonly #headline = el("p", {id: "headline"});
	readonly #detail = el("p", {id: "detail"});
	readonly #notice = el("div", {id: "notice"}, mark(), el("div", {id: "words", role: "status"}, this.#headline, this.#detail), this.actions);
	readonly #badge = el("span", {id: "live-badge", hidden: true}, "LIVE");
	readonly #unmute = el("button", {id: "unmute", type: "button", hidden: true}, icon("muted"), "Turn the sound on");
	readonly #play = pictured("play", "play", "Play", "k Space");
	readonly #mute = pictured("mute", "muted", "Unmute", "m");
	readonly #volume = el("input", {id: "volume", type: "range", min: "0", max: "100", value: "100", "aria-label": "Volume"});
	readonly #live = el("button", {id: "live", type: "button", title: "Go live (l)", "aria-keyshortcuts": "l"}, "Live");
	readonly #toggle = pictured("figures", "figures", "Figures", "s");
	readonly #mini = pictured("pip", "mini", "Picture in picture", "i");
	readonly #full = pictured("full", "full", "Full screen", "f");
	readonly #sources = el("ul", {id: "sources"});
	readonly #figures = new Map<string, HTMLElement>();
	readonly #overlay: HTMLElement;
	readonly #windows: {bytes: number; seconds: number}[] = [];
	#verified = 0;
	#price = 0n;
	#state: State = "connecting";
	#idle: ReturnType<typeof setTimeout> | undefined;
	readonly #drawing: ReturnType<typeof setInterval>;

	constructor(
		private readonly acts: Acts,
		private readonly says: Says = SAYS,
	) {
		this.#video.muted = true;
		this.actions.append(this.#again);
		this.#feeder = new Feeder(this.#video, (why) => acts.failed("refused", why));
		this.#overlay = el("dl", {id: "overlay", hidden: true}, ...this.#rows());
		const controls = el("div", {id: "controls", role: "group", "aria-label": "Controls"});
		controls.append(this.#play, this.#mute, this.#volume, this.#live, el("span", {class: "space"}), this.#toggle, this.#mini, this.#full);
		const picture = el("div", {id: "picture"}, this.#video, this.#notice, this.#badge, this.#unmute);
		this.element = el("section", {id: "stage", "aria-label": "Player"}, picture, this.#overlay, controls);
		this.#toggle.setAttribute("aria-pressed", "false");
		this.#mini.hidden = !document.pictureInPictureEnabled;
		this.#full.hidden = !document.fullscreenEnabled;
		this.#listen();
		this.#drawing = setInterval(() => this.#draw(), 500);
	}

	#rows(): HTMLElement[] {
		const rows: [string, string, string, string][] = [
			["bitrate", "Bit rate", "–", ""],
			["lag", "Behind capture", "–", ""],
			["verified", "Verified", "–", ""],
			["rejected", "Rejected chunks", "0", ""],
			["transport", "Transport", "–", ""],
			["spent", "Spent", "–", "money"],
			["hour", "Per hour", "–", "money"],
		];
		const figures = rows.map(([name, label, first, kind]) => {
			const figure = el("dd", {id: `figure-${name}`}, first);
			this.#figures.set(name, figure);
			return row(label, figure, kind);
		});
		return [...figures, row("Sources", el("dd", {}, this.#sources), "sources")];
	}

	#listen(): void {
		const acts: [HTMLElement, () => void][] = [
			[this.#play, () => this.toggle()],
			[this.#video, () => this.toggle()],
			[this.#mute, () => this.#muted()],
			[this.#unmute, () => (this.#muted(), this.#mute.focus())],
			[this.#again, () => this.toggle()],
			[this.#live, () => this.#goLive()],
			[this.#toggle, () => this.#showFigures()],
			[this.#full, () => this.#fill()],
			[this.#mini, () => this.#detach()],
		];
		for (const [element, act] of acts) element.addEventListener("click", act);
		this.#volume.addEventListener("input", () => {
			this.#video.volume = Number(this.#volume.value) / 100;
			this.#video.muted = false;
		});
		for (const event of ["play", "pause", "volumechange", "playing", "waiting"]) this.#video.addEventListener(event, () => this.#draw());
		const wake = () => {
			this.element.toggleAttribute("data-idle", false);
			clearTimeout(this.#idle);
			this.#idle = setTimeout(() => this.element.toggleAttribute("data-idle", true), IDLE);
		};
		for (const event of ["pointermove", "pointerdown", "focusin", "keydown"]) this.element.addEventListener(event, wake);
	}

	/** Draws a state, with the reason for it. */
	show(state: State, reason: string): void {
		this.#state = state;
		this.element.dataset.state = state;
		const [headline, detail] = this.says[state];
		this.say(headline, [reason, detail].filter((text) => text !== "").join(" "));
		const {activeElement} = this.element.getRootNode() as Document | ShadowRoot;
		const isHere = this.#notice.contains(activeElement);
		this.#notice.hidden = headline === "";
		this.#again.hidden = state !== "stopped";
		this.#draw();
		// What was pressed is gone: keys go on beside it.
		if (isHere && activeElement instanceof HTMLElement && !activeElement.checkVisibility()) this.#play.focus();
	}

	/** Other words for the state that is drawn. */
	say(headline: string, detail: string): void {
		// Who listens is told once.
		if (this.#headline.textContent !== headline) this.#headline.textContent = headline;
		if (this.#detail.textContent !== detail) this.#detail.textContent = detail;
	}

	hear(message: FromWorker): void {
		switch (message.kind) {
			case "about":
				this.#price = message.pricePerGb;
				return;
			case "sources":
				this.#sources.replaceChildren(...message.sources.map((source) => drawn(source, message.sources)));
				return;
			case "terms":
				this.#price = message.pricePerGb;
				this.#set("transport", "WebTransport");
				return;
			case "init":
				if (!Feeder.supported(message.codecs)) return this.acts.failed("unsupported", `It cannot decode ${message.codecs}.`);
				this.#feeder.init(message);
				if ("mediaSession" in navigator) navigator.mediaSession.metadata = new MediaMetadata({title: message.title, artist: "ClusterCast"});
				return;
			case "window":
				this.#verified += message.bytes;
				this.#windows.push({bytes: message.bytes, seconds: message.durationMs / 1_000});
				if (this.#windows.length > RATED) this.#windows.shift();
				this.#set("verified", megabytes(this.#verified));
				this.#set("bitrate", rate(8 * this.rate));
				// Micro-USDC, by the price and what comes.
				this.#set("hour", usdc(Math.round(this.rate * 3_600 * (Number(this.#price) / 1e9))));
				return this.#feeder.window(message);
			case "rejected":
				return this.#set("rejected", String(message.count));
			case "money":
				return this.#set("spent", usdc(message.spent));
		}
	}

	/** What the stream takes, bytes a second; 0 before anything came. */
	get rate(): number {
		const seconds = this.#windows.reduce((sum, window) => sum + window.seconds, 0);
		return seconds === 0 ? 0 : this.#windows.reduce((sum, window) => sum + window.bytes, 0) / seconds;
	}

	/** The viewer wants it to play. */
	want(): void {
		this.#feeder.wanted = true;
	}

	/** Play, or pause: that ends the subscription, and goes on live. */
	toggle(): void {
		if (this.#state === "stopped") return this.acts.start();
		if (this.#video.paused) return this.#feeder.play();
		this.#feeder.pause();
		this.#feeder.clear();
		this.acts.stop();
	}

	/** Hears keys there. Fields have keys of their own, and so has whatever can be pressed. */
	keys(of: HTMLElement | Document, until?: AbortSignal): void {
		const keys: Record<string, () => void> = {
			" ": () => this.toggle(),
			k: () => this.toggle(),
			m: () => this.#muted(),
			f: () => this.#fill(),
			i: () => this.#detach(),
			l: () => this.#goLive(),
			s: () => this.#showFigures(),
			ArrowUp: () => this.#louder(0.1),
			ArrowDown: () => this.#louder(-0.1),
		};
		const hear = (event: Event) => {
			const {key, ctrlKey, metaKey, altKey} = event as KeyboardEvent;
			const act = keys[key];
			if (act === undefined || ctrlKey || metaKey || altKey) return;
			// Its own element, even where that stands in the shadow of another.
			const at = event.composedPath()[0] as HTMLElement;
			if (at.closest("input:not([type='range']), textarea, select, output") !== null) return;
			if (key === " " && at.closest("button, summary, a") !== null) return;
			if (key.startsWith("Arrow") && at.closest("input") !== null) return;
			event.preventDefault();
			act();
		};
		of.addEventListener("keydown", hear, until === undefined ? {} : {signal: until});
	}

	/** Shows nothing any more. */
	end(): void {
		clearInterval(this.#drawing);
		this.#feeder.pause();
		this.#feeder.clear();
	}

	#draw(): void {
		const {paused, muted, readyState} = this.#video;
		const lag = this.#feeder.lag();
		this.#set("lag", lag === undefined ? "–" : `${lag.toFixed(1)} s`);
		const live = readyState > 2 && !paused && this.#feeder.isLive();
		this.#badge.hidden = !live;
		// Whoever is on it stays there.
		this.#live.setAttribute("aria-disabled", String(live));
		this.#unmute.hidden = !(muted && !paused);
		relabel(this.#play, paused ? "play" : "pause", paused ? "Play" : "Pause", "k");
		relabel(this.#mute, muted ? "muted" : "sound", muted ? "Unmute" : "Mute", "m");
		this.#volume.value = String(Math.round(this.#video.volume * 100));
		this.element.toggleAttribute("data-moving", !paused && this.#state === "playing");
	}

	#set(figure: string, text: string): void {
		this.#figures.get(figure)!.textContent = text;
	}

	#muted(): void {
		this.#video.muted = !this.#video.muted;
	}

	#goLive(): void {
		if (this.#state === "stopped") this.toggle();
		else this.#feeder.play();
	}

	#showFigures(): void {
		this.#overlay.hidden = !this.#overlay.hidden;
		this.#toggle.setAttribute("aria-pressed", String(!this.#overlay.hidden));
	}

	#fill(): void {
		void (document.fullscreenElement === null ? this.element.requestFullscreen() : document.exitFullscreen()).catch(() => {});
	}

	#detach(): void {
		void (document.pictureInPictureElement === null ? this.#video.requestPictureInPicture() : document.exitPictureInPicture()).catch(() => {});
	}

	#louder(by: number): void {
		this.#video.volume = Math.min(1, Math.max(0, this.#video.volume + by));
		if (by > 0) this.#video.muted = false;
	}
}
