// The service worker: where the network does not bring a page, it says so in place of the browser. It keeps that one page with its style and mark,
// and nothing else: no video, no answer of a relayer, no wallet. What the network brings goes through as it is.
const KEPT = "offline-1";
const PAGE = "./offline.html";

async function keep() {
	const answer = await fetch(PAGE, {cache: "no-cache"});
	const parts = [...(await answer.clone().text()).matchAll(/<link [^>]*href="([^"]+\.(?:css|svg))"/g)].map(([, part]) => part);
	const kept = await caches.open(KEPT);
	await kept.put(PAGE, answer);
	await kept.addAll(parts);
}

async function activate() {
	for (const name of await caches.keys()) if (name !== KEPT) await caches.delete(name);
	// A page is asked for while this starts.
	await self.registration.navigationPreload?.enable();
	await self.clients.claim();
}

async function page(event) {
	try {
		return (await event.preloadResponse) ?? (await fetch(event.request));
	} catch {
		return (await caches.match(PAGE)) ?? Response.error();
	}
}

self.addEventListener("install", (event) => event.waitUntil(keep().then(() => self.skipWaiting())));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
	const {mode, destination, url} = event.request;
	if (mode === "navigate") return event.respondWith(page(event));
	if (!["style", "image"].includes(destination) || new URL(url).origin !== location.origin) return;
	event.respondWith(fetch(event.request).catch(async () => (await caches.match(event.request)) ?? Response.error()));
});
