// What a transaction costs on each L2, by the rules and numbers that the L2 publishes. docs/l2.md lists the sources.
import solady from "solady";
import {hexToBytes, size} from "viem";

/// Numbers that are not rules: they move. All can be given to scripts/l2-costs; docs/l2.md says where these are from.
export const NOW = {
	/// USD for an ether.
	"eth-usd": 3_000,
	/// Base: base fee and usual tip, wei a gas.
	"base-fee": 5_000_000,
	"base-tip": 1_000_000,
	/// Base: what Ethereum charges, wei a gas and a blob gas.
	"l1-base-fee": 1_000_000_000,
	"blob-base-fee": 20_000_000,
	/// Base: SystemConfig's scalars, in millionths.
	"base-fee-scalar": 2_269,
	"blob-base-fee-scalar": 1_055_762,
	/// MegaETH: base fee, wei a gas, and how crowded the part of the state is that the contracts are in.
	"mega-fee": 1_000_000,
	"mega-multiplier": 1,
};

/// Base, of the OP stack: gas as on Ethereum, and a fee for the data posted to Ethereum, which Fjord estimates from the
/// size of the signed transaction compressed by FastLZ.
export function base({gas, raw}, now) {
	const compressed = size(solady.LibZip.flzCompress(raw));
	const estimated = Math.max(100e6, 836_500 * compressed - 42_585_600);
	const price = now["base-fee-scalar"] * now["l1-base-fee"] * 16 + now["blob-base-fee-scalar"] * now["blob-base-fee"];
	const data = (estimated * price) / 1e12;
	return {gas, data, wei: gas * (now["base-fee"] + now["base-tip"]) + data};
}

/// MegaETH: compute gas as on Ethereum, and storage gas for what burdens nodes: every transaction, its calldata, logs, slots
/// that come into use. A transaction pays at least the floor of its calldata, that of EIP-7623 with ten times its data on top.
export function mega({gas, input, logs, slots}, now) {
	const bytes = hexToBytes(input);
	const zeros = bytes.filter(byte => byte === 0).length;
	const others = bytes.length - zeros;
	const logged = logs.reduce((sum, log) => sum + 3_750 * log.topics.length + 80 * size(log.data), 0);
	const storage = 39_000 + 40 * zeros + 160 * others + logged + 20_000 * (now["mega-multiplier"] - 1) * slots;
	const floor = 21_000 + 110 * zeros + 440 * others;
	const total = Math.max(gas + storage, floor);
	return {gas: total, wei: total * now["mega-fee"]};
}
