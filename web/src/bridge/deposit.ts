// A deposit that somebody else submits: what the wallet signs (EIP-3009), how it travels to an agent, and the message of a permit
// beside it. The marked part is a snippet of docs/integrate.md.
import { encodeAbiParameters, keccak256 } from "viem";

type Hex = `0x${string}`;

// [authorisation]
/** What the vault is asked for; amounts are micro-USDC. */
export type Order = { kind: number; amount: bigint; refundTo: Hex; body: Hex };

/** What somebody earns who submits it, and when; seconds since 1970 by the L2. */
export type Consent = { fee: bigint; validAfter: bigint; validBefore: bigint };

/** The token's own domain: name and version are what the token says, "USD Coin" and "2" on Base. */
export type Token = { name: string; version: string; chainId: number; verifyingContract: Hex };

const order = [
	{ name: "kind", type: "uint8" },
	{ name: "amount", type: "uint128" },
	{ name: "refundTo", type: "address" },
	{ name: "body", type: "bytes" },
] as const;

/** `Vault.authorizationNonce`: all that is ordered. */
export function authorizationNonce(what: Order, { fee, validAfter, validBefore }: Consent): Hex {
	return keccak256(
		encodeAbiParameters(
			[{ type: "tuple", components: order }, { type: "uint128" }, { type: "uint256" }, { type: "uint256" }],
			[what, fee, validAfter, validBefore],
		),
	);
}

/** What a wallet signs to let an agent deposit: the token takes it once, and the vault alone can use it. */
export function authorisation(token: Token, vault: Hex, depositor: Hex, what: Order, consent: Consent) {
	return {
		domain: token,
		types: {
			ReceiveWithAuthorization: [
				{ name: "from", type: "address" },
				{ name: "to", type: "address" },
				{ name: "value", type: "uint256" },
				{ name: "validAfter", type: "uint256" },
				{ name: "validBefore", type: "uint256" },
				{ name: "nonce", type: "bytes32" },
			],
		},
		primaryType: "ReceiveWithAuthorization",
		message: {
			from: depositor,
			to: vault,
			value: what.amount + consent.fee,
			validAfter: consent.validAfter,
			validBefore: consent.validBefore,
			nonce: authorizationNonce(what, consent),
		},
	} as const;
}

/** A deposit with its signature, as agents take it. */
export type SignedDeposit = {
	depositor: Hex;
	kind: number;
	amount: string;
	refundTo: Hex;
	body: Hex;
	fee: string;
	validAfter: number;
	validBefore: number;
	signature: Hex;
};

export function signedDeposit(depositor: Hex, what: Order, consent: Consent, signature: Hex): SignedDeposit {
	return {
		...what,
		depositor,
		amount: `${what.amount}`,
		fee: `${consent.fee}`,
		validAfter: Number(consent.validAfter),
		validBefore: Number(consent.validBefore),
		signature,
	};
}
// [end]

/** What it orders and allows, of one that travels. */
export function parts(signed: SignedDeposit): [Order, Consent] {
	const { kind, refundTo, body } = signed;
	return [
		{ kind, amount: BigInt(signed.amount), refundTo, body },
		{ fee: BigInt(signed.fee), validAfter: BigInt(signed.validAfter), validBefore: BigInt(signed.validBefore) },
	];
}
