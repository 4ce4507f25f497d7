// Waits for the broadcast, plays it, and begins again by itself whatever happens: the player program restarted, a relayer lost, the
// broadcaster away. Nothing is asked of the viewer but a click for sound.
"use strict";
(() => {
	// How often the player program is asked how the broadcast stands, and how long it may take, milliseconds.
	const ASK = 1_000;
	const ANSWER = 4_000;
	// So long may the picture stand still while there is a broadcast: then all is begun anew.
	const STILL = 10_000;
	// Before something is tried again.
	const AGAIN = 1_000;
	// What could not be decoded is tried once more, but not twice within this.
	const REPAIR = 20_000;

	const element = (id) => document.getElementById(id);
	const video = element("video");
	const WORDS = {
		connecting: ["Connecting", "Looking for the broadcast"],
		waiting: ["Waiting", "The broadcast has not begun. It plays here when it does."],
		live: ["Live", "Here it comes"],
		paused: ["Paused", "The broadcast is paused. It goes on here by itself."],
		away: ["Away", "Nothing is heard of the broadcaster. It goes on here by itself."],
		over: ["Over", "The broadcast is over. Should another one begin, it plays here."],
		unreachable: ["Not reached", "No relayer brings this stream at the moment. The program keeps trying."],
		gone: ["Not connected", "The player program does not answer. Start it again; this page goes on when it runs."],
	};

	let told = {state: "connecting"};
	// The broadcast that is listed was over.
	let over = false;
	// Seconds behind the capture, as they are shown.
	let delay;
	// What the server's clock is ahead of ours, milliseconds.
	let ahead = 0;
	let player = null;
	let moved = {at: performance.now(), time: 0};
	let repaired = -Infinity;

	function begin() {
		if (player) return;
		moved = {at: performance.now(), time: -1};
		if (window.Hls && Hls.isSupported()) {
			const patient = {
				default: {
					maxTimeToFirstByteMs: 10_000,
					maxLoadTimeMs: 20_000,
					timeoutRetry: {maxNumRetry: 10, retryDelayMs: AGAIN, maxRetryDelayMs: AGAIN},
					errorRetry: {maxNumRetry: 600, retryDelayMs: AGAIN, maxRetryDelayMs: AGAIN},
				},
			};
			const hls = new Hls({
				enableWorker: false,
				liveSyncDurationCount: 3,
				liveMaxLatencyDurationCount: 8,
				backBufferLength: 30,
				manifestLoadPolicy: patient,
				playlistLoadPolicy: patient,
			});
			player = {date: () => hls.playingDate?.getTime(), end: () => hls.destroy()};
			hls.on(Hls.Events.ERROR, (_, error) => {
				if (!error.fatal) return;
				console.warn("hls.js:", error.details);
				const now = performance.now();
				if (error.type !== Hls.ErrorTypes.MEDIA_ERROR || now - repaired < REPAIR) return later();
				repaired = now;
				hls.recoverMediaError();
				play();
			});
			hls.on(Hls.Events.MANIFEST_PARSED, play);
			// A broadcast in parts says how far behind is enough.
			hls.on(Hls.Events.LEVEL_LOADED, (_, {details: {partHoldBack}}) => {
				if (partHoldBack && hls.config.liveSyncDuration !== partHoldBack) hls.targetLatency = partHoldBack;
			});
			hls.loadSource("master.m3u8");
			hls.attachMedia(video);
		} else if (video.canPlayType("application/vnd.apple.mpegurl")) {
			player = {
				date: () => video.getStartDate?.().getTime() + video.currentTime * 1_000,
				end: () => {
					video.removeAttribute("src");
					video.load();
				},
			};
			video.src = "master.m3u8";
			play();
		} else {
			says("This browser plays no live video. A player that reads HLS plays index.m3u8 of this address.", true);
		}
	}

	function end() {
		player?.end();
		player = null;
	}

	function later() {
		end();
		setTimeout(follow, AGAIN);
	}

	// Browsers let only what is muted begin by itself.
	function play() {
		video.play().catch(() => {
			video.muted = true;
			video.play().catch(() => {});
		});
	}

	function says(words, still) {
		element("says").textContent = words;
		element("veil").toggleAttribute("data-still", Boolean(still));
	}

	// Does what the state of things asks for.
	function follow() {
		const {state} = told;
		const now = performance.now();
		if (video.currentTime !== moved.time || (video.paused && !video.ended)) moved = {at: now, time: video.currentTime};
		const still = now - moved.at;
		if (state === "live" || (state === "paused" && !player)) begin();
		if (state === "live" && player && still > STILL) later();

		const playing = video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA && !video.ended && still < 2_000;
		// What is buffered plays on, whatever happened since.
		const shown = playing && state !== "gone" ? "live" : state;
		const [word, words] = WORDS[shown];
		element("state").textContent = word;
		element("state").dataset.state = shown;
		const title = told.title || "ClusterCast";
		if (element("title").textContent !== title) {
			element("title").textContent = title;
			document.title = title;
		}
		element("veil").hidden = playing;
		// Nothing of the browser's own shines through.
		if (video.controls !== playing) video.controls = playing;
		if (!playing && (player || state !== "live")) says(words, state === "over");
		element("sound").hidden = !(video.muted && playing);
		const date = playing ? player?.date() : undefined;
		const behind = Number.isFinite(date) ? Math.max(0, Date.now() + ahead - date) : undefined;
		// It stays as it is until it is another second for certain.
		if (behind === undefined) delay = undefined;
		else if (!(Math.abs(behind / 1_000 - delay) < 0.8)) delay = Math.round(behind / 1_000);
		element("delay").textContent = delay === undefined ? "" : `${delay} s delay`;
		document.documentElement.dataset.state = state;
	}

	async function ask() {
		const before = Date.now();
		try {
			const answer = await fetch("state.json", {signal: AbortSignal.timeout(ANSWER), cache: "no-store"});
			const now = await answer.json();
			ahead = now.nowMs - (before + Date.now()) / 2;
			// Another broadcast behind one that was over, hours later maybe: begun anew it plays for certain.
			if (over && now.state !== "over") end();
			over = now.state === "over";
			told = now;
		} catch {
			told = {...told, state: "gone"};
		}
		follow();
		setTimeout(ask, ASK);
	}

	element("sound").addEventListener("click", () => {
		video.muted = false;
		play();
	});
	video.addEventListener("volumechange", follow);
	video.addEventListener("playing", follow);
	video.addEventListener("error", () => {
		if (player && !(window.Hls && Hls.isSupported())) later();
	});
	setInterval(follow, 250);
	ask();
})();
