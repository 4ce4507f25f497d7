// SCALE, as far as web/core/src/message.rs needs it. What decides anything is read and written in Rust; here bytes are only moved.

export class Writer {
	#parts: number[] = [];

	number(value: bigint | number, width: number): this {
		let rest = BigInt(value);
		for (let n = 0; n < width; n++, rest >>= 8n) this.#parts.push(Number(rest & 0xffn));
		return this;
	}

	u16(value: number): this {
		return this.number(value, 2);
	}

	u32(value: number): this {
		return this.number(value, 4);
	}

	u64(value: bigint | number): this {
		return this.number(value, 8);
	}

	u128(value: bigint): this {
		return this.number(value, 16);
	}

	/** As they are. */
	raw(bytes: Uint8Array): this {
		for (const byte of bytes) this.#parts.push(byte);
		return this;
	}

	/** An Ed25519 key, behind its scheme. */
	key(bytes: Uint8Array): this {
		return this.number(0, 1).raw(bytes);
	}

	count(count: number): this {
		if (count < 64) return this.number(count << 2, 1);
		if (count < 1 << 14) return this.number((count << 2) | 1, 2);
		return this.number(count * 4 + 2, 4);
	}

	bytes(bytes: Uint8Array): this {
		return this.count(bytes.length).raw(bytes);
	}

	option<T>(value: T | undefined, write: (value: T) => void): this {
		this.number(value === undefined ? 0 : 1, 1);
		if (value !== undefined) write(value);
		return this;
	}

	finish(): Uint8Array {
		return Uint8Array.from(this.#parts);
	}
}

export class Reader {
	#at = 0;

	constructor(private readonly bytes_: Uint8Array) {}

	raw(length: number): Uint8Array {
		if (this.#at + length > this.bytes_.length) throw new RangeError("shorter than it says");
		return this.bytes_.subarray(this.#at, (this.#at += length));
	}

	number(width: number): bigint {
		return this.raw(width).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
	}

	u8(): number {
		return Number(this.number(1));
	}

	u32(): number {
		return Number(this.number(4));
	}

	u64(): bigint {
		return this.number(8);
	}

	u128(): bigint {
		return this.number(16);
	}

	bool(): boolean {
		return this.u8() !== 0;
	}

	count(): number {
		const first = this.u8();
		if ((first & 3) === 0) return first >> 2;
		this.#at--;
		if ((first & 3) === 1) return Number(this.number(2)) >> 2;
		if ((first & 3) === 2) return Number(this.number(4) >> 2n);
		throw new RangeError("longer than anything here");
	}

	bytes(): Uint8Array {
		return this.raw(this.count());
	}

	text(): string {
		return new TextDecoder().decode(this.bytes());
	}
}

export function fromHex(text: string): Uint8Array {
	const digits = text.replace(/^0x/, "");
	if (!/^([0-9a-fA-F]{2})*$/.test(digits)) throw new RangeError("hexadecimal digits, two for each byte");
	return Uint8Array.from(digits.match(/../g) ?? [], (byte) => parseInt(byte, 16));
}

export function toHex(bytes: Uint8Array): string {
	return "0x" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
