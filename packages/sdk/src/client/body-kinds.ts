import { AshlarError } from "../errors/index.ts";

// Structural tests: bodies may come from another realm (an iframe, node:vm, Jest), a polyfill or a test environment.
const tagOf = (value: unknown): string => Object.prototype.toString.call(value);
const isArrayBuffer = (value: unknown): value is ArrayBuffer => tagOf(value) === "[object ArrayBuffer]";
/** Also Buffer, which has the tag of its parent class. */
const isUint8Array = (value: unknown): value is Uint8Array =>
  ArrayBuffer.isView(value) && tagOf(value) === "[object Uint8Array]";

/** Whether a value is bytes in memory, of any realm. */
export function isBytes(value: unknown): value is Uint8Array | ArrayBuffer {
  return isUint8Array(value) || isArrayBuffer(value);
}

/** Whether a value behaves as a Blob. */
export function isBlob(value: object): value is Blob {
  return "stream" in value && typeof value.stream === "function" && "size" in value && typeof value.size === "number";
}

/** Whether a loop over a value gives its slices. */
export function isIterable(value: object): value is AsyncIterable<unknown> | Iterable<unknown> {
  return Symbol.asyncIterator in value || Symbol.iterator in value;
}

const encoder = new TextEncoder();

/**
 * Bytes of this realm over the same memory; a text as UTF-8.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for anything else, and for bytes whose memory was transferred away: they look empty.
 */
export function toBytes(slice: unknown): Uint8Array {
  if (typeof slice === "string") return encoder.encode(slice);
  if (!isBytes(slice)) {
    throw new AshlarError("INVALID_ARGUMENT", `a body's slices are Uint8Array or string; given: ${describe(slice)}`, {
      details: { given: describe(slice) },
    });
  }
  if (slice instanceof Uint8Array && slice.byteLength > 0) return slice;
  const [buffer, offset] = isArrayBuffer(slice) ? [slice, 0] : [slice.buffer, slice.byteOffset];
  try {
    return new Uint8Array(buffer, offset, slice.byteLength); // throws if the memory was transferred
  } catch (cause) {
    throw new AshlarError("INVALID_ARGUMENT", "the body's bytes were transferred away", { cause });
  }
}

/** A value's kind, for messages. */
export function describe(value: unknown): string {
  if (value === null || typeof value !== "object") return value === null ? "null" : typeof value;
  const name: unknown = value.constructor?.name;
  return typeof name === "string" && name !== "" ? name : "object";
}
