// What the L2 says, asked through the person's own wallet: nobody that the page chose is believed. Nothing here is signed or sent.
import {decodeFunctionResult, encodeFunctionData, hashDomain, numberToHex, pad, parseAbi, toEventSelector, type Hex} from "viem";
import {authorizationNonce, parts, type SignedDeposit} from "../bridge/deposit.ts";
import {DOMAIN, tokenDomain, type Deployment} from "./deployment.ts";
import type {Facts} from "./handover.ts";
import {ask, type Wallet} from "./provider.ts";

const ABI = parseAbi([
	"function balanceOf(address) view returns (uint256)",
	"function DOMAIN_SEPARATOR() view returns (bytes32)",
	"function authorizationState(address, bytes32) view returns (bool)",
	"function usdc() view returns (address)",
]);
const CANCELLED = toEventSelector("AuthorizationCanceled(address,bytes32)");

export class L2 {
	constructor(
		private readonly wallet: Wallet,
		private readonly deployment: Deployment,
	) {}

	/** Whether the wallet is on it. */
	async isChosen(): Promise<boolean> {
		return Number(await ask<string>(this.wallet, "eth_chainId")) === this.deployment.chainId;
	}

	/** Asks the person to go there; and to take it among the wallet's networks, where it does not know it. */
	async choose(): Promise<void> {
		const chainId = numberToHex(this.deployment.chainId);
		try {
			await ask(this.wallet, "wallet_switchEthereumChain", [{chainId}]);
		} catch (error) {
			const {name, rpcUrls} = this.deployment;
			if ((error as {kind?: string}).kind !== "unknown-chain" || rpcUrls.length === 0) throw error;
			const nativeCurrency = {name: "Ether", symbol: "ETH", decimals: 18};
			await ask(this.wallet, "wallet_addEthereumChain", [{chainId, chainName: name, rpcUrls, nativeCurrency}]);
		}
	}

	/** Whether the address has code: a contract's, or one that the wallet let run (EIP-7702). */
	async hasCode(address: Hex): Promise<boolean> {
		const code = await ask<Hex | null>(this.wallet, "eth_getCode", [address, "latest"]);
		return code !== null && code !== "0x";
	}

	/** Micro-USDC. */
	async balance(address: Hex): Promise<bigint> {
		return this.#view(this.deployment.usdc, "balanceOf", [address]);
	}

	/** Whether vault and token are those that the page knows: else what is signed would be good for nothing. */
	async isDeployed(): Promise<boolean> {
		const {vault, usdc} = this.deployment;
		const domain = hashDomain({domain: {...tokenDomain(this.deployment)}, types: DOMAIN});
		const [separator, token] = await Promise.all([this.#view<Hex>(usdc, "DOMAIN_SEPARATOR"), this.#view<Hex>(vault, "usdc")]);
		return separator === domain && token.toLowerCase() === usdc.toLowerCase();
	}

	/** Number and time of its newest block, or of the newest final one. */
	async block(which: "latest" | "finalized"): Promise<{number: bigint; time: bigint}> {
		const block = await ask<{number: Hex; timestamp: Hex}>(this.wallet, "eth_getBlockByNumber", [which, false]);
		return {number: BigInt(block.number), time: BigInt(block.timestamp)};
	}

	/** What became of an authorisation that was signed behind block `from`. Time first: what a block behind the end lacks, nobody can do. */
	async facts(signed: SignedDeposit, from: bigint): Promise<Facts> {
		const {usdc} = this.deployment;
		const {time} = await this.block("finalized");
		const nonce = authorizationNonce(...parts(signed));
		const spent = await this.#view<boolean>(usdc, "authorizationState", [signed.depositor, nonce]);
		let cancelled = false;
		if (spent) {
			const topics = [CANCELLED, pad(signed.depositor), nonce];
			const filter = {address: usdc, fromBlock: numberToHex(from), topics};
			// Where nobody tells, it is taken for used: nobody can use it any more either way.
			cancelled = (await ask<unknown[]>(this.wallet, "eth_getLogs", [filter]).catch(() => [])).length > 0;
		}
		return {spent, cancelled, finalTime: time};
	}

	async #view<T>(to: Hex, functionName: string, args: unknown[] = []): Promise<T> {
		const call = {abi: ABI, functionName, args} as Parameters<typeof encodeFunctionData>[0];
		const data = await ask<Hex>(this.wallet, "eth_call", [{to, data: encodeFunctionData(call)}, "latest"]);
		return decodeFunctionResult({...call, data} as Parameters<typeof decodeFunctionResult>[0]) as T;
	}
}
