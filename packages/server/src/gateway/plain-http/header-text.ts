const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const ASCII = /^[\u0020-\u007e\t]*$/;
const BEYOND_BYTE = /[\u0100-\uffff]/;

/**
 * Encodes text for an HTTP header. HTTP carries bytes, which JavaScript shows as the characters U+0000 to U+00FF. Text beyond ASCII goes out as its
 * UTF-8 bytes; it usually comes in that way, too.
 */
export function encodeHeaderText(text: string): string {
  if (ASCII.test(text)) return text;
  return String.fromCharCode(...encoder.encode(text));
}

/** Inverse of {@link encodeHeaderText}; bytes that are not UTF-8 stay as they are (ISO-8859-1). */
export function decodeHeaderText(text: string): string {
  if (ASCII.test(text) || BEYOND_BYTE.test(text)) return text;
  try {
    return decoder.decode(Uint8Array.from(text, (character) => character.charCodeAt(0)));
  } catch {
    return text;
  }
}
