import { AshlarError } from "@ashlar/sdk/errors";
import { connectErrorFrom } from "@ashlar/sdk/rpc";
import { HTTP_LIMITS } from "./http-limits.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPENING: ReadonlySet<number> = new Set([0x5b, 0x7b]);
const CLOSING: ReadonlySet<number> = new Set([0x5d, 0x7d]);

/**
 * Decodes the JSON of RPC messages, after a look over it.
 *
 * @param valuesMax members and elements of one message, nested ones included.
 */
export function boundedTextDecoder(valuesMax: number): Pick<TextDecoder, "decode"> {
  // Bytes that are no UTF-8 are refused: replaced by U+FFFD they would name another key than the one that was meant.
  const decoder = new TextDecoder("utf-8", { fatal: true });
  return {
    decode(bytes?: Uint8Array) {
      try {
        if (bytes !== undefined) assertJsonWithin(bytes, valuesMax);
      } catch (error) {
        throw connectErrorFrom(AshlarError.from(error)); // nobody behind Connect's decoding translates errors
      }
      return decoder.decode(bytes);
    },
  };
}

/**
 * Looks over a JSON text before it is parsed: how deep it nests, how many values it has, and whether a string is digits for ever. Everything else
 * is the parser's affair. Texts are passed over with a native search, so that base64 of megabytes costs little.
 *
 * @throws {AshlarError} INVALID_ARGUMENT.
 */
export function assertJsonWithin(bytes: Uint8Array, valuesMax: number): void {
  const depthMax = HTTP_LIMITS.MESSAGE_DEPTH_MAX.value;
  let depth = 0;
  let values = 0;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] as number;
    if (byte === QUOTE) {
      const end = endOfText(bytes, index + 1);
      assertNoDigitsForEver(bytes.subarray(index + 1, end));
      index = end;
    } else if (OPENING.has(byte)) {
      depth++;
      values++;
    } else if (CLOSING.has(byte)) depth--;
    else if (byte === COMMA) values++;
    if (depth > depthMax) throw invalid(`a message nests at most ${depthMax} deep`);
    if (values > valuesMax) throw invalid(`this message has at most ${valuesMax} values`);
  }
}

/** Where a text ends: at its closing quote, or behind the last byte. */
function endOfText(bytes: Uint8Array, start: number): number {
  for (let from = start; ; ) {
    const quote = bytes.indexOf(QUOTE, from);
    if (quote < 0) return bytes.length;
    let backslashes = 0;
    while (quote - 1 - backslashes >= start && bytes[quote - 1 - backslashes] === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote;
    from = quote + 1;
  }
}

function assertNoDigitsForEver(text: Uint8Array): void {
  const max = HTTP_LIMITS.JSON_DIGITS_MAX.value;
  if (text.length <= max) return;
  // A sign may come first. Base64 of real bytes has letters long before.
  for (let index = 1; index <= max; index++) {
    const byte = text[index] as number;
    if (byte < 0x30 || byte > 0x39) return;
  }
  throw invalid(`a number has at most ${max} digits`);
}

const invalid = (message: string): AshlarError => new AshlarError("INVALID_ARGUMENT", message);
