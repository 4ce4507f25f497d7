// Connects to a node as any JavaScript program would, with @polkadot/api: decodes the metadata, signs a transfer with a
// dev key, waits until its block is final, prints one JSON line of what it saw. Exit code 1 with the reason otherwise.
//
// usage: node client.mjs WS_URL SENDER_URI RECIPIENT_ADDRESS MICRO_USDC

import { ApiPromise, Keyring, WsProvider } from "@polkadot/api";

// A 2 s chain finalises within seconds; past this, something hangs.
const DEADLINE_MS = 60_000;

const [url, senderUri, recipient, amount] = process.argv.slice(2);
if (!amount) {
	console.error("usage: node client.mjs WS_URL SENDER_URI RECIPIENT_ADDRESS MICRO_USDC");
	process.exit(2);
}

/** Signs and submits; resolves with the hash of the finalised block and the names of the extrinsic's events. */
function finalised(extrinsic, sender) {
	return new Promise((resolve, reject) => {
		extrinsic
			.signAndSend(sender, ({ status, events, dispatchError, isError }) => {
				if (dispatchError) {
					reject(new Error(`refused: ${dispatchError}`));
				} else if (isError) {
					reject(new Error(`dropped: ${status.type}`));
				} else if (status.isFinalized) {
					const names = events.map(({ event }) => `${event.section}.${event.method}`);
					resolve({ block: status.asFinalized.toHex(), events: names });
				}
			})
			.catch(reject);
	});
}

async function main() {
	const api = await ApiPromise.create({ provider: new WsProvider(url), throwOnConnect: true, noInitWarn: true });
	const sender = new Keyring({ type: "sr25519", ss58Format: api.registry.chainSS58 }).addFromUri(senderUri);
	const free = async () => (await api.query.system.account(recipient)).data.free.toBigInt();

	const before = await free();
	const { block, events } = await finalised(api.tx.balances.transferKeepAlive(recipient, amount), sender);
	const received = (await free()) - before;

	console.log(
		JSON.stringify({
			chain: (await api.rpc.system.chain()).toString(),
			pallets: api.runtimeMetadata.asLatest.pallets.map(({ name }) => name.toString()),
			decimals: api.registry.chainDecimals[0],
			token: api.registry.chainTokens[0],
			ss58Prefix: api.registry.chainSS58,
			existentialDeposit: api.consts.balances.existentialDeposit.toString(),
			block,
			events,
			received: received.toString(),
		}),
	);
	await api.disconnect();
}

const deadline = setTimeout(() => {
	console.error(`nothing final within ${DEADLINE_MS / 1000} s`);
	process.exit(1);
}, DEADLINE_MS);

try {
	await main();
} catch (error) {
	console.error(error.message ?? error);
	process.exit(1); // the provider would go on trying to connect
} finally {
	clearTimeout(deadline);
}
