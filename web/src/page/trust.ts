// What may become code: the worker's script, and no other address.

interface Policy {
	createScriptURL(url: string): string;
}
interface Factory {
	createPolicy(name: string, rules: {createScriptURL(url: string): string}): Policy;
}

let made: string | undefined;

/** The worker's script is the one address that this page ever makes into code. */
export function trusted(url: string): string {
	const factory = (globalThis as {trustedTypes?: Factory}).trustedTypes;
	const same = (asked: string) => {
		if (asked !== url) throw new TypeError("no script of this page");
		return asked;
	};
	// Once: a policy of one name is made once, and there is one worker's script, however many players a page has.
	made ??= factory?.createPolicy("clustercast", {createScriptURL: same}).createScriptURL(url) ?? url;
	return made;
}
