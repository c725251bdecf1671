import { AshlarError } from "@ashlar/sdk/errors";
import type { DescMessage } from "@bufbuild/protobuf";
import { HTTP_LIMITS } from "./http-limits.ts";
import { addItem, createItemCount, enterField, type ItemCount } from "./item-count.ts";
import { type FieldShape, messageShape } from "./message-shape.ts";

/** Counts the fields of protobuf messages, and the items of their lists and maps, as their bytes come in. */
export interface FieldCounter {
  /** Begins a message. @param sizeBytes its length, `Infinity` if it ends with the body. */
  begin(sizeBytes: number): void;
  /** Takes the next bytes of the message. @throws {AshlarError} INVALID_ARGUMENT for too many fields or items. */
  feed(bytes: Uint8Array): void;
}

const WIRE_LENGTH = 2;
/** Bytes of a value by its wire type: 64 and 32 bits. Groups (3, 4) have none, and what lies in them is counted like the rest. */
const FIXED_BYTES: Readonly<Record<number, number>> = { 1: 8, 5: 4 };

/**
 * Counts without decoding, so that a list of a million empty items is refused for the price of reading its bytes once, not of a million objects.
 *
 * What is malformed, or nests deeper than the decoder goes, is left for the decoder to refuse.
 */
export function createFieldCounter(desc: DescMessage, fieldsMax: number): FieldCounter {
  const depthMax = HTTP_LIMITS.MESSAGE_DEPTH_MAX.value;
  /** Messages around the position, innermost last, each with where it ends. */
  let open: { readonly items: ItemCount; readonly end: number }[] = [];
  let position = 0;
  let skipTo = 0;
  let fields = 0;
  let number = 0;
  let shift = 0;
  let field: FieldShape | undefined;
  let state: "tag" | "length" | "varint" = "tag";

  const onTag = (): void => {
    fields++;
    if (fields > fieldsMax) throw new AshlarError("INVALID_ARGUMENT", `this message has at most ${fieldsMax} fields`);
    const wireType = number % 8;
    const items = open.at(-1)?.items;
    field = items?.shape.byNumber.get(Math.floor(number / 8));
    if (items !== undefined && field !== undefined && field.kind !== "single") addItem(items, field);
    state = wireType === 0 ? "varint" : wireType === WIRE_LENGTH ? "length" : "tag";
    skipTo = position + (FIXED_BYTES[wireType] ?? 0);
  };
  const onLength = (): void => {
    const message = field?.onWire?.();
    const around = open.at(-1)?.items;
    state = "tag";
    if (field === undefined || message === undefined || around === undefined || open.length >= depthMax) {
      skipTo = position + number;
    } else open.push({ items: enterField(around, field, message), end: position + number });
  };
  return {
    begin(sizeBytes) {
      open = [{ items: createItemCount(messageShape(desc)), end: sizeBytes }];
      position = skipTo = fields = number = shift = 0;
      state = "tag";
    },
    feed(bytes) {
      const base = position;
      for (let index = 0; index < bytes.length; ) {
        if (skipTo > position) {
          const skipped = Math.min(skipTo - position, bytes.length - index);
          index += skipped;
          position = base + index;
          continue;
        }
        while (open.length > 1 && position >= (open.at(-1)?.end ?? 0)) open.pop();
        const byte = bytes[index] as number;
        index++;
        position = base + index;
        // Lengths and tags have 32 bits; more is malformed, and what is beyond 2^53 does not matter to a count.
        if (shift < 53) number += (byte % 128) * 2 ** shift;
        shift += 7;
        if (byte >= 128) continue;
        if (state === "tag") onTag();
        else if (state === "length") onLength();
        else state = "tag";
        number = shift = 0;
      }
    },
  };
}
