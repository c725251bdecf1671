import {
  BROKEN_CHUNK_STORES,
  type BrokenChunkStore,
  breakChunkStore,
  CHUNK_STORE_CASES,
  type ChunkStoreSubject,
  runChunkStoreCase,
} from "@ashlar/sdk/testing";
import { describe, expect, test } from "vitest";
import { createFsSubject } from "./fs/testing/fs-subject.ts";

const createBroken = (broken: BrokenChunkStore) => async (): Promise<ChunkStoreSubject> =>
  breakChunkStore(await createFsSubject({ durability: "os" }), broken);

describe("the chunk store contract notices a store that", () => {
  for (const broken of BROKEN_CHUNK_STORES) {
    test(broken.fault, async () => {
      const meant = CHUNK_STORE_CASES.find(({ name }) => name === broken.caughtBy);
      expect(meant, `the case "${broken.caughtBy}"`).toBeDefined();
      const failure = await runChunkStoreCase(meant!, createBroken(broken)).then(
        (applied) => (applied ? undefined : "skipped"),
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(Error);
      process.stdout.write(`a store that ${broken.fault}: caught by "${broken.caughtBy}"\n`);
    });
  }
});

describe("a store without a fault, wrapped like the broken ones,", () => {
  const create = createBroken({ fault: "has none", caughtBy: "", override: () => ({}) });
  const names = new Set(BROKEN_CHUNK_STORES.map(({ caughtBy }) => caughtBy));
  for (const contractCase of CHUNK_STORE_CASES.filter(({ name }) => names.has(name))) {
    test(`passes: ${contractCase.name}`, async () => {
      expect(await runChunkStoreCase(contractCase, create)).toBe(true);
    });
  }
});
