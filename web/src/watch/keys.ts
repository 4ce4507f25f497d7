// The session key of an account, and the state of its purse: in IndexedDB. The key is made by the browser and never handed out, not
// even to this page: it signs, and that is all.
import {get, move, put, remove} from "./database.ts";

export interface Session {
	/** Chain and account. */
	name: string;
	key: CryptoKey;
	/** 32 bytes. */
	public: Uint8Array;
	/** What the machines said was to be stored; undefined before the first payment. */
	purse: Uint8Array | undefined;
}

async function make(name: string): Promise<Session> {
	const pair = (await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"])) as CryptoKeyPair;
	const made: Session = {
		name,
		key: pair.privateKey,
		public: new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)),
		purse: undefined,
	};
	await put("sessions", made);
	return made;
}

/** The session key of this account on this chain; a new one where there is none. */
export async function session(name: string): Promise<Session> {
	return (await get<Session>("sessions", name)) ?? make(name);
}

const next = (name: string) => `${name}/next`;

/** The key that is to follow it, if there is one. */
export const heir = (name: string) => get<Session>("sessions", next(name));

/** The same; a new one where there is none. A wallet may authorise it while the present one still pays: the chain never raises a key's limit. */
export async function successor(name: string): Promise<Session> {
	return (await heir(name)) ?? make(next(name));
}

/** This one is not to follow. */
export function disown(name: string, {public: own}: Session): Promise<void> {
	return remove<Session>("sessions", next(name), ({public: found}) => found.every((byte, at) => byte === own[at]));
}

/** Its successor, or a new one, in place of one that is used up or too old. */
export async function renew(name: string): Promise<Session> {
	const following = {...(await successor(name)), name};
	await move("sessions", next(name), following);
	return following;
}

export async function storePurse(session: Session, purse: Uint8Array): Promise<void> {
	await put("sessions", {...session, purse});
}

export async function sign(session: Session, payload: Uint8Array): Promise<Uint8Array> {
	return new Uint8Array(await crypto.subtle.sign("Ed25519", session.key, payload as BufferSource));
}
