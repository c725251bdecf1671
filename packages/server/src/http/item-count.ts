import { AshlarError } from "@ashlar/sdk/errors";
import type { FieldShape, MessageShape } from "./message-shape.ts";

/** A message whose items are counted while its bytes, binary or JSON, come by. */
export interface ItemCount {
  readonly shape: MessageShape;
  /** Takes an item of a list or map. @throws {AshlarError} INVALID_ARGUMENT for one too many. */
  add(field: FieldShape): void;
  /** Enters the message of a field. One that is set twice is one, and has the items of both. */
  enter(field: FieldShape, message: MessageShape): ItemCount;
}

/** Counts the items of one message of a shape. */
export function createItemCount(shape: MessageShape): ItemCount {
  let counts: Map<FieldShape, number> | undefined;
  let singles: Map<FieldShape, ItemCount> | undefined;
  return {
    shape,
    add(field) {
      if (field.itemsMax === Number.POSITIVE_INFINITY) return;
      const count = (counts?.get(field) ?? 0) + 1;
      if (count > field.itemsMax) throw tooMany(field);
      counts ??= new Map();
      counts.set(field, count);
    },
    enter(field, message) {
      if (field.kind !== "single") return createItemCount(message);
      singles ??= new Map();
      const inner = singles.get(field) ?? createItemCount(message);
      singles.set(field, inner);
      return inner;
    },
  };
}

function tooMany({ name, itemsMax }: FieldShape): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", `${name} has at most ${itemsMax} items`, {
    details: { field: name, itemsMax: String(itemsMax) },
  });
}
