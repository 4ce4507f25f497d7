// When one session key follows another. No network and no clock in here.

/** Of an account, as the relayer says; micro-USDC. */
export interface Account {
	free: string;
	deposit: string;
	reserved: string;
	sessions: {key: string; limit: string; spent: string; expiry: number}[];
}

/** Whether the present key gives way to the one that was asked for: only where the chain has that, and it is not the present one already. */
export function follows(asked: string, present: string, account: Account | undefined): boolean {
	return asked !== present && has(account, asked);
}

export function has(account: Account | undefined, key: string): boolean {
	return account?.sessions.some((session) => session.key === key) === true;
}

/** All that ever came and is there, or was spent by a key that still exists: it grows by what is credited alone. */
export function worth({free, deposit, sessions}: Account): bigint {
	return sessions.reduce((sum, {spent}) => sum + BigInt(spent), BigInt(free) + BigInt(deposit));
}

/** Whether the chain took a deposit and not the session key in it: the account is worth what it is with that, and the key is not there. */
export function refused(key: string, least: bigint, account: Account | undefined): boolean {
	return account !== undefined && !has(account, key) && worth(account) >= least;
}
