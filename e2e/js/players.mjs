// Whether stock players play through whatever happens to a broadcast: the program `serve` (player/examples) serves one that is made
// up, with faults on command; all players watch it at the same time, and each must show moving pictures of it to the end.
// usage: node players.mjs SERVE [--players NAME,...] [--faults COMMAND,...] [--pause SECONDS] [--shots DIR]
//        node players.mjs http://HOST:PORT/ --steps FILE [--players NAME,...] [--shots DIR]
//   FILE: what happens to a broadcast of the programs themselves that is there already, as JSON: a list of [name, shell command, how
//   long to look on behind it, how long a picture may stand still there, how much of it cannot be seen], seconds
//   NAME: page, hls.js, hls.js-late (opened right behind a restart), dash.js, ffmpeg; with Debian's packages of these names also
//   page-firefox (firefox-esr; node --experimental-websocket before 22), mpv, gstreamer (playbin: hlsdemux), gstreamer3 (playbin3:
//   hlsdemux2)
// Prints a line of JSON for each player, behind each fault: for how many seconds its picture stood still at most, by how many it is
// later at the end than it was before, and how often the program ended and was started again.
import {spawn} from "node:child_process";
import {once} from "node:events";
import {existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync} from "node:fs";
import {createServer} from "node:http";
import {connect} from "node:net";
import {tmpdir} from "node:os";
import {join} from "node:path";
import {createInterface} from "node:readline";
import {setTimeout as sleep} from "node:timers/promises";
import {parseArgs} from "node:util";
import {chromium} from "playwright-core";

const {values: options, positionals} = parseArgs({
	allowPositionals: true,
	options: {
		players: {type: "string", default: "page,hls.js,hls.js-late,ffmpeg"},
		pause: {type: "string", default: "15"},
		shots: {type: "string"},
		faults: {type: "string"},
		steps: {type: "string"},
	},
});
const [serve] = positionals;
const steps = options.steps && JSON.parse(readFileSync(options.steps, "utf8"));
const modules = new URL("node_modules/", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "players-"));
const pause = Number(options.pause);

// Steps, or commands of `serve`, how long to look on behind each, and how long a picture may stand still there, seconds.
const FAULTS = steps ? [["begin", 14, 9], ...steps.map(([name, , seconds, most]) => [name, seconds, most])] : [
	["begin", 14, 12],
	["restart 1", 18, 9],
	["restart 5", 22, 12],
	["stall 8", 18, 12],
	["miss 2", 16, 9],
	[`pause ${pause}`, pause + 22, pause + 8],
	["source other", 16, 5],
	["epoch", 14, 5],
].filter(([command]) => !options.faults || command === "begin" || options.faults.split(",").some((f) => command.startsWith(f)));

// What is a player's own fault, since it does so behind a plain server of FFmpeg's files as well: it is not judged there, so these come
// last. GStreamer 1.22 counts times that begin anew as nothing that it has, and waits until they are where they were.
const OWN_FAULTS = {gstreamer: /^(source|epoch)/};

const children = [];
function start(program, args, stdio = ["ignore", "pipe", "pipe"]) {
	const child = spawn(program, args, {stdio, env: {...process.env, HOME: folder, LC_ALL: "C"}});
	children.push(child);
	child.stderr?.resume();
	return child;
}

// Pages elsewhere, as people write them with hls.js and dash.js.
const PAGES = {
	"/hls": `<video id=v muted autoplay></video><script src=/hls.js></script><script>
		const hls = new Hls(), v = document.getElementById("v");
		// The usual recovery.
		hls.on(Hls.Events.ERROR, (_, e) => {
			(window.errors ??= []).push(e.details + (e.fatal ? "!" : ""));
			if (!e.fatal) return;
			if (e.type === Hls.ErrorTypes.MEDIA_ERROR) hls.recoverMediaError();
			else setTimeout(() => hls.levels?.length ? hls.startLoad() : hls.loadSource(URLS.hls), 1000);
		});
		hls.loadSource(URLS.hls); hls.attachMedia(v);
		window.date = () => hls.playingDate?.getTime();</script>`,
	"/dash": `<video id=v muted autoplay></video><script src=/dash.js></script><script>
		const player = dashjs.MediaPlayer().create(), v = document.getElementById("v");
		player.on("error", (e) => {
			(window.errors ??= []).push(JSON.stringify(e.error)?.slice(0, 80));
			// The usual recovery.
			if ([25, 27].includes(e.error?.code)) setTimeout(() => player.attachSource(URLS.dash), 1000);
		});
		player.initialize(v, URLS.dash, true);
		window.date = () => player.timeAsUTC() * 1000;</script>`,
};

