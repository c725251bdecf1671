import { AshlarError } from "../errors/index.ts";

declare const brand: unique symbol;

/** A SHA-256 digest: exactly 32 bytes, never mutated after creation. Lower-case hex in text. */
export type Digest = Uint8Array & { readonly [brand]: "Digest" };

/** Length of a digest in bytes. */
export const DIGEST_BYTES = 32;

const HEX = /^[0-9a-f]{64}$/;
const BYTE_TO_HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Lower-case hex of any bytes. */
export function encodeHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += BYTE_TO_HEX[byte];
  return text;
}

/** Whether `text` is a digest in lower-case hex (64 characters). */
export function isDigestHex(text: string): boolean {
  return HEX.test(text);
}

/** Parses 64 characters of lower-case hex. @throws {AshlarError} INVALID_ARGUMENT for anything else. */
export function decodeDigestHex(text: string): Digest {
  if (!HEX.test(text)) {
    throw new AshlarError("INVALID_ARGUMENT", "a chunk id is the SHA-256 in 64 characters of lower-case hex", {
      details: { chunkId: text.slice(0, 80) },
    });
  }
  const bytes = new Uint8Array(DIGEST_BYTES);
  for (let index = 0; index < DIGEST_BYTES; index++)
    bytes[index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16);
  return bytes as Digest;
}

/** Copies 32 bytes into a digest. @throws {AshlarError} INVALID_ARGUMENT for another length. */
export function digestFromBytes(bytes: Uint8Array): Digest {
  if (bytes.byteLength !== DIGEST_BYTES) {
    throw new AshlarError("INVALID_ARGUMENT", `a chunk id has 32 bytes, not ${bytes.byteLength}`);
  }
  return Uint8Array.from(bytes) as Digest;
}

/** Whether two byte arrays are equal. Not constant-time: for public digests, never for secrets. */
export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.byteLength !== b.byteLength) return false;
  for (let index = 0; index < a.byteLength; index++) if (a[index] !== b[index]) return false;
  return true;
}
