// How the element is built: one module that a page imports, and beside it the worker and the machines, which it finds by its own address.
import {defineConfig} from "vite";
import {common} from "../vite.config.ts";

export default defineConfig({
	...common,
	publicDir: false,
	build: {
		...common.build,
		outDir: "dist",
		emptyOutDir: true,
		rollupOptions: {
			input: "src/player.ts",
			preserveEntrySignatures: "strict",
			output: {entryFileNames: "clustercast-player.js"},
		},
	},
});
