import { AshlarError, throwIfAborted } from "../errors/index.ts";
import { raceAbort } from "../internal/linked-abort.ts";
import { checkOperationId } from "./metadata-checks.ts";
import { type MetadataOperation, metadataMethods, rulesOf, runOn } from "./metadata-operations.ts";
import type { MetadataStore } from "./metadata-store.ts";
import type { WriteOptions } from "./write-options.ts";

/**
 * Wraps a metadata store with what all of them share, so that adapters stay small: argument checks (INVALID_ARGUMENT,
 * INVALID_BUCKET_NAME, OBJECT_TOO_LARGE), attributes in their stored form, default page sizes, STORE_CLOSED after `close()`, and an abort
 * that rejects at once.
 *
 * An aborted write may still happen in the store: an abort only stops the waiting, as on any network. `close()` waits for calls in flight.
 */
export function checkedMetadataStore(inner: MetadataStore): MetadataStore {
  const run = runOn(inner) as (name: MetadataOperation, input: unknown, options?: WriteOptions) => Promise<unknown>;
  const inFlight = new Set<Promise<unknown>>();
  let closing: Promise<void> | undefined;
  const checked = async (name: MetadataOperation, input: unknown, options?: WriteOptions): Promise<unknown> => {
    if (closing !== undefined) throw new AshlarError("STORE_CLOSED", "the metadata store is closed");
    throwIfAborted(options?.signal);
    checkOperationId(options?.operationId);
    const { prepare, known } = rulesOf(name);
    const answer = known?.(input);
    if (answer !== undefined) return answer.output;
    const call = run(name, prepare?.(input), options);
    inFlight.add(call);
    const forget = (): void => void inFlight.delete(call);
    call.then(forget, forget);
    return await raceAbort(call, options?.signal);
  };
  return Object.freeze({
    capabilities: inner.capabilities,
    ...metadataMethods(checked as never),
    close(): Promise<void> {
      closing ??= Promise.allSettled([...inFlight]).then(() => inner.close());
      return closing;
    },
  });
}
