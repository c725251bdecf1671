import { AshlarError } from "@ashlar/sdk/errors";
import type { ApiKeyRecord } from "@ashlar/sdk/ports";
import { silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { ClusterService, CredentialService, ObjectService } from "@ashlar/sdk/rpc";
import { beforeAll, describe, expect, it } from "vitest";
import { createGrantKeeper, type GrantKeeper } from "../../grants/index.ts";
import { accessRulesOf, GATEWAY_OPERATIONS } from "../operations/index.ts";
import type { OperationName as Operation } from "../operations/operation.ts";
import { createApiKey, parseApiKey, recoverSecret } from "./api-key.ts";
import { type Authenticator, createAuthenticator, type Principal } from "./authenticator.ts";

const records = new Map<string, ApiKeyRecord>();
const revoked = new Set<string>();
let lookUps = 0;
let nowMs = 0;
let grants: GrantKeeper;
let authenticator: Authenticator;

const credentials = {
  createApiKey: async (record: Omit<ApiKeyRecord, "createdAtMs">): Promise<ApiKeyRecord> => {
    const stored = { ...record, createdAtMs: 1 };
    records.set(record.keyId, stored);
    return stored;
  },
  findApiKey: async (keyId: string): Promise<ApiKeyRecord | undefined> => {
    lookUps++;
    return records.get(keyId);
  },
  getBucket: async () => ({ bucket: "photos", createdAtMs: 1 }),
  isTokenRevoked: async (tokenId: string): Promise<boolean> => {
    lookUps++;
    return revoked.has(tokenId);
  },
};

beforeAll(async () => {
  grants = createGrantKeeper({ clusterKey: "k".repeat(32), clock: systemClock, random: systemRandom });
  authenticator = createAuthenticator({
    credentials,
    grants,
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    logger: silentLogger,
  });
});

const newKey = (role: ApiKeyRecord["role"]): ReturnType<typeof createApiKey> =>
  createApiKey({ metadata: credentials, random: systemRandom, name: role, role });

function authenticate(authorization: string | undefined, operation: Operation): Promise<Principal> {
  const header = new Headers(authorization === undefined ? {} : { authorization });
  return authenticator.authenticate({ method: "POST", url: "http://localhost/", header }, accessRulesOf(operation));
}

async function outcome(token: string | undefined, operation: Operation): Promise<string> {
  try {
    return (await authenticate(token === undefined ? undefined : `Bearer ${token}`, operation)).apiKeyId;
  } catch (error) {
    return AshlarError.from(error).code;
  }
}

describe("the secret of an API key", () => {
  it("can be recovered if it was sealed, by this cluster and for this key only; otherwise the database has only its digest", async () => {
    const { apiKey, record } = await createApiKey({ metadata: credentials, random: systemRandom, grants });
    expect(`ashlar_${record.keyId}_${await recoverSecret(record, grants)}`).toBe(apiKey);
    const secret = apiKey.slice(`ashlar_${record.keyId}_`.length);
    expect(Buffer.from(record.sealedSecret ?? []).includes(secret)).toBe(false);
    const parts = { clock: systemClock, random: systemRandom };
    const renewed = createGrantKeeper({ ...parts, clusterKey: ["n".repeat(32), "k".repeat(32)] });
    expect(await recoverSecret(record, renewed)).toBe(secret);
    const other = createGrantKeeper({ ...parts, clusterKey: "n".repeat(32) });
    const damaged = Uint8Array.from(record.sealedSecret ?? [], (byte, index) => (index === 20 ? byte ^ 1 : byte));
    const bad = [record, other] as const;
    for (const [wrong, keeper] of [
      bad,
      [{ ...record, keyId: "another" }, grants] as const,
      [{ ...record, sealedSecret: damaged }, grants] as const,
      [{ ...record, sealedSecret: new Uint8Array(3) }, grants] as const,
    ]) {
      await expect(recoverSecret(wrong, keeper)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    }
    const { record: bare } = await createApiKey({ metadata: credentials, random: systemRandom });
    expect(bare.sealedSecret).toBeUndefined();
    expect(await recoverSecret(bare, grants)).toBeUndefined();
  });
});

describe("an access token that was revoked", () => {
  it("is refused, at the latest 30 s after a gateway looked it up", async () => {
    const { record } = await newKey("readwrite");
    const claims = { apiKeyId: record.keyId, role: "readwrite", bucket: "photos", prefix: "" } as const;
    const token = await grants.issueAccess({ ...claims, tokenId: "t1", expiresAtMs: Date.now() + 600_000 });
    expect(await outcome(token, "getObject")).toBe(record.keyId);
    revoked.add("t1");
    nowMs += 29_999;
    lookUps = 0;
    expect(await outcome(token, "getObject")).toBe(record.keyId);
    expect(lookUps).toBe(0);
    nowMs += 1;
    expect(await outcome(token, "getObject")).toBe("UNAUTHENTICATED");
    // One of an earlier release has no id.
    const older = await grants.issueAccess({ ...claims, expiresAtMs: Date.now() + 600_000 });
    expect(await outcome(older, "getObject")).toBe(record.keyId);
  });
});

describe("an API key", () => {
  it("has its documented form, and only its digest is stored", async () => {
    const { apiKey, record } = await newKey("admin");
    expect(apiKey).toMatch(/^ashlar_[0-9a-f]{16}_[A-Za-z0-9_-]{43}$/);
    const { secret } = parseApiKey(apiKey) ?? { secret: "" };
    expect(JSON.stringify([...records])).not.toContain(secret);
    expect(record).toMatchObject({ role: "admin", name: "admin" });
  });

  it("is refused in any other form", () => {
    const secret = "s".repeat(43);
    const id = "0".repeat(16);
    expect(parseApiKey(`ashlar_${id}_${secret}`)).toEqual({ keyId: id, secret });
    expect(parseApiKey(`ashlar_${id}_${"_".repeat(43)}`)?.secret).toBe("_".repeat(43));
    for (const bad of [
      "",
      "ashlar",
      `ashlar_${id}`,
      `ashlar_${id}_`,
      `ashlar_${id}_${secret}x`,
      `x_${id}_${secret}`,
      `ashlar_${id}x_${secret}`,
    ]) {
      expect(parseApiKey(bad)).toBeUndefined();
    }
  });

  it.each(["secret", "my.secret", "ashlar_nonsense"])("in no valid form is refused as such: %s", async (token) => {
    await expect(authenticate(`Bearer ${token}`, "getObject")).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      message: "this is not an API key of this gateway",
    });
  });

  it("that was found is cached for 30 s, one that was not is looked up each time", async () => {
    const { apiKey, record } = await newKey("readonly");
    lookUps = 0;
    for (let turn = 0; turn < 3; turn++) expect(await outcome(apiKey, "getObject")).toBe(record.keyId);
    expect(lookUps).toBe(1);
    void records.delete(record.keyId);
    nowMs += 29_999;
    expect(await outcome(apiKey, "getObject")).toBe(record.keyId);
    nowMs += 1;
    expect(await outcome(apiKey, "getObject")).toBe("UNAUTHENTICATED");
    records.set(record.keyId, record);
    expect(await outcome(apiKey, "getObject")).toBe(record.keyId);
  });

  it("ends at its time, and its tokens with it", async () => {
    const made = { metadata: credentials, random: systemRandom, clock: { nowMs: () => nowMs }, expiresInMs: 5000 };
    const { apiKey, record } = await createApiKey(made);
    expect(record).toMatchObject({ role: "readwrite", name: "", expiresAtMs: nowMs + 5000 });
    const token = await grants.issueAccess({
      ...{ apiKeyId: record.keyId, role: "readonly", bucket: "photos", prefix: "" },
      expiresAtMs: Date.now() + 600_000,
    });
    expect([await outcome(apiKey, "getObject"), await outcome(token, "getObject")]).toEqual([
      ...[record.keyId, record.keyId],
    ]);
    nowMs += 5000;
    expect([await outcome(apiKey, "getObject"), await outcome(token, "getObject")]).toEqual([
      ...["UNAUTHENTICATED", "UNAUTHENTICATED"],
    ]);
  });

  it("for one bucket does what a scope can hold, gives tokens, and nothing that reaches further", async () => {
    const made = { metadata: credentials, random: systemRandom, bucket: "photos", prefix: "a/" };
    const { apiKey } = await createApiKey(made);
    const principal = await authenticate(`Bearer ${apiKey}`, "putObject");
    expect(principal.scope).toMatchObject({ bucket: "photos", prefix: "a/" });
    expect(await outcome(apiKey, "createAccessToken")).toBe(principal.apiKeyId);
    for (const operation of ["createBucket", "listBuckets", "deleteBucket"] as const)
      expect(await outcome(apiKey, operation)).toBe("PERMISSION_DENIED");
    for (const bad of [{ prefix: "a" }, { bucket: "photos", role: "admin" as const }, { expiresInMs: 0 }])
      await expect(createApiKey({ metadata: credentials, random: systemRandom, ...bad })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
  });

  it("is looked up for the access tokens that it issued, and cached for 30 s too", async () => {
    const { record } = await newKey("readonly");
    const claims = { apiKeyId: record.keyId, bucket: "photos", prefix: "", expiresAtMs: Date.now() + 600_000 } as const;
    const token = await grants.issueAccess({ ...claims, role: "readwrite" });
    lookUps = 0;
    const principal = await authenticate(`Bearer ${token}`, "getObject");
    expect(principal).toMatchObject({ apiKeyId: record.keyId, scope: { bucket: "photos", prefix: "" } });
    // Whatever the token says, its key only reads.
    expect(await outcome(token, "putObject")).toBe("PERMISSION_DENIED");
    expect(lookUps).toBe(1);
    void records.delete(record.keyId);
    nowMs += 29_999;
    expect(await outcome(token, "getObject")).toBe(record.keyId);
    nowMs += 1;
    expect(await outcome(token, "getObject")).toBe("UNAUTHENTICATED");
  });

  it("is refused with another secret although the right one was accepted before", async () => {
    const { apiKey, record } = await newKey("admin");
    expect(await outcome(apiKey, "getObject")).toBe(record.keyId);
    const other = `ashlar_${record.keyId}_${"A".repeat(43)}`;
    expect(await outcome(other, "getObject")).toBe("UNAUTHENTICATED");
  });
});

describe("the access table", () => {
  it("names every RPC of the services", () => {
    const methods = [ObjectService, ClusterService, CredentialService]
      .flatMap((service) => service.methods)
      .map((method) => method.localName);
    expect(Object.keys(GATEWAY_OPERATIONS).sort()).toEqual(methods.sort());
  });

  it("gives each role exactly what its name says", async () => {
    const keys = {
      admin: await newKey("admin"),
      readwrite: await newKey("readwrite"),
      readonly: await newKey("readonly"),
    };
    const allowed = async (token: string): Promise<string[]> => {
      const names: string[] = [];
      for (const operation of Object.keys(GATEWAY_OPERATIONS) as Operation[]) {
        const result = await outcome(token, operation);
        if (result === "PERMISSION_DENIED") continue;
        expect(result).not.toBe("UNAUTHENTICATED");
        names.push(operation);
      }
      return names.sort();
    };
    const reads = [
      "createAccessToken",
      "getCluster",
      "getObject",
      "headBucket",
      "headObject",
      "listBuckets",
      "listObjects",
      "listParts",
      "listUploads",
      "locate",
      "revokeAccessToken",
    ];
    expect(await allowed(keys.readonly.apiKey)).toEqual(reads);
    const cluster = ["heartbeat", "registerNode", "stopNode"];
    const all = Object.keys(GATEWAY_OPERATIONS).sort();
    expect(await allowed(keys.admin.apiKey)).toEqual(all.filter((name) => !cluster.includes(name)));
    const admin = ["changeLayout", "createApiKey", "deleteApiKey", "listApiKeys"];
    const readwrite = all.filter((name) => !cluster.includes(name) && !admin.includes(name));
    expect(await allowed(keys.readwrite.apiKey)).toEqual(readwrite);
    expect(await allowed(await grants.issueCluster())).toEqual(["getCluster", ...cluster].sort());
  });

  it("lets nobody in without credentials", async () => {
    for (const operation of Object.keys(GATEWAY_OPERATIONS) as Operation[])
      expect(await outcome(undefined, operation)).toBe("UNAUTHENTICATED");
    const { apiKey } = await newKey("admin");
    await expect(authenticate(`Basic ${apiKey}`, "getObject")).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
    });
  });
});
