// Pictures of the built page in every state that it can be in: light and dark, on a desk and on a phone.
// usage: node gallery.mjs DIR [SCENE...]     all pictures, as DIR/STATE-DEVICE-THEME.png, of the scenes whose names contain one of these
//        node gallery.mjs --docs             those that docs/watch.md and README.md show, into docs/pictures/
// scripts/web builds the page; CLUSTERCAST_BIN (or CLUSTERCAST_PAGE) says where it is. What is true of each state: gallery.test.mjs.
import {mkdirSync, writeFileSync} from "node:fs";
import {join} from "node:path";
import {SCENES} from "./gallery/scenes.mjs";
import {Stand} from "./gallery/stand.mjs";

const DEVICES = {desktop: {width: 1280, height: 800}, phone: {width: 360, height: 740}};
/** What is in docs, by state: device and theme. */
const CHOSEN = {
	"playing-by-wallet": [["desktop", "dark"]],
	figures: [["desktop", "light"]],
	review: [["phone", "light"]],
	"handed-in-a-block": [["phone", "dark"]],
	low: [["phone", "light"]],
};

const [to, ...named] = process.argv.slice(2);
if (to === undefined) throw new Error("usage: node gallery.mjs DIR [SCENE...] | --docs");
const docs = to === "--docs";
const folder = docs ? new URL("../../docs/pictures/", import.meta.url).pathname : to;
mkdirSync(folder, {recursive: true});

async function look({page}, name) {
	const wanted = docs ? (CHOSEN[name] ?? []) : Object.keys(DEVICES).flatMap((device) => ["light", "dark"].map((theme) => [device, theme]));
	for (const [device, colorScheme] of wanted) {
		await page.setViewportSize(DEVICES[device]);
		await page.emulateMedia({colorScheme});
		await page.evaluate(() => scrollTo(0, 0));
		if (docs) {
			// As high as it is; and somebody points at the picture, so that its controls are there.
			const {width} = DEVICES[device];
			const height = await page.evaluate(() => document.body.offsetHeight);
			await page.setViewportSize({width, height});
			if (device === "desktop") await page.mouse.move(200, 200);
			const client = await page.context().newCDPSession(page);
			const clip = {x: 0, y: 0, width, height, scale: device === "phone" ? 2 : 1.5};
			const {data} = await client.send("Page.captureScreenshot", {format: "webp", quality: 80, clip});
			writeFileSync(join(folder, `${name}-${device}-${colorScheme}.webp`), Buffer.from(data, "base64"));
		} else {
			await page.screenshot({path: join(folder, `${name}-${device}-${colorScheme}.png`), fullPage: true});
		}
	}
	await page.setViewportSize(DEVICES.desktop);
}

const stand = await Stand.open();
try {
	for (const [name, scene] of SCENES) {
		if (named.length > 0 && !named.some((part) => name.includes(part))) continue;
		const visit = await scene(stand, look);
		await visit.close();
		console.error(name);
	}
} finally {
	await stand.close();
}
