import type { RecordEntry, WholeRecord } from "./record.ts";

/** Goes through a record beside another walk in the same order. */
export interface RecordCursor extends AsyncDisposable {
  /**
   * The entry of a key, or of the bucket itself where the key is empty. The chunks of an object must be taken before the next call.
   * @param counts.changes raised by the entries that were passed over: the other walk has them no more.
   */
  seek(bucket: string, key: string, counts: { changes: number }): Promise<RecordEntry | undefined>;
  /** @returns how many entries were left. */
  skipRest(): Promise<number>;
}

/** @param record absent: there are no entries. */
export function createRecordCursor(record: WholeRecord | undefined): RecordCursor {
  const entries = record?.entries();
  let next: RecordEntry | undefined;
  let isDone = entries === undefined;
  const advance = async (): Promise<void> => {
    const step = await entries?.next();
    isDone = step === undefined || step.done === true;
    next = isDone ? undefined : (step?.value as RecordEntry);
  };
  return {
    async seek(bucket, key, counts) {
      if (next === undefined && !isDone) await advance();
      while (next !== undefined) {
        const order = compare(next, bucket, key);
        if (order > 0) return undefined;
        const found = next;
        next = undefined;
        if (order === 0) return found;
        counts.changes++;
        await advance();
      }
      return undefined;
    },
    async skipRest() {
      let count = 0;
      if (next === undefined && !isDone) await advance();
      while (next !== undefined) {
        count++;
        await advance();
      }
      return count;
    },
    async [Symbol.asyncDispose]() {
      await entries?.return(undefined);
    },
  };
}

/** As listings order: by bucket, then by the UTF-8 bytes of the key. */
function compare(entry: RecordEntry, bucket: string, key: string): number {
  if (entry.bucket !== bucket) return entry.bucket < bucket ? -1 : 1;
  const entryKey = entry.kind === "bucket" ? "" : entry.kind === "object" ? entry.object.key : entry.key;
  return compareKeys(entryKey, key);
}

/** By UTF-8 bytes, which is not the order of JavaScript's strings. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
