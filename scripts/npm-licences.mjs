// Whether deny.toml allows the licences of all npm packages: those of the contracts, of the page, and of the tests in e2e/js.
// usage: node scripts/npm-licences.mjs
import {existsSync, readFileSync} from "node:fs";

const LOCKS = ["contracts/package-lock.json", "e2e/js/package-lock.json", "web/package-lock.json"];

// Light clients that @polkadot/api brings along. Tests load them, nothing that is shipped does, and nothing starts them.
const IN_TESTS_ALONE = {
	"@substrate/connect": "GPL-3.0-only",
	"@substrate/connect-extension-protocol": "GPL-3.0-only",
	"@substrate/connect-known-chains": "GPL-3.0-only",
};

const root = new URL("../", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");

// One policy: the list that cargo-deny reads.
const [, list] = /^\[licenses\]\nallow = \[$(.*?)^\]$/ms.exec(read("deny.toml"));
const allowed = new Set(Array.from(list.matchAll(/^\s*"(.+)",$/gm), ([, licence]) => licence));

// `A OR B`, `A AND B`, in one pair of parentheses around all at most; what is nested fails, and somebody has to look.
function isAllowed(licence) {
	const flat = licence.replace(/^\(([^()]*)\)$/, "$1");
	return !/[()]/.test(flat) && flat.split(" OR ").some((choice) => choice.split(" AND ").every((part) => allowed.has(part)));
}

// The lock file says it, but for packages that use a field of npm's early years.
function licenceOf(folder, path, locked) {
	if (locked.license) return locked.license;
	const manifest = `${folder}/${path}/package.json`;
	if (!existsSync(new URL(manifest, root))) return undefined;
	const {license, licenses} = JSON.parse(read(manifest));
	return license ?? licenses?.map(({type}) => type).join(" OR ");
}

const problems = [];
const excused = new Set();
let packages = 0;
for (const lock of LOCKS) {
	const folder = lock.replace(/\/[^/]*$/, "");
	for (const [path, locked] of Object.entries(JSON.parse(read(lock)).packages)) {
		if (path === "") continue;
		packages++;
		const name = path.replace(/^.*node_modules\//, "");
		const licence = licenceOf(folder, path, locked);
		if (licence !== undefined && licence === IN_TESTS_ALONE[name] && folder === "e2e/js") excused.add(name);
		else if (licence === undefined) problems.push(`${folder}: ${name} ${locked.version} names no licence`);
		else if (!isAllowed(licence)) problems.push(`${folder}: ${name} ${locked.version} is under ${licence}, which deny.toml does not allow`);
	}
}
for (const name of Object.keys(IN_TESTS_ALONE)) {
	if (!excused.has(name)) problems.push(`${name} needs no exception any more`);
}
problems.forEach((problem) => console.error(problem));
if (problems.length > 0) process.exit(1);
console.error(`${packages} packages, all allowed`);
