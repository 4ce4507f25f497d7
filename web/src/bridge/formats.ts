// The bridge's bytes, as Rust and Solidity have them (primitives/src/bridge/, contracts/src/lib/): what a page in a browser
// makes, or reads. Vectors: primitives/vectors/bridge.json, compared by e2e/js/bridge-formats.test.ts. The marked parts are snippets of
// docs/integrate.md.

// [account]
import { concat, encodePacked, keccak256, numberToHex, size, slice, toHex } from "viem";

type Hex = `0x${string}`;

/** Bytes from the last to the first. */
function reversed(bytes: Hex): Hex {
	return `0x${(bytes.slice(2).match(/../g) ?? []).reverse().join("")}`;
}

/** An integer as SCALE has it: so many bytes, little-endian. */
function little(value: number | bigint, bytes: number): Hex {
	return reversed(numberToHex(value, { size: bytes }));
}

/** The chain account of an Ethereum address of this L2. Nobody has a key for it; the wallet's messages move it. */
export function accountOf(l2: number, address: Hex): Hex {
	return keccak256(concat([toHex("clustercast/account/v2"), little(l2, 4), address]));
}

/** What a deposit of kind 0 asks for: USDC for an account. Amounts are micro-USDC. */
export type Credit = {
	/** Receives it on the chain; not zero. */
	account: Hex;
	/** Of the amount, so much goes to the deposit for tickets. */
	escrow: bigint;
	/** Ed25519 key that may sign tickets; 32 zeros for none, and then limit, expiry and proof are 0. */
	sessionKey: Hex;
	sessionLimit: bigint;
	/** Last block of the chain for which the key can sign. */
	sessionExpiry: number;
	/** What the session key signed to become the account's, 64 bytes; `clustercast-player session` prints it. */
	sessionProof: Hex;
};

/** The body of its deposit: 164 bytes. */
export function encodeCredit(credit: Credit): Hex {
	return encodePacked(
		["bytes32", "uint128", "bytes32", "uint128", "uint32", "bytes"],
		[
			credit.account,
			credit.escrow,
			credit.sessionKey,
			credit.sessionLimit,
			credit.sessionExpiry,
			credit.sessionProof,
		],
	);
}
// [end]

const ZERO = `0x${"00".repeat(32)}`;

/** The session proof of a credit without a session key. */
export const NO_PROOF: Hex = `0x${"00".repeat(64)}`;

/** The kind of deposits whose body is a {@link Credit}. */
export const CREDIT = 0;

/** The credit that a body says; null where it says none, by the vault's own rules. */
export function decodeCredit(body: Hex, amount: bigint): Credit | null {
	if (size(body) !== 164) return null;
	const credit = {
		account: slice(body, 0, 32),
		escrow: BigInt(slice(body, 32, 48)),
		sessionKey: slice(body, 48, 80),
		sessionLimit: BigInt(slice(body, 80, 96)),
		sessionExpiry: Number(slice(body, 96, 100)),
		sessionProof: slice(body, 100, 164),
	};
	const sessionless =
		credit.sessionLimit === 0n && credit.sessionExpiry === 0 && credit.sessionProof === NO_PROOF;
	const whole = credit.account !== ZERO && (credit.sessionKey !== ZERO || sessionless);
	return whole && credit.escrow <= amount ? credit : null;
}

// [send]
/** What the chain does for the account of whoever paid a deposit of kind 1. Amounts are micro-USDC. */
export type Action =
	/** Takes free USDC back to the L2; amount 0 is all of it, fee is for whoever executes it there. */
	| { action: "withdraw"; to: Hex; amount: bigint; fee: bigint }
	/** Asks for USDC of the deposit for tickets; amount 0 is all of it. */
	| { action: "unlock"; amount: bigint }
	/** Takes out what was asked for, after the chain's delay. */
	| { action: "collect" }
	/** Lets a session key sign tickets; it signed the proof for this account. */
	| { action: "authorize"; key: Hex; limit: bigint; expiry: number; proof: Hex };

/** The body of its deposit. */
export function encodeAction(action: Action): Hex {
	switch (action.action) {
		case "withdraw":
			return encodePacked(["uint8", "uint8", "address", "uint128", "uint128"], [1, 0, action.to, action.amount, action.fee]);
		case "unlock":
			return encodePacked(["uint8", "uint8", "uint128"], [1, 1, action.amount]);
		case "collect":
			return "0x0102";
		case "authorize":
			return encodePacked(
				["uint8", "uint8", "bytes32", "uint128", "uint32", "bytes"],
				[1, 3, action.key, action.limit, action.expiry, action.proof],
			);
	}
}

/** What a wallet signs for `Vault.sendFor` (EIP-712), under the domain of its messages to the chain. */
export const sendTypes = {
	Send: [
		{ name: "wallet", type: "address" },
		{ name: "kind", type: "uint8" },
		{ name: "amount", type: "uint128" },
		{ name: "body", type: "bytes" },
		{ name: "fee", type: "uint128" },
		{ name: "nonce", type: "uint64" },
		{ name: "deadline", type: "uint64" },
	],
} as const;
// [end]

