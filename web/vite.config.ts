// How the pages are built: files under names that say their content, nothing inline, no target below what has WebTransport. With
// CLUSTERCAST_DEPLOYMENT, a file of JSON, it is the page of that deployment, which asks wallets at its origin. embed.html stands in frames.
import {readFileSync} from "node:fs";
import {defineConfig} from "vite";
import {parseCanonical} from "./src/wallet/deployment.ts";

const file = process.env.CLUSTERCAST_DEPLOYMENT;
const deployment = file ? parseCanonical(JSON.parse(readFileSync(file, "utf8"))) : null;

/** What the pages and the element have in common. */
export const common = defineConfig({
	base: "./",
	define: {__DEPLOYMENT__: JSON.stringify(deployment)},
	build: {
		target: "es2022",
		assetsInlineLimit: 0,
		modulePreload: {polyfill: false},
	},
	worker: {format: "es"},
});

export default defineConfig({...common, build: {...common.build, rollupOptions: {input: ["index.html", "embed.html", "offline.html"]}}});
