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
    name: "unknown and malformed key ids are not found; a taken key id and bad fields are refused",
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
  {
    name: "API keys keep their scope and their end, with any characters in the prefix",
    async run({ store }) {
      const record = { name: "n", role: "readonly" as const, secretSha256, expiresAtMs: 1_900_000_000_000 };
      for (const [index, prefix] of ["", "users/1/", "a\0b", "ünï/\u{1F600}", "%_"].entries()) {
        const made = await store.createApiKey({ ...record, keyId: `k${index}`, scope: { bucket: "photos", prefix } });
        expect(made).toMatchObject({ scope: { bucket: "photos", prefix }, expiresAtMs: record.expiresAtMs });
        expect(await store.findApiKey(`k${index}`)).toEqual(made);
      }
      const bare = await store.createApiKey({ keyId: "bare", name: "", role: "admin", secretSha256 });
      expect(Object.keys(bare)).not.toContain("scope");
      expect(Object.keys((await store.findApiKey("bare")) ?? {})).not.toContain("expiresAtMs");
      expect((await store.listApiKeys()).map(({ scope }) => scope?.prefix)).toEqual([
        ...[undefined, "", "users/1/", "a\0b", "ünï/\u{1F600}", "%_"],
      ]);
      const bad = { ...record, keyId: "bad" };
      await expectCode(
        store.createApiKey({ ...bad, scope: { bucket: "Not A Bucket", prefix: "" } }),
        "INVALID_BUCKET_NAME",
      );
      await expectCode(
        store.createApiKey({ ...bad, scope: { bucket: "photos", prefix: "k".repeat(1025) } }),
        "INVALID_ARGUMENT",
      );
      await expectCode(store.createApiKey({ ...bad, expiresAtMs: -1 }), "INVALID_ARGUMENT");
    },
  },
  {
    name: "API keys keep the sealed secret that they were created with, and others have none",
    async run({ store }) {
      const record = { name: "n", role: "readonly" as const, secretSha256 };
      const sealedSecret = Uint8Array.from({ length: 256 }, (_, index) => index);
      const made = await store.createApiKey({ ...record, keyId: "sealed", sealedSecret });
      expect(made.sealedSecret).toEqual(sealedSecret);
      expect((await store.findApiKey("sealed"))?.sealedSecret).toEqual(sealedSecret);
      await store.createApiKey({ ...record, keyId: "bare" });
      expect(Object.keys((await store.findApiKey("bare")) ?? {})).not.toContain("sealedSecret");
      for (const bad of [new Uint8Array(1025), "secret" as never]) {
        await expectCode(store.createApiKey({ ...record, keyId: "bad", sealedSecret: bad }), "INVALID_ARGUMENT");
      }
    },
  },
  {
    name: "a token that was revoked stays revoked until it ends, and then is forgotten",
    async run({ store }) {
      const farMs = 4_000_000_000_000;
      expect(await store.isTokenRevoked("t1")).toBe(false);
      await store.revokeToken({ tokenId: "t1", expiresAtMs: farMs });
      await store.revokeToken({ tokenId: "t1", expiresAtMs: farMs });
      await store.revokeToken({ tokenId: "ended", expiresAtMs: 1 });
      expect(await store.isTokenRevoked("t1")).toBe(true);
      expect(await store.isTokenRevoked("t2")).toBe(false);
      expect(await store.isTokenRevoked("a b")).toBe(false);
      await store.revokeToken({ tokenId: "t2", expiresAtMs: farMs });
      expect(await store.isTokenRevoked("ended")).toBe(false);
      expect(await store.isTokenRevoked("t1")).toBe(true);
      await expectCode(store.revokeToken({ tokenId: "", expiresAtMs: farMs }), "INVALID_ARGUMENT");
      await expectCode(store.revokeToken({ tokenId: "t", expiresAtMs: Number.NaN }), "INVALID_ARGUMENT");
    },
  },
];
