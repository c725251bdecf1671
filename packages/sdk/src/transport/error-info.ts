import { ERROR_CODES } from "../errors/index.ts";
import type { JsonMessage } from "./proto-json.ts";

/** ErrorInfo in protobuf's binary form, by hand: field 1 a varint, field 2 map entries of two texts. Loaded only for a server that sends no JSON of it. */
export function decodeErrorInfo(bytes: Uint8Array): JsonMessage {
  const details: Record<string, string> = {};
  let reason = 0;
  for (const [field, value] of fieldsOf(bytes)) {
    if (field === 1 && typeof value === "number") reason = value;
    if (field !== 2 || typeof value === "number") continue;
    const entry = new Map(fieldsOf(value));
    details[utf8(entry.get(1))] = utf8(entry.get(2));
  }
  // The enum numbers the codes in the order of the table, from 1; a test of rpc/ keeps it so.
  return { reason: `ERROR_REASON_${Object.keys(ERROR_CODES)[reason - 1] ?? ""}`, details };
}

function utf8(value: number | Uint8Array | undefined): string {
  return typeof value === "object" ? new TextDecoder().decode(value) : "";
}

/** Fields of a message that has only varints and length-delimited fields; stops at anything else. */
function* fieldsOf(bytes: Uint8Array): Generator<[number, number | Uint8Array]> {
  let position = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[position++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (position < bytes.length) {
    const tag = varint();
    const value = varint();
    if ((tag & 7) === 0) yield [tag >> 3, value];
    else if ((tag & 7) === 2) {
      yield [tag >> 3, bytes.subarray(position, position + value)];
      position += value;
    } else return;
  }
}
