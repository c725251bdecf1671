import { LIMITS } from "@ashlar/sdk/limits";
import type { WriteOptions } from "@ashlar/sdk/ports";
import { findFinished, type NamedWrite, namesOf } from "../../internal/metadata/operation-name.ts";
import type { FinishedRow, MemoryState } from "./state.ts";

/** Results that one write forgets at most; it adds two at most. */
const FORGET_MAX = 4;

/** One write on its way. */
export interface MemoryWrite {
  readonly operation: NamedWrite;
  readonly input: unknown;
  readonly options: WriteOptions | undefined;
}

/** Runs a write, unless it has run under the same name before: then its first result is the answer. */
export function once<T>(state: MemoryState, { operation, input, options }: MemoryWrite, run: () => T): T {
  const names = namesOf(operation, input, options);
  const find = (): FinishedRow | undefined =>
    findFinished(
      names,
      names.flatMap(({ key }) => state.finished.get(key) ?? []),
    ) as FinishedRow | undefined;
  const finished = find();
  if (finished !== undefined) return finished.result as T;
  const result = run();
  const finishedAtMs = state.clock.nowMs();
  for (const { key, fingerprint } of names) state.finished.set(key, { key, fingerprint, result, finishedAtMs });
  forget(state, finishedAtMs - LIMITS.OPERATION_KEPT_MS.value);
  return result;
}

function forget(state: MemoryState, borderMs: number): void {
  let looked = 0;
  for (const [key, { finishedAtMs }] of state.finished) {
    if (looked++ === FORGET_MAX || finishedAtMs > borderMs) return;
    state.finished.delete(key);
  }
}
