// A chain as the light client sees it: validators with keys, sets, commitments, leaves and their proofs. What
// test/util/Chain.sol is to the tests in Solidity.
import {concatHex, encodePacked, keccak256, numberToHex, toHex} from "viem";
import {privateKeyToAddress, sign} from "viem/accounts";

const hash = (...parts) => keccak256(concatHex(parts));
const little = (value, size) => `0x${numberToHex(value, {size}).slice(2).match(/../g).reverse().join("")}`;
/// 32 bytes that look like any others.
export const noise = text => keccak256(toHex(text));

/// Of RFC 6962's shape: pairs are hashed after `prefix`, the last of an odd row is promoted.
function root(prefix, row) {
	if (row.length === 1) return row[0];
	const above = [];
	for (let i = 0; i < row.length; i += 2) above.push(i + 1 < row.length ? hash(prefix, row[i], row[i + 1]) : row[i]);
	return root(prefix, above);
}

function path(prefix, row, index) {
	if (row.length === 1) return [];
	const above = [];
	for (let i = 0; i < row.length; i += 2) above.push(i + 1 < row.length ? hash(prefix, row[i], row[i + 1]) : row[i]);
	const sibling = row[index ^ 1];
	return [...(sibling ? [sibling] : []), ...path(prefix, above, index >> 1)];
}

export class Chain {
	constructor(size) {
		this.size = size;
	}

	key(setId, i) {
		return noise(`validator ${i} of set ${setId}`);
	}

	validators(setId) {
		return Array.from({length: this.size}, (_, i) => privateKeyToAddress(this.key(setId, i)));
	}

	set(id) {
		const commitment = root("0x", this.validators(id).map(address => keccak256(address)));
		return {id, length: this.size, commitment};
	}

	/// As few signatures as suffice, by the first of the set.
	async sign(commitment) {
		const {mmrRoot, blockNumber, setId} = commitment;
		const message = hash("0x046d6880", mmrRoot, little(blockNumber, 4), little(setId, 8));
		const count = this.size - Math.floor((this.size - 1) / 3);
		const signatures = [];
		for (let i = 0; i < count; i++) {
			const {r, s, yParity} = await sign({hash: message, privateKey: this.key(setId, i)});
			signatures.push({r, vs: numberToHex(BigInt(s) | (BigInt(yParity) << 255n), {size: 32})});
		}
		return {signers: (1n << BigInt(count)) - 1n, signatures, validators: this.validators(setId)};
	}

	/// A leaf of the set's time that names the next set, and its proof in a range of a million leaves.
	leaf(setId, extra) {
		const next = this.set(setId + 1n);
		const leaf = {
			version: 0,
			parentNumber: 1_234_567,
			parentHash: noise("parent"),
			nextSetId: next.id,
			nextSetLength: next.length,
			nextSetCommitment: next.commitment,
			extra,
		};
		const proof = {siblings: Array.from({length: 20}, (_, i) => noise(`sibling ${i}`)), order: 0b1011n};
		let mmrRoot = hash(
			little(leaf.version, 1),
			little(leaf.parentNumber, 4),
			leaf.parentHash,
			little(leaf.nextSetId, 8),
			little(leaf.nextSetLength, 4),
			leaf.nextSetCommitment,
			extra,
		);
		for (const [i, sibling] of proof.siblings.entries()) {
			mmrRoot = (proof.order >> BigInt(i)) & 1n ? hash(sibling, mmrRoot) : hash(mmrRoot, sibling);
		}
		return {leaf, proof, mmrRoot};
	}

	/// Root of the withdrawals that a block releases, and the proof of each.
	release(withdrawals) {
		const types = ["uint8", "uint32", "uint8", "uint64", "address", "uint128", "uint128"];
		const fields = w => [0, w.l2, w.kind, w.id, w.to, w.amount, w.fee];
		const leaves = withdrawals.map(w => keccak256(encodePacked(types, fields(w))));
		const proofs = leaves.map((_, index) => ({index, width: leaves.length, siblings: path("0x01", leaves, index)}));
		return {extra: root("0x01", leaves), proofs};
	}
}
