import { AshlarError, ERROR_CODES } from "../errors/index.ts";
import type { Seat } from "./seat.ts";

/** What an error says of the call that failed. */
export interface FailedCall {
  /** Name of the client's method. */
  readonly name: string;
  /** As the caller gave it, unchecked. */
  readonly input: unknown;
  /** Made in the turn of the call, for its stack. */
  readonly caller: Error;
}

/** Turns anything thrown into an error that says what failed, and where it was called. */
export type Explain = (thrown: unknown) => AshlarError;

const NAMES = ["bucket", "key", "sourceBucket", "sourceKey", "uploadId", "partNumber"] as const;
/** Characters of a name that a message shows: keys may have 1,024 bytes. */
const SHOWN_MAX = 200;

/** Errors that name a call already. An error that ends several calls, as the one of `close()` does, is copied for each further call. */
const explained = new WeakMap<AshlarError, Pick<AshlarError, "message" | "details">>();

/**
 * Puts bucket, key and the gateway's URL into an error, and adds the caller's stack frames below its own: they were lost while the call waited for a
 * socket or a worker. An error with which the caller itself aborted stays as it is.
 */
export function explainError(thrown: unknown, { name, input, caller }: FailedCall, seat: Seat): AshlarError {
  const known = AshlarError.from(thrown);
  const given = (typeof input === "object" && input !== null ? input : {}) as Readonly<Record<string, unknown>>;
  if (known === (given.signal as AbortSignal | undefined)?.reason) return known;
  const before = explained.get(known);
  const error =
    before === undefined
      ? known
      : new AshlarError(known.code, before.message, { cause: known, details: before.details });
  explained.set(error, { message: error.message, details: error.details });
  const details: Record<string, string> = {};
  for (const field of NAMES) {
    const value = given[field];
    if (typeof value === "string" || typeof value === "number") details[field] = String(value);
  }
  const { bucket, key } = error.details;
  if (bucket !== undefined && (bucket !== details.bucket || key !== undefined)) {
    // A copy has two objects, and the error knows which of them it means.
    delete details.key;
    Object.assign(details, error.details);
  }
  if (seat.url !== undefined) details.url = seat.url;
  const message = withContext(error, name, details);
  const { stack = "" } = error;
  const header = `${error.name}: ${error.message}`;
  // V8 begins a stack with the message, other engines do not.
  const own = stack.startsWith(header) ? `${error.name}: ${message}${stack.slice(header.length)}` : stack;
  const frames = caller.stack?.replace(/^Error:? *\n/, "") ?? "";
  Object.defineProperties(error, {
    message: { value: message },
    details: { value: Object.freeze({ ...details, ...error.details }) },
    stack: { value: `${own}\n${frames}` },
  });
  return error;
}

function withContext(error: AshlarError, name: string, details: Readonly<Record<string, string>>): string {
  const { bucket, key, uploadId, url } = details;
  const { message } = error;
  const where =
    uploadId === undefined ? [bucket, key].filter((part) => part !== undefined).join("/") : `upload ${uploadId}`;
  const isNamed = where === "" || message.includes(where);
  // Where the caller or the object is at fault, it does not matter which server says so.
  const isServers =
    ERROR_CODES[error.code].http >= 500 || error.code === "UNAUTHENTICATED" || error.code === "PERMISSION_DENIED";
  const at = url !== undefined && isServers && !message.includes(url) ? ` at ${url}` : "";
  if (isNamed && at === "") return message;
  return `${message} (${name}${isNamed ? "" : ` ${shown(where)}`}${at})`;
}

/** A name that somebody else chose, without characters that would control a terminal or a log. */
function shown(text: string): string {
  const safe = text
    .slice(0, SHOWN_MAX)
    .replace(/[\p{C}\u2028\u2029]/gu, (character) => JSON.stringify(character).slice(1, -1));
  return `"${safe}${text.length > SHOWN_MAX ? "…" : ""}"`;
}
