// What the browser keeps for this page: IndexedDB, on disk before anything follows from it.

/** Session keys and purses; what wallets signed and agents may still use; and relayers that were left. */
export type Store = "sessions" | "orders" | "relayers";

const STORES: Store[] = ["sessions", "orders", "relayers"];

function done<T>(request: IDBRequest<T>): Promise<T> {
	return new Promise((resolve, reject) => {
		request.onsuccess = () => resolve(request.result);
		request.onerror = () => reject(request.error);
	});
}

let opened: Promise<IDBDatabase> | undefined;
let place = "clustercast";

/** Where it is kept from now on: to be said before anything is asked for. */
export function keepIn(name: string): void {
	place = name;
}

function database(): Promise<IDBDatabase> {
	opened ??= (async () => {
		const request = indexedDB.open(place, 3);
		request.onupgradeneeded = () => {
			for (const store of STORES) {
				if (!request.result.objectStoreNames.contains(store)) request.result.createObjectStore(store, {keyPath: "name"});
			}
		};
		const found = await done(request);
		// A newer page in another tab is not held up.
		found.onversionchange = () => {
			opened = undefined;
			found.close();
		};
		return found;
	})();
	return opened;
}

/** Resolves when it is on disk, as far as the browser says. */
async function write(store: Store, change: (objects: IDBObjectStore) => void): Promise<void> {
	const transaction = (await database()).transaction(store, "readwrite", {durability: "strict"});
	change(transaction.objectStore(store));
	await new Promise<void>((resolve, reject) => {
		transaction.oncomplete = () => resolve();
		transaction.onabort = () => reject(transaction.error);
	});
}

export async function get<T>(store: Store, name: string): Promise<T | undefined> {
	return done((await database()).transaction(store).objectStore(store).get(name)) as Promise<T | undefined>;
}

export function put<T extends {name: string}>(store: Store, what: T): Promise<void> {
	return write(store, (objects) => objects.put(what));
}

/** Removes what is kept under a name, where it still is what is meant. */
export function remove<T>(store: Store, name: string, is: (found: T) => boolean): Promise<void> {
	return write(store, (objects) => {
		const found = objects.get(name) as IDBRequest<T | undefined>;
		found.onsuccess = () => found.result !== undefined && is(found.result) && objects.delete(name);
	});
}

/** Puts one in place of another, in one step. */
export function move<T extends {name: string}>(store: Store, from: string, what: T): Promise<void> {
	return write(store, (objects) => {
		objects.put(what);
		objects.delete(from);
	});
}
