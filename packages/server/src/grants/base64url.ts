const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const VALUES: ReadonlyMap<string, number> = new Map(Array.from(ALPHABET, (letter, value) => [letter, value]));

/** Base64 of RFC 4648 §5 without padding. */
export function encodeBase64Url(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < bytes.byteLength; index += 3) {
    const left = bytes.byteLength - index;
    const group = ((bytes[index] ?? 0) << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0);
    const letters = Math.min(4, left + 1);
    for (let letter = 0; letter < letters; letter++) text += ALPHABET[(group >> (18 - 6 * letter)) & 63];
  }
  return text;
}

/**
 * Inverse of {@link encodeBase64Url}; `undefined` for anything that it would not have produced.
 *
 * Strict on purpose: the spare bits of the last letter must be zero, so that no second spelling of a token is accepted.
 */
export function decodeBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 === 1) return undefined;
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let buffered = 0;
  let bits = 0;
  let length = 0;
  for (const letter of text) {
    const value = VALUES.get(letter);
    if (value === undefined) return undefined;
    buffered = ((buffered << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length++] = (buffered >> bits) & 0xff;
  }
  return (buffered & ((1 << bits) - 1)) === 0 ? bytes : undefined;
}
