// What may become code: the worker's script, and no other address.

interface Policy {
	createScriptURL(url: string): string;
}
interface Factory {
	createPolicy(name: string, rules: {createScriptURL(url: string): string}): Policy;
}

/** The worker's script is the one address that this page ever makes into code. */
export function trusted(url: string): string {
	const factory = (globalThis as {trustedTypes?: Factory}).trustedTypes;
	const same = (asked: string) => {
		if (asked !== url) throw new TypeError("no script of this page");
		return asked;
	};
	return factory?.createPolicy("clustercast", {createScriptURL: same}).createScriptURL(url) ?? url;
}
