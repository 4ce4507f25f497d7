// What Vite resolves, and what browsers have that the library of types does not.
declare module "*?url" {
	const url: string;
	export default url;
}

declare module "*?worker&url" {
	const url: string;
	export default url;
}

declare module "*.css?inline" {
	const text: string;
	export default text;
}

/** The deployment whose page this is, as `scripts/web` was told; null where it is nobody's. */
declare const __DEPLOYMENT__: import("./wallet/deployment.ts").Canonical | null;
