import { AshlarError } from "@ashlar/sdk/errors";
import type { Clock } from "@ashlar/sdk/ports";
import { withUnknownOutcome } from "../../internal/sql/finished-operations.ts";
import { openSqliteFile, type SqliteFile } from "./sqlite-file.ts";
import type { SqliteClient } from "./worker-client.ts";
import { decodeError, type WorkerAnswer, type WorkerInit } from "./worker-protocol.ts";

interface Pending {
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A file that is open in the thread of the caller: the same code as in a worker, without the thread and its messages. */
export function inThreadClient(init: WorkerInit, clock: Clock): SqliteClient {
  const pending = new Map<number, Pending>();
  let requestCount = 0;
  let file: SqliteFile | undefined;
  let closing: Promise<void> | undefined;
  const closed = new AshlarError("STORE_CLOSED", "the metadata store is closed");
  const take = (requestId: number): Pending | undefined => {
    const one = pending.get(requestId);
    pending.delete(requestId);
    return one;
  };
  const answer = (answers: readonly WorkerAnswer[]): void => {
    for (const one of answers) {
      if ("error" in one) take(one.requestId)?.reject(decodeError(one.error));
      else take(one.requestId)?.resolve(one.output);
    }
  };
  const close = async (): Promise<void> => {
    const open = file;
    file = undefined;
    await open?.close();
    for (const { reject } of pending.values()) reject(withUnknownOutcome(closed));
    pending.clear();
  };
  return {
    async open() {
      file = await openSqliteFile({ init, answer, clock });
    },
    stop: close,
    async request(request) {
      if (file === undefined) throw closed;
      const open = file;
      const requestId = ++requestCount;
      // The caller may change its objects while the operation waits; a message to a worker would have copied them too.
      const input = structuredClone(request.input);
      return await new Promise((resolve, reject) => {
        pending.set(requestId, { resolve, reject });
        open.push([{ ...request, input, requestId }]);
      });
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}
