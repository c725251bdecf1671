import { plainMembers } from "../internal/plain-members.ts";
import type { ClientCalls } from "./object-client.ts";

/** Arguments of all calls, and the members of `range` and `parts`. In one string, because that is smallest in a page. */
const NAMES =
  "bucket key body keys metadata contentType cacheControl contentDisposition contentEncoding contentLanguage expires attributes ifMatch ifNoneMatch ifMissing sourceBucket sourceKey sourceIfMatch objectVersion range offset length verify sizeBytes chunker durability sha256 prefix delimiter startAfter cursor limit pageSize uploadId partNumber parts etag role expiresInMs operationId signal timeoutMs onProgress concurrency";

type Words<Text> = Text extends `${infer First} ${infer Rest}` ? First | Words<Rest> : Text;
type NamesOf<Input> = Input extends object ? keyof Input : never;
type Given = NamesOf<Parameters<ClientCalls[keyof ClientCalls]>[0]>;
/** Does not compile if a call has an argument that NAMES lacks. */
type NoneMissing<Missing extends never> = Missing;
/** Every argument of every call. */
export type ArgumentName = Words<typeof NAMES> | NoneMissing<Exclude<Given, Words<typeof NAMES>>>;

/** PART_NUMBER_MAX; the table of limits is not loaded yet. A longer list is a mistake, and may be an array that has only a length. */
const LIST_MAX = 1_000_000;

/** The body is held separately. Metadata that is no plain object stays what it is; the check of attributes refuses it. */
function taken(name: string, value: unknown): unknown {
  if (name === "metadata") return plainMembers(value) ?? value;
  if (name === "range") return takenInput(value);
  const isList = name !== "body" && Array.isArray(value) && value.length <= LIST_MAX;
  return isList ? Array.from(value, takenInput) : value;
}

/**
 * A copy of a call's input as it is now: its arguments, with their members, in an object of the call's own. A caller that changes or reuses its
 * own objects after that, while the seat still opens, changes nothing of the call. Each member is read once, also an inherited one or a getter.
 *
 * Gives back an input that is no object, and one whose getter throws: that getter then throws where the arguments are checked.
 */
export function takenInput<Input>(input: Input): Input {
  if (typeof input !== "object" || input === null) return input;
  try {
    const own: Record<string, unknown> = {};
    for (const name of NAMES.split(" ")) {
      const value = (input as Readonly<Record<string, unknown>>)[name];
      if (value !== undefined) own[name] = taken(name, value);
    }
    return own as Input;
  } catch {
    return input;
  }
}
