// The session key of an account, and the state of its purse: in IndexedDB. The key is made by the browser and never handed out, not
// even to this page: it signs, and that is all.

const STORE = "sessions";

export interface Session {
	/** Chain and account. */
	name: string;
	key: CryptoKey;
	/** 32 bytes. */
	public: Uint8Array;
	/** What the machines said was to be stored; undefined before the first payment. */
	purse: Uint8Array | undefined;
}

function done<T>(request: IDBRequest<T>): Promise<T> {
	return new Promise((resolve, reject) => {
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
}

async function database(): Promise<IDBDatabase> {
	const request = indexedDB.open("clustercast", 1);
	request.onupgradeneeded = () => request.result.createObjectStore(STORE, {keyPath: "name"});
	return done(request);
}

/** Resolves when it is on disk, as far as the browser says. */
async function put(session: Session): Promise<void> {
	const transaction = (await database()).transaction(STORE, "readwrite", {durability: "strict"});
	transaction.objectStore(STORE).put(session);
	await new Promise<void>((resolve, reject) => {
		transaction.oncomplete = () => resolve();
		transaction.onabort = () => reject(transaction.error);
	});
}

/** The session key of this account on this chain; a new one where there is none. */
export async function session(name: string): Promise<Session> {
	const known = await done((await database()).transaction(STORE).objectStore(STORE).get(name));
	return known === undefined ? renew(name) : (known as Session);
}

/** A new one, in place of one that is used up or too old. */
export async function renew(name: string): Promise<Session> {
	const pair = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
	const made: Session = {
		name,
		key: pair.privateKey,
		public: new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)),
		purse: undefined,
	};
	await put(made);
	return made;
}

export async function storePurse(session: Session, purse: Uint8Array): Promise<void> {
	await put({...session, purse});
}

export async function sign(session: Session, payload: Uint8Array): Promise<Uint8Array> {
	return new Uint8Array(await crypto.subtle.sign("Ed25519", session.key, payload as BufferSource));
}
