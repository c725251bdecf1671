import { METADATA_STORE_CASES, type MetadataStoreSubject, runMetadataStoreCase } from "@ashlar/sdk/testing";
import { describe, expect, test } from "vitest";
import { createPostgresSubject } from "./postgres/testing/postgres-subject.ts";
import { createSqliteSubject } from "./sqlite/testing/sqlite-subject.ts";

/** Cases that go through the code in which the configurations differ: how statements and syncs run, not their text. */
const TOUCHED = [
  "everything survives reopening",
  "close waits for the writes that run, and they are kept",
  "a second store on the same data sees every answered write at once, and the other way round",
  "every adversarial key is a key of its own, and all are listed in the order of their bytes",
  "an object of many parts reads as one",
  "a manifest of many segments is dropped completely",
  'of 50 writers of one key with ifNoneMatch "*" exactly one wins',
  "50 writers of one key and one chunk leave one object and the right count",
  "copies in opposite directions, overwrites and deletes at once end well",
  "ten nodes that register at once are all in the newest layout",
];

describe.each<[string, () => Promise<MetadataStoreSubject>]>([
  ["SQLite with durability batched", () => createSqliteSubject({ durability: "batched" })],
  ["SQLite with durability os", () => createSqliteSubject({ durability: "os" })],
  ["SQLite in the thread of the caller", () => createSqliteSubject({ thread: "caller" })],
  ["PostgreSQL without prepared statements", () => createPostgresSubject({ preparedStatements: false })],
  ["PostgreSQL without pipelining", () => createPostgresSubject({ pipeline: false })],
])("%s", (_name, create) => {
  for (const name of TOUCHED) {
    test(name, async () => {
      const contractCase = METADATA_STORE_CASES.find((one) => one.name === name);
      expect(contractCase, "the case").toBeDefined();
      expect(await runMetadataStoreCase(contractCase!, create)).toBe(true);
    });
  }
});
