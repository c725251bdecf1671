import type { MetadataStore } from "@ashlar/sdk/ports";

/** The second channel: reads and writes a database without its store. */
export interface RawDatabase {
  query(sql: string, params?: readonly unknown[]): Promise<ReadonlyArray<Record<string, unknown>>>;
}

/** A store, and direct access to its database. */
export interface RawSubject {
  readonly store: MetadataStore;
  readonly raw: RawDatabase;
  dispose(): Promise<void>;
}

/** The value with one bit flipped. */
export function flipBit(value: unknown, bit: number): unknown {
  if (typeof value === "string") {
    // Stays text: a lower bit of an ASCII character.
    const at = (bit >> 3) % value.length;
    return value.slice(0, at) + String.fromCharCode(value.charCodeAt(at) ^ 1) + value.slice(at + 1);
  }
  const bytes = Uint8Array.from(value as Uint8Array);
  const at = (bit >> 3) % bytes.byteLength;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit & 7));
  return Buffer.from(bytes);
}