async function pages(urls) {
	const files = {"/hls.js": "hls.js/dist/hls.light.min.js", "/dash.js": "dashjs/dist/modern/umd/dash.all.min.js"};
	const server = createServer((request, response) => {
		const page = PAGES[request.url];
		if (page) {
			response.setHeader("content-type", "text/html");
			response.end(`<!doctype html><script>const URLS = ${JSON.stringify(urls)}</script>${page}`);
		} else if (files[request.url]) {
			response.setHeader("content-type", "text/javascript");
			response.end(readFileSync(new URL(files[request.url], modules)));
		} else response.writeHead(404).end();
	});
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return {server, at: (path) => `http://127.0.0.1:${server.address().port}${path}`};
}

// What a page says of its picture: how far, of which moment.
const LOOK = `(() => {
	const v = document.querySelector("video");
	const quality = v.getVideoPlaybackQuality();
	return JSON.stringify({
		position: v.currentTime, frames: quality.totalVideoFrames, ready: v.readyState, paused: v.paused,
		date: window.date?.(), errors: window.errors?.splice(0), state: document.documentElement.dataset.state,
		delay: document.getElementById("delay")?.textContent, muted: v.muted, width: v.videoWidth,
	});
})()`;

let browser;
async function inChromium(url) {
	browser ??= await chromium.launch({executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--disable-gpu"]});
	const page = await browser.newPage({viewport: {width: 960, height: 640}});
	const complaints = [];
	page.on("console", (m) => ["error", "warning"].includes(m.type()) && complaints.push(m.text()));
	page.on("pageerror", (e) => complaints.push(String(e)));
	await page.goto(url);
	return {
		look: async () => JSON.parse(await page.evaluate(LOOK)),
		shot: (path) => page.bringToFront().then(() => page.screenshot({path, timeout: 8_000})).catch((e) => console.error(String(e).split("\n")[0])),
		click: (what) => page.click(what),
		complaints,
	};
}

// Over WebDriver BiDi, which Debian's Firefox speaks: Playwright has a build of its own.
async function inFirefox(url) {
	const profile = join(folder, "firefox");
	mkdirSync(profile);
	const firefox = start("firefox-esr", ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"]);
	const address = await new Promise((resolve, reject) => {
		createInterface(firefox.stderr).on("line", (line) => {
			const found = /WebDriver BiDi listening on (ws:\S+)/.exec(line);
			if (found) resolve(found[1]);
		});
		firefox.once("exit", () => reject(new Error("Firefox ended")));
	});
	const socket = new WebSocket(`${address}/session`);
	await once(socket, "open");
	const waiting = new Map();
	let last = 0;
	socket.onmessage = ({data}) => {
		const {id, result, error, message} = JSON.parse(data);
		const {resolve, reject} = waiting.get(id) ?? {};
		waiting.delete(id);
		if (error) reject?.(new Error(`${error}: ${message}`));
		else resolve?.(result);
	};
	const call = (method, params) => new Promise((resolve, reject) => {
		waiting.set(++last, {resolve, reject});
		socket.send(JSON.stringify({id: last, method, params}));
	});
	await call("session.new", {capabilities: {}});
	const {contexts} = await call("browsingContext.getTree", {});
	const {context} = contexts[0];
	await call("browsingContext.navigate", {context, url, wait: "complete"});
	return {
		look: async () => {
			const {result} = await call("script.evaluate", {expression: LOOK, target: {context}, awaitPromise: false});
			return JSON.parse(result.value);
		},
		shot: async (path) => {
			const {data} = await call("browsingContext.captureScreenshot", {context});
			(await import("node:fs")).writeFileSync(path, Buffer.from(data, "base64"));
		},
		complaints: [],
	};
}

// How a program ended, if it did.
const gone = ({exitCode, signalCode}) => exitCode ?? signalCode ?? undefined;

// Programs that end when nobody answers are started again, as people do: FFmpeg 5 does so in the very second in which a plain server
// of files is away, too.
function again(begin) {
	const complaints = [];
	let current = begin(complaints);
	let before = 0, times = 0;
	return {
		look: async () => {
			const {gone, position, ...rest} = await current.look();
			if (gone === undefined) return {...rest, times, ...(position ? {position: before + position} : {})};
			complaints.push(`ended: ${gone}`);
			times++;
			// As far as no broadcast here goes.
			before += 1_000_000;
			await sleep(500);
			current = begin(complaints);
			return {times};
		},
		complaints,
	};
}

// Programs: how far they are, as they say it.
let mpvs = 0;
function inMpv(url, complaints) {
	const ipc = join(folder, `mpv${++mpvs}`);
	const mpv = start("mpv", ["--no-config", "--ytdl=no", "--loop-playlist=force", "--vo=null", "--ao=null", "--really-quiet", "--msg-level=all=warn", `--input-ipc-server=${ipc}`, url]);
	createInterface(mpv.stdout).on("line", (line) => complaints.push(line));
	let socket;
	const answers = {};
	return {
		look: async () => {
			if (gone(mpv) !== undefined) return {gone: gone(mpv)};
			if (!socket) {
				if (!existsSync(ipc)) return {};
				socket = connect(ipc);
				socket.on("error", () => {});
				createInterface(socket).on("line", (line) => {
					const {data, request_id: id} = JSON.parse(line);
					answers[id] = data;
				});
			}
			socket.write('{"command": ["get_property", "time-pos"], "request_id": 1}\n');
			socket.write('{"command": ["get_property", "demuxer-cache-duration"], "request_id": 2}\n');
			await sleep(50);
			return {position: answers[1], ahead: answers[2]};
		},
	};
}

function inFfmpeg(url, complaints) {
	const ffmpeg = start("ffmpeg", ["-hide_banner", "-loglevel", "warning", "-nostdin", "-i", url, "-map", "0:v", "-f", "null", "-progress", "pipe:1", "-"]);
	let position = 0;
	createInterface(ffmpeg.stdout).on("line", (line) => {
		const frames = /^frame=(\d+)/.exec(line);
		if (frames) position = Number(frames[1]) / 30;
	});
	createInterface(ffmpeg.stderr).on("line", (line) => complaints.push(line));
	return {look: async () => ({position, gone: gone(ffmpeg)})};
}

function inGstreamer(playbin, url, complaints) {
	// In step, as sound that is heard is: else the picture's queue fills behind missing windows while there is no sound to go on with,
	// and all stands still for ever.
	const gst = start("gst-launch-1.0", [
		"-v", playbin, `uri=${url}`, "audio-sink=fakesink sync=true",
		"video-sink=fpsdisplaysink text-overlay=false fps-update-interval=500 video-sink=fakesink",
	]);
	let position = 0;
	createInterface(gst.stdout).on("line", (line) => {
		const rendered = /rendered: (\d+), dropped: (\d+)/.exec(line);
		if (rendered) position = (Number(rendered[1]) + Number(rendered[2])) / 30;
	});
	createInterface(gst.stderr).on("line", (line) => complaints.push(line));
	return {look: async () => ({position, gone: gone(gst)})};
}

const server = !steps && start(serve, ["--wait", "--place", join(folder, "list.json")], ["pipe", "pipe", "inherit"]);
const lines = server && createInterface(server.stdout)[Symbol.asyncIterator]();
const root = server ? JSON.parse((await lines.next()).value).hls.replace("index.m3u8", "") : serve;
const hls = `${root}index.m3u8`;
const elsewhere = await pages({hls: `${root}master.m3u8`, dash: `${root}manifest.mpd`});
const OPEN = {
	page: () => inChromium(root),
	"page-firefox": () => inFirefox(root),
	"hls.js": () => inChromium(elsewhere.at("/hls")),
	"hls.js-late": () => inChromium(elsewhere.at("/hls")),
	"dash.js": () => inChromium(elsewhere.at("/dash")),
	mpv: () => again((complaints) => inMpv(hls, complaints)),
	ffmpeg: () => again((complaints) => inFfmpeg(hls, complaints)),
	gstreamer: () => again((complaints) => inGstreamer("playbin", hls, complaints)),
	gstreamer3: () => again((complaints) => inGstreamer("playbin3", hls, complaints)),
};

const players = [];
let phase = 0;
// What of the broadcast cannot be seen behind each fault, seconds.
const lost = [];
async function open(name) {
	const player = {name, ...(await OPEN[name]()), still: [], moved: Date.now(), position: undefined, behind: [], ends: [], places: [], stands: []};
	players.push(player);
	return player;
}
async function watch(player) {
	for (;;) {
		const now = await player.look().catch((error) => ({error: String(error)}));
		if (process.env.TRACE) console.error(((Date.now() - began) / 1000).toFixed(1), player.name, JSON.stringify(now));
		if (now.position !== undefined && now.position !== player.position) {
			player.still[phase] = Math.max(player.still[phase] ?? 0, Date.now() - player.moved);
			player.position = now.position;
			player.moved = Date.now();
			if (Number.isFinite(now.date)) player.behind[phase] = Date.now() - now.date;
		}
		player.ends[phase] = now.times ?? 0;
		player.newest = now;
		for (const error of now.errors ?? []) player.complaints.push(error);
		await sleep(200);
	}
}

const began = Date.now();
let failed = false;
const verdicts = [];
// A picture that did not move for so long at the end of what is watched behind a fault does not come back, milliseconds: programs
// that play nothing but what is new have two windows' time between two.
const STANDS = 4_500;
// So many different ones of each player are told, the most frequent first.
const COMPLAINTS = 12;
const round = (seconds) => Math.round(seconds * 10) / 10;
const each = (what) => Object.fromEntries(FAULTS.map(([command], index) => [command, what(index)]).filter(([, value]) => value !== undefined));
try {
	const names = options.players.split(",");
	// Pages may be opened long before the broadcast.
	for (const name of names.filter((n) => n.startsWith("page"))) watch(await open(name));
	await sleep(3_000);
	for (const player of server ? players : []) {
		if (player.newest?.state !== "waiting") throw new Error(`${player.name} does not wait: ${JSON.stringify(player.newest)}`);
		if (options.shots) await player.shot(join(options.shots, `${player.name}-waiting.png`));
	}
	if (server) {
		server.stdin.write("go\n");
		await lines.next();
		await sleep(7_000);
	}
	for (const name of names.filter((n) => !/^page|-late$/.test(n))) watch(await open(name));
	// What it took until all were there is nobody's fault.
	for (const p of players) [p.moved, p.still] = [Date.now(), []];
	for (const [index, [command, seconds]] of FAULTS.entries()) {
		phase = index;
		if (process.env.TRACE) console.error(((Date.now() - began) / 1000).toFixed(1), "-----", command);
		const [fault, value] = command.split(" ");
		const step = steps?.[index - 1];
		lost[phase] = step?.[4] ?? {miss: 2 * value, pause: Number(value)}[fault] ?? 0;
		if (step) {
			const shell = spawn("sh", ["-c", step[1]], {stdio: ["ignore", "inherit", "inherit"]});
			await once(shell, "exit");
		} else if (command !== "begin") {
			server.stdin.write(`${command}\n`);
			while ((await lines.next()).value !== command);
		}
		if (server && command.startsWith("restart")) {
			let line;
			while (!(line = (await lines.next()).value).startsWith("back"));
			lost[phase] = Number(line.split(" ")[1]);
			for (const name of names.filter((n) => n.endsWith("-late") && !players.some((p) => p.name === n))) watch(await open(name));
		}
		await sleep(seconds * 400);
		if (options.shots) for (const p of players) await p.shot?.(join(options.shots, `${p.name}-${command.replace(" ", "-")}.png`));
		await sleep(seconds * 600);
		// One that stands still has nothing noted yet.
		for (const p of players) {
			p.still[phase] = Math.max(p.still[phase] ?? 0, Date.now() - p.moved);
			// Whatever there was, it is over.
			p.stands[phase] = Date.now() - p.moved > STANDS;
			p.places[phase] = {at: Date.now() / 1_000, position: p.position};
		}
	}
	phase = FAULTS.length;
	if (server) {
		server.stdin.write("finish\n");
		await sleep(14_000);
	}
	if (options.shots) for (const p of players) await p.shot?.(join(options.shots, `${p.name}-finish.png`));
	for (const player of players) {
		const still = Array.from({length: FAULTS.length}, (_, n) => (player.still[n] ?? 0) / 1_000);
		const late = ([, , most], index) => !(still[index] <= most) || player.stands[index];
		const missed = FAULTS.filter((fault, index) => late(fault, index) && !OWN_FAULTS[player.name]?.test(fault[0])).map(([command]) => command);
		failed ||= missed.length > 0;
		// By the dates that the player knows; else by what it showed of what there was, unless it began anew.
		const later = FAULTS.map((_, index) => {
			if (index === 0) return undefined;
			const [before, now] = [player.behind[index - 1], player.behind[index]];
			if (now !== undefined && before !== undefined) return round((now - before) / 1_000);
			const [from, to] = [player.places[index - 1], player.places[index]];
			if (!from?.position || player.ends[index] !== player.ends[index - 1]) return undefined;
			return round(to.at - from.at - (to.position - from.position) - lost[index]);
		});
		const counted = {};
		for (const complaint of player.complaints) counted[complaint] = (counted[complaint] ?? 0) + 1;
		verdicts.push({
			player: player.name,
			passed: missed.length === 0,
			still: each((index) => round(still[index])),
			later: each((index) => later[index]),
			behind: each((index) => player.behind[index] && round(player.behind[index] / 1_000)),
			ended: each((index) => player.ends[index] - (player.ends[index - 1] ?? 0) || undefined),
			end: player.newest,
			complaints: Object.fromEntries(Object.entries(counted).sort(([, a], [, b]) => b - a).slice(0, COMPLAINTS)),
		});
	}
	for (const verdict of verdicts) console.log(JSON.stringify(verdict));
} catch (error) {
	console.error(error);
	failed = true;
} finally {
	await browser?.close().catch(() => {});
	elsewhere.server.close();
	for (const child of children) child.kill("SIGKILL");
	rmSync(folder, {recursive: true, force: true, maxRetries: 5});
}
process.exit(failed ? 1 : 0);
