import { checkedMetadataStore, type MetadataStore } from "@ashlar/sdk/ports";
import {
  BROKEN_METADATA_STORES,
  type BrokenMetadataStore,
  breakMetadataStore,
  METADATA_STORE_CASES,
  type MetadataStoreSubject,
  runMetadataStoreCase,
} from "@ashlar/sdk/testing";
import { describe, expect, test } from "vitest";
import { createMemoryMetadataStore } from "./memory/index.ts";

/** A memory store that counts as persistent and shared: each opening is another store over the same rows. */
async function createSharedSubject(): Promise<MetadataStoreSubject> {
  const rows = createMemoryMetadataStore();
  const capabilities = Object.freeze({ persistent: true, sharedByProcesses: true });
  const open = (): MetadataStore => checkedMetadataStore({ ...rows, capabilities, close: async () => {} });
  return { store: open(), reopen: async () => open(), second: async () => open(), dispose: () => rows.close() };
}

const createBroken = (broken: BrokenMetadataStore) => async (): Promise<MetadataStoreSubject> =>
  breakMetadataStore(await createSharedSubject(), broken);

describe("the metadata store contract notices a store that", () => {
  for (const broken of BROKEN_METADATA_STORES) {
    test(broken.fault, async () => {
      const meant = METADATA_STORE_CASES.find(({ name }) => name === broken.caughtBy);
      expect(meant, `the case "${broken.caughtBy}"`).toBeDefined();
      const failure = await runMetadataStoreCase(meant!, createBroken(broken)).then(
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
  for (const contractCase of METADATA_STORE_CASES) {
    test(`passes: ${contractCase.name}`, async () => {
      expect(await runMetadataStoreCase(contractCase, create)).toBe(true);
    });
  }
});
