// What may become code: the scripts of workers that the page names, and no other address.

interface Policy {
	createScriptURL(url: string): string;
}
interface Factory {
	createPolicy(name: string, rules: {createScriptURL(url: string): string}): Policy;
}

const named = new Set<string>();
let policy: Policy | undefined;

function same(asked: string): string {
	if (!named.has(asked)) throw new TypeError("no script of this page");
	return asked;
}

/** An address of the page's own, which it makes into a worker. */
export function trusted(url: string): string {
	named.add(url);
	// Once: a policy of one name is made once, however many players a page has.
	policy ??= (globalThis as {trustedTypes?: Factory}).trustedTypes?.createPolicy("clustercast", {createScriptURL: same});
	return policy?.createScriptURL(url) ?? url;
}
