import { expect } from "vitest";
import { sha256Sync } from "../../hash/index.ts";
import type { ApiKeyRole } from "../../ports/index.ts";
import { expectCode } from "../chunk-store/expectations.ts";
import type { MetadataStoreCase } from "./contract-case.ts";

const secretSha256 = sha256Sync(Uint8Array.of(1, 2, 3));

export const CREDENTIAL_CASES: readonly MetadataStoreCase[] = [
  {
    name: "API keys are created, found, listed by id and deleted",
    async run({ store }) {
      const one = await store.createApiKey({ keyId: "key-2", name: "two", role: "readonly", secretSha256 });
      const two = await store.createApiKey({ keyId: "key-1", name: "", role: "admin", secretSha256 });
      expect(await store.findApiKey("key-2")).toEqual(one);
      expect(one).toEqual({
        keyId: "key-2",
        name: "two",
        role: "readonly",
        secretSha256,
        createdAtMs: one.createdAtMs,
      });
      expect(await store.listApiKeys()).toEqual([two, one]);
      expect(await store.deleteApiKey("key-2")).toBe(true);
      expect(await store.deleteApiKey("key-2")).toBe(false);
      expect(await store.findApiKey("key-2")).toBeUndefined();
    },
  },
  {
    name: "unknown and malformed key ids are simply unknown; a taken one and bad fields are refused",
    async run({ store }) {
      for (const keyId of ["nobody", "", "a b", "\0", "ä".repeat(300)]) {
        expect(await store.findApiKey(keyId)).toBeUndefined();
        expect(await store.deleteApiKey(keyId)).toBe(false);
      }
      const record = { keyId: "k", name: "n", role: "admin" as const, secretSha256 };
      await store.createApiKey(record);
      await expectCode(store.createApiKey(record), "INVALID_ARGUMENT");
      await expectCode(store.createApiKey({ ...record, keyId: "" }), "INVALID_ARGUMENT");
      await expectCode(store.createApiKey({ ...record, keyId: "l", role: "root" as ApiKeyRole }), "INVALID_ARGUMENT");
      expect(await store.listApiKeys()).toHaveLength(1);
    },
  },
];
