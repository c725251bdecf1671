import { AshlarError } from "@ashlar/sdk/errors";
import type { FieldShape, MessageShape } from "./message-shape.ts";

/** A message whose items are counted while its bytes, binary or JSON, come by. There are as many of them as messages: plain data, made lazily. */
export interface ItemCount {
  readonly shape: MessageShape;
  counts: Map<FieldShape, number> | undefined;
  singles: Map<FieldShape, ItemCount> | undefined;
}

/** Begins to count the items of one message. */
export function createItemCount(shape: MessageShape): ItemCount {
  return { shape, counts: undefined, singles: undefined };
}

/** Takes an item of a list or map of a message. @throws {AshlarError} INVALID_ARGUMENT for one too many. */
export function addItem(message: ItemCount, field: FieldShape): void {
  if (field.itemsMax === Number.POSITIVE_INFINITY) return;
  const count = (message.counts?.get(field) ?? 0) + 1;
  if (count > field.itemsMax) throw tooMany(field);
  message.counts ??= new Map();
  message.counts.set(field, count);
}

/** Enters a message of a shape that is the value of a field. One that is set twice is one, and has the items of both. */
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
