// USDC from an L2 to the chain and back, with viem. The marked parts are the snippets of docs/integrate.md.
//
// usage: tsx bridge.ts deposit USDC [AGENT]   deposits for the key's own account, by an agent where one is given; prints when it can be spent
//        tsx bridge.ts withdraw USDC          prints a message for `clustercast-bridge act submit`; 0 is everything
// with L2_RPC, CHAIN_RPC (http://), VAULT and KEY in the environment.

// [setup]
import { createPublicClient, createWalletClient, http, isAddressEqual, parseAbi, parseUnits, zeroHash } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { authorisation, signedDeposit } from "../../web/src/bridge/deposit.ts";
import { accountOf, encodeCredit } from "../../web/src/bridge/formats.ts";

const abi = parseAbi([
	"struct Order { uint8 kind; uint128 amount; address refundTo; bytes body; }",
	"function usdc() view returns (address)",
	"function depositWithPermit(Order order, uint256 deadline, bytes signature)",
	"function name() view returns (string)",
	"function nonces(address owner) view returns (uint256)",
]);

type Hex = `0x${string}`;

function setting(name: string): string {
	const value = process.env[name];
	if (!value) throw new Error(`${name} is not set`);
	return value;
}

const vault = setting("VAULT") as Hex;
const owner = privateKeyToAccount(setting("KEY") as Hex);
const l2 = createPublicClient({ transport: http(setting("L2_RPC")), pollingInterval: 500 });
const chainId = await l2.getChainId();
const wallet = createWalletClient({ account: owner, transport: http(setting("L2_RPC")) });

/** The domain of the token's signatures. */
async function tokenDomain(usdc: Hex) {
	const name = await l2.readContract({ address: usdc, abi, functionName: "name" });
	return { name, version: "2", chainId, verifyingContract: usdc };
}

/** One question to a node of the chain. */
async function chain<T>(method: string, params: unknown[] = []): Promise<T> {
	const response = await fetch(setting("CHAIN_RPC"), {
		method: "POST",
		headers: { "content-type": "application/json" },
		body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
	});
	const { result, error } = (await response.json()) as { result: T; error?: { message: string } };
	if (error) throw new Error(`${method}: ${error.message}`);
	return result;
}
// [end]

// [deposit]
/** As `clustercast-player session` prints it, and how much it may spend. */
type Session = { key: Hex; limit: bigint; expiry: number; proof: Hex };

/** An order for the key's own account. `session` may spend of the escrow by signing tickets. */
function orderOf(amount: bigint, escrow: bigint, session?: Session) {
	const body = encodeCredit({
		account: accountOf(chainId, owner.address),
		escrow,
		sessionKey: session?.key ?? zeroHash,
		sessionLimit: session?.limit ?? 0n,
		sessionExpiry: session?.expiry ?? 0,
		sessionProof: session?.proof ?? `0x${"00".repeat(64)}`,
	});
	return { kind: 0, amount, refundTo: owner.address, body };
}

/** Deposits USDC with a permit, one transaction. */
async function deposit(amount: bigint, escrow: bigint, session?: Session) {
	const usdc = await l2.readContract({ address: vault, abi, functionName: "usdc" });
	const order = orderOf(amount, escrow, session);
	const deadline = (await l2.getBlock()).timestamp + 3600n;
	const permit = await owner.signTypedData({
		domain: await tokenDomain(usdc),
		types: {
			Permit: [
				{ name: "owner", type: "address" },
				{ name: "spender", type: "address" },
				{ name: "value", type: "uint256" },
				{ name: "nonce", type: "uint256" },
				{ name: "deadline", type: "uint256" },
			],
		},
		primaryType: "Permit",
		message: {
			owner: owner.address,
			spender: vault,
			value: amount,
			nonce: await l2.readContract({ address: usdc, abi, functionName: "nonces", args: [owner.address] }),
			deadline,
		},
	});
	const { request } = await l2.simulateContract({
		account: owner,
		address: vault,
		abi,
		functionName: "depositWithPermit",
		args: [order, deadline, permit],
	});
	return l2.waitForTransactionReceipt({ hash: await wallet.writeContract(request) });
}
// [end]

