import { AshlarError } from "@ashlar/sdk/errors";
import type { FieldShape, MessageShape } from "./message-shape.ts";

/** Counts the items of one message while its bytes, binary or JSON, come in. Each nested message has one too: plain data, made lazily. */
export interface ItemCount {
  readonly shape: MessageShape;
  counts: Map<FieldShape, number> | undefined;
  singles: Map<FieldShape, ItemCount> | undefined;
}

/** Begins to count the items of one message. */
export function createItemCount(shape: MessageShape): ItemCount {
  return { shape, counts: undefined, singles: undefined };
}

/** Counts one item of a list or map of a message. @throws {AshlarError} INVALID_ARGUMENT for one too many. */
export function addItem(message: ItemCount, field: FieldShape): void {
  if (field.itemsMax === Number.POSITIVE_INFINITY) return;
  const count = (message.counts?.get(field) ?? 0) + 1;
  if (count > field.itemsMax) throw tooMany(field);
  message.counts ??= new Map();
  message.counts.set(field, count);
}

/** Enters the message that is the value of a field. A field that is set twice holds one message with the items of both. */
export function enterField(message: ItemCount, field: FieldShape, shape: MessageShape): ItemCount {
  if (field.kind !== "single") return createItemCount(shape);
  const inner = message.singles?.get(field) ?? createItemCount(shape);
  message.singles ??= new Map();
  message.singles.set(field, inner);
  return inner;
}

function tooMany({ name, itemsMax }: FieldShape): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", `${name} has at most ${itemsMax} items`, {
    details: { field: name, itemsMax: String(itemsMax) },
  });
}
