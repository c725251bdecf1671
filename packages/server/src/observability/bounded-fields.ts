import type { LogFields } from "@ashlar/sdk/ports";
import { HTTP_LIMITS } from "../http/bounds/http-limits.ts";
import { shortened } from "../http/shortened.ts";

/** A text of a log line: no more than LOG_TEXT_MAX characters of it. */
export function boundedText(text: string): string {
  return shortened(text, HTTP_LIMITS.LOG_TEXT_MAX.value);
}

/** The fields of a log line, each text in them cut to LOG_TEXT_MAX: paths, names and messages come from others. Errors stay as they are. */
export function boundedFields(fields: LogFields): LogFields {
  return boundedEntries(fields);
}

/**
 * The same for an error as a serializer made it, causes and details included. The message at the beginning of its stack is cut too, so that the rest
 * has room.
 */
export function boundedError(serialized: unknown): unknown {
  if (!isEntries(serialized)) return boundedValue(serialized);
  const { message, stack } = serialized;
  const isLong = typeof message === "string" && message.length > HTTP_LIMITS.ERROR_TEXT_MAX.value;
  if (!isLong || typeof stack !== "string") return boundedEntries(serialized, boundedError);
  return boundedEntries({ ...serialized, stack: stack.replace(message, () => shortened(message)) }, boundedError);
}

function boundedEntries(entries: LogFields, bounded = boundedValue): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const name of Object.keys(entries)) result[name] = bounded(entries[name]);
  return result;
}

function boundedValue(value: unknown): unknown {
  if (typeof value === "string") return boundedText(value);
  if (Array.isArray(value)) return value.map(boundedValue);
  return isEntries(value) && isPlain(value) ? boundedEntries(value) : value;
}

function isEntries(value: unknown): value is LogFields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Objects of other classes serialize themselves. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
