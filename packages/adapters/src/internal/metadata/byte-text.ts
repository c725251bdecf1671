/**
 * Keys as "byte text": one character (U+0000 to U+00FF) for each byte of the UTF-8 form. JavaScript compares text by UTF-16 units, S3 and SQL
 * order keys by UTF-8 bytes. For byte text, plain `<` gives the order of the bytes.
 */
export function toByteText(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** The inverse of {@link toByteText}. */
export function fromByteText(byteText: string): string {
  return Buffer.from(byteText, "latin1").toString("utf8");
}

/** The bytes, for SQL. */
export function byteTextToBytes(byteText: string): Uint8Array {
  return Buffer.from(byteText, "latin1");
}

/** From a column of bytes. */
export function bytesToByteText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The smallest byte text above all that begin with `prefix`, which is not empty and has no byte 0xFF (UTF-8 never has). */
export function successorOf(prefix: string): string {
  return prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);
}

/** The smallest byte text above `key`. */
export function justAfter(key: string): string {
  return `${key}\0`;
}
