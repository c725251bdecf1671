import { describe, test } from "vitest";
import { BATCH_CASES } from "./chunk-store/batch-cases.ts";
import { CLAIM_CASES } from "./chunk-store/claim-cases.ts";
import type { ChunkStoreCase, CreateChunkStoreSubject } from "./chunk-store/contract-case.ts";
import { GET_CASES } from "./chunk-store/get-cases.ts";
import { LIFECYCLE_CASES } from "./chunk-store/lifecycle-cases.ts";
import { LIST_CASES } from "./chunk-store/list-cases.ts";
import { PUT_CASES } from "./chunk-store/put-cases.ts";
import { SCRUB_CASES } from "./chunk-store/scrub-cases.ts";
import { STREAM_CASES } from "./chunk-store/stream-cases.ts";

/** Everything that a chunk store must do, isolation first. */
export const CHUNK_STORE_CASES: readonly ChunkStoreCase[] = Object.freeze([
  ...LIFECYCLE_CASES,
  ...PUT_CASES,
  ...GET_CASES,
  ...BATCH_CASES,
  ...CLAIM_CASES,
  ...LIST_CASES,
  ...STREAM_CASES,
  ...SCRUB_CASES,
]);

/** Options of {@link chunkStoreContract}. */
export interface ChunkStoreContractOptions {
  /** Name of the store and its configuration in the test report. */
  readonly name: string;
  readonly create: CreateChunkStoreSubject;
}

/**
 * Runs one case on its own subject; rejects if the store breaks the case.
 *
 * @returns false if the case does not apply to this store.
 */
export async function runChunkStoreCase(
  contractCase: ChunkStoreCase,
  create: CreateChunkStoreSubject,
): Promise<boolean> {
  const subject = await create();
  try {
    if (contractCase.applies?.(subject.store) === false) return false;
    await contractCase.run({ subject, store: subject.store, create });
    return true;
  } finally {
    await subject.dispose();
  }
}

/** Registers the contract of `ChunkStore` with vitest, one test per case; cases that do not apply are shown as skipped. */
export function chunkStoreContract({ name, create }: ChunkStoreContractOptions): void {
  describe(`${name} keeps the contract of a chunk store`, () => {
    for (const contractCase of CHUNK_STORE_CASES) {
      test(contractCase.name, async (context) => {
        if (!(await runChunkStoreCase(contractCase, create))) context.skip();
      });
    }
  });
}
