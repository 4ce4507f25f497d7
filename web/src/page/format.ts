// Amounts as people read them.

/** Micro-USDC. */
export function usdc(micro: bigint | number): string {
	const value = Number(micro) / 1e6;
	const digits = value < 0.1 ? value.toFixed(6).replace(/0{1,4}$/, "") : value.toFixed(2);
	return `${digits} USDC`;
}

export function megabytes(bytes: number): string {
	return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Of all. */
export function share(bytes: number, all: number): string {
	return `${all === 0 ? 0 : Math.round((100 * bytes) / all)} %`;
}

export function rate(bitsPerSecond: number): string {
	return `${(bitsPerSecond / 1e6).toFixed(2)} Mb/s`;
}

/** Seconds, to the minute; of a day, to the hour; of many, to the day. */
export function time(seconds: number): string {
	if (!Number.isFinite(seconds)) return "–";
	const minutes = Math.floor(seconds / 60);
	if (minutes < 60) return `${minutes} min`;
	const hours = Math.floor(minutes / 60);
	if (hours < 24) return `${hours} h ${minutes % 60} min`;
	return hours < 72 ? `${hours} h` : `${Math.floor(hours / 24)} days`;
}

/** Micro-USDC, as few digits as say it. */
export function sum(micro: bigint): string {
	const digits = micro.toString().padStart(7, "0");
	const part = digits.slice(-6).replace(/0{1,4}$/, "");
	return `${digits.slice(0, -6)}.${part} USDC`;
}

/** Hexadecimal digits of which people compare some: the first and the last eight, by fours. */
export function short(hex: string): string {
	const digits = hex.replace(/^0x/, "");
	const fours = (text: string) => text.match(/.{1,4}/g)?.join(" ") ?? "";
	return `${fours(digits.slice(0, 8))} … ${fours(digits.slice(-8))}`;
}

/** An Ethereum address, as wallets show it. */
export function address(hex: string): string {
	return `${hex.slice(0, 6)}…${hex.slice(-4)}`;
}

/** Milliseconds since 1970, as a day and a time of here. */
export function moment(ms: number): string {
	return new Date(ms).toLocaleString(undefined, {dateStyle: "medium", timeStyle: "short"});
}
