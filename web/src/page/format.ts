// Amounts as people read them.

/** Micro-USDC. */
export function usdc(micro: bigint | number): string {
	const value = Number(micro) / 1e6;
	return `${value.toFixed(value < 0.1 ? 6 : 2)} USDC`;
}

export function megabytes(bytes: number): string {
	return `${(bytes / 1e6).toFixed(1)} MB`;
}

export function rate(bitsPerSecond: number): string {
	return `${(bitsPerSecond / 1e6).toFixed(2)} Mb/s`;
}

/** Seconds, to the minute. */
export function time(seconds: number): string {
	if (!Number.isFinite(seconds)) return "–";
	const minutes = Math.floor(seconds / 60);
	return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
