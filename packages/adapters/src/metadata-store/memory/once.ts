import { LIMITS } from "@ashlar/sdk/limits";
import {
  type MetadataOperation,
  type MetadataStore,
  metadataMethods,
  runOn,
  type WriteOptions,
} from "@ashlar/sdk/ports";
import { findFinished, namesOf } from "../../internal/metadata/write-name.ts";
import type { FinishedRow, MemoryState } from "./state.ts";

/** Results that one write forgets at most; it adds two at most. */
const FORGET_MAX = 4;

type Methods = Omit<MetadataStore, "capabilities" | "close">;

/** The methods of a store, with named writes that happen once: a write that ran before under the same name answers with its first result. */
export function onceEach(state: MemoryState, methods: Methods): Methods {
  const run = runOn(methods) as (name: MetadataOperation, input: unknown) => Promise<unknown>;
  return metadataMethods((async (name: MetadataOperation, input: unknown, options: WriteOptions | undefined) => {
    const names = namesOf(name, input, options);
    if (names.length === 0) return await run(name, input);
    const kept = names.flatMap(({ key }) => state.finished.get(key) ?? []);
    const finished = findFinished(names, kept) as FinishedRow | undefined;
    if (finished !== undefined) return await finished.result;
    // Kept before any other call runs: a write in memory has done its work when it returns its promise.
    const result = run(name, input);
    const finishedAtMs = state.clock.nowMs();
    for (const { key, fingerprint } of names) state.finished.set(key, { key, fingerprint, result, finishedAtMs });
    forget(state, finishedAtMs - LIMITS.OPERATION_KEPT_MS);
    try {
      return await result;
    } catch (error) {
      for (const { key } of names) state.finished.delete(key);
      throw error;
    }
  }) as never);
}

function forget(state: MemoryState, borderMs: number): void {
  let looked = 0;
  for (const [key, { finishedAtMs }] of state.finished) {
    if (looked++ === FORGET_MAX || finishedAtMs > borderMs) return;
    state.finished.delete(key);
  }
}
