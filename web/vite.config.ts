// How the page is built: files under names that say their content, nothing inline, no target below what has WebTransport.
import {defineConfig} from "vite";

export default defineConfig({
	base: "./",
	build: {
		target: "es2022",
		assetsInlineLimit: 0,
		modulePreload: {polyfill: false},
	},
	worker: {format: "es"},
});