/** The kind of deposits whose body is an {@link Action}. */
export const ACTION = 1;

/** The action that a body says; null where it is of another version, or none of the actions that are known here. */
export function decodeAction(body: Hex): Action | null {
	const lengths: Record<Hex, number> = { "0x0100": 54, "0x0101": 18, "0x0102": 2, "0x0103": 118 };
	const which = body.slice(0, 6) as Hex;
	if (size(body) !== lengths[which]) return null;
	switch (which) {
		case "0x0100":
			return {
				action: "withdraw",
				to: slice(body, 2, 22),
				amount: BigInt(slice(body, 22, 38)),
				fee: BigInt(slice(body, 38, 54)),
			};
		case "0x0101":
			return { action: "unlock", amount: BigInt(slice(body, 2, 18)) };
		case "0x0102":
			return { action: "collect" };
		default:
			return {
				action: "authorize",
				key: slice(body, 2, 34),
				limit: BigInt(slice(body, 34, 50)),
				expiry: Number(slice(body, 50, 54)),
				proof: slice(body, 54, 118),
			};
	}
}

/** A deposit, as the vault's event `Deposited` has it. */
export type Deposit = {
	l2: number;
	number: bigint;
	kind: number;
	amount: bigint;
	depositor: Hex;
	refundTo: Hex;
	body: Hex;
};

/** Its leaf in the vault's tree. */
export function depositLeaf(deposit: Deposit): Hex {
	return keccak256(
		encodePacked(
			["uint8", "uint32", "uint64", "uint8", "uint128", "address", "address", "bytes32"],
			[
				0,
				deposit.l2,
				deposit.number,
				deposit.kind,
				deposit.amount,
				deposit.depositor,
				deposit.refundTo,
				keccak256(deposit.body),
			],
		),
	);
}

/** What the vault owes, as `clustercast_withdrawals` answers it. */
export type Withdrawal = { l2: number; kind: number; id: bigint; to: Hex; amount: bigint; fee: bigint };

/** Its leaf in the tree of its block. */
export function withdrawalLeaf(w: Withdrawal): Hex {
	return keccak256(
		encodePacked(
			["uint8", "uint32", "uint8", "uint64", "address", "uint128", "uint128"],
			[0, w.l2, w.kind, w.id, w.to, w.amount, w.fee],
		),
	);
}

/** What validators say of the vault and the light client, as of a block of the L2. */
export type Attestation = {
	l2: number;
	kind: number;
	l2Block: bigint;
	l2Hash: Hex;
	root: Hex;
	count: bigint;
	lightClientBlock: number;
};

/** Its SCALE encoding, 89 bytes. */
export function encodeAttestation(a: Attestation): Hex {
	return concat([
		little(a.l2, 4),
		little(a.kind, 1),
		little(a.l2Block, 8),
		a.l2Hash,
		a.root,
		little(a.count, 8),
		little(a.lightClientBlock, 4),
	]);
}

/** From its encoding; null where it has another length. */
export function decodeAttestation(bytes: Hex): Attestation | null {
	if (size(bytes) !== 89) return null;
	const number = (from: number, to: number) => BigInt(reversed(slice(bytes, from, to)));
	return {
		l2: Number(number(0, 4)),
		kind: Number(number(4, 5)),
		l2Block: number(5, 13),
		l2Hash: slice(bytes, 13, 45),
		root: slice(bytes, 45, 77),
		count: number(77, 85),
		lightClientBlock: Number(number(85, 89)),
	};
}

/** What a validator signs for the chain with this genesis hash. */
export function attestationPayload(genesis: Hex, attestation: Attestation): Hex {
	return concat([toHex("clustercast/attestation/v2"), genesis, encodeAttestation(attestation)]);
}

/** The domain of an Ethereum wallet's messages to the chain (EIP-712): it names the L2, so that no message has to. */
export function actionDomain(l2: number, vault: Hex) {
	return { name: "ClusterCast", version: "2", chainId: l2, verifyingContract: vault } as const;
}

const envelope = [
	{ name: "tip", type: "uint128" },
	{ name: "nonce", type: "uint64" },
	{ name: "deadline", type: "uint32" },
] as const;

/** Their types: the type of a message is its kind. */
export const actionTypes = {
	Withdraw: [
		{ name: "to", type: "address" },
		{ name: "amount", type: "uint128" },
		{ name: "fee", type: "uint128" },
		...envelope,
	],
	Unlock: [{ name: "amount", type: "uint128" }, ...envelope],
	Collect: envelope,
	Authorize: [
		{ name: "key", type: "bytes32" },
		{ name: "limit", type: "uint128" },
		{ name: "expiry", type: "uint32" },
		...envelope,
	],
} as const;
