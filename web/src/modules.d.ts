// What Vite resolves, and what browsers have that the library of types does not.
declare module "*?url" {
	const url: string;
	export default url;
}

declare module "*?worker&url" {
	const url: string;
	export default url;
}