// [agent]
/** Deposits with nothing but USDC: an agent submits what the wallet signs, for at most `maxFee` of micro-USDC. */
async function depositBy(agent: string, amount: bigint, escrow: bigint, maxFee: bigint) {
	const usdc = await l2.readContract({ address: vault, abi, functionName: "usdc" });
	const terms = (await (await fetch(`${agent}/v1/terms`)).json()) as {
		l2: number;
		vault: Hex;
		usdc: Hex;
		deposit: { fee: string };
	};
	// An agent that names another vault would be paid itself.
	if (terms.l2 !== chainId || !isAddressEqual(terms.vault, vault) || !isAddressEqual(terms.usdc, usdc))
		throw new Error("an agent of another bridge");
	const fee = BigInt(terms.deposit.fee);
	if (fee > maxFee) throw new Error(`the agent asks ${fee}`);
	const order = orderOf(amount, escrow);
	const consent = { fee, validAfter: 0n, validBefore: (await l2.getBlock()).timestamp + 900n };
	const asked = authorisation(await tokenDomain(usdc), vault, owner.address, order, consent);
	const signature = await owner.signTypedData(asked);
	const response = await fetch(`${agent}/v1/deposits`, {
		method: "POST",
		headers: { "content-type": "application/json" },
		body: JSON.stringify(signedDeposit(owner.address, order, consent, signature)),
	});
	const answer = (await response.json()) as { id: Hex; state: string; message?: string };
	// Another agent may be given the same; another signature waits until this one is used or over.
	if (!response.ok) throw new Error(answer.message);
	return answer.id;
}
// [end]

// [imported]
type Holdings = { free: string; deposit: string };

/** Waits until the account has as much on the chain, escrow included, in micro-USDC. */
async function imported(account: Hex, atLeast: bigint): Promise<Holdings> {
	for (;;) {
		const holdings = await chain<Holdings>("clustercast_viewerAccount", [account]);
		if (BigInt(holdings.free) + BigInt(holdings.deposit) >= atLeast) return holdings;
		await new Promise((resolve) => setTimeout(resolve, 1000));
	}
}
// [end]

// [withdraw]
/** Signs a message that takes USDC back to the wallet's own address. Anyone may submit it and earns `tip`. */
async function signWithdrawal(amount: bigint, fee: bigint, tip: bigint) {
	const { number } = await chain<{ number: Hex }>("chain_getHeader");
	const message = {
		to: owner.address,
		amount,
		fee,
		tip,
		nonce: BigInt(Date.now()),
		deadline: Number(number) + 600,
	};
	const signature = await owner.signTypedData({
		domain: { name: "ClusterCast", version: "2", chainId, verifyingContract: vault },
		types: {
			Withdraw: [
				{ name: "to", type: "address" },
				{ name: "amount", type: "uint128" },
				{ name: "fee", type: "uint128" },
				{ name: "tip", type: "uint128" },
				{ name: "nonce", type: "uint64" },
				{ name: "deadline", type: "uint32" },
			],
		},
		primaryType: "Withdraw",
		message,
	});
	const withdraw = {
		to: message.to,
		amount: `${amount}`,
		fee: `${fee}`,
		tip: `${tip}`,
		nonce: Number(message.nonce),
		deadline: message.deadline,
	};
	return { signer: owner.address, action: { withdraw }, signature };
}
// [end]

const [command, usdc, agent] = process.argv.slice(2);
if (!usdc) throw new Error("usage: tsx bridge.ts deposit|withdraw USDC [AGENT]");
const amount = parseUnits(usdc, 6);
if (command === "deposit") {
	const account = accountOf(chainId, owner.address);
	const { free, deposit: held } = await chain<Holdings>("clustercast_viewerAccount", [account]);
	const what = agent
		? { id: await depositBy(agent, amount, amount / 2n, 100_000n) }
		: { transaction: (await deposit(amount, amount / 2n)).transactionHash };
	const holdings = await imported(account, BigInt(free) + BigInt(held) + amount);
	console.log(JSON.stringify({ ...what, account, ...holdings }));
} else {
	console.log(JSON.stringify(await signWithdrawal(amount, 20_000n, 10_000n)));
}
