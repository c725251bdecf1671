import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from "node:crypto";
import { AshlarError } from "@ashlar/sdk/errors";
import { type Digest, sha256Sync } from "@ashlar/sdk/hash";
import { systemRandom } from "@ashlar/sdk/ports";
import { beforeAll, describe, expect, it } from "vitest";
import { bearerToken, clusterAuthorization } from "./bearer.ts";
import type { GrantKind } from "./grant.ts";
import { CLOCK_SKEW_MS, CLUSTER_GRANT_TTL_MS, createGrantKeeper, type GrantKeeper } from "./grant-keeper.ts";
import { assertInScope, assertMayRead } from "./grant-scope.ts";
import type { Signer } from "./signer.ts";
import type { ClusterKeys } from "./web-crypto-signer.ts";

const CLUSTER_KEY = "0123456789abcdef0123456789abcdef";
const chunkId: Digest = sha256Sync(new Uint8Array([1, 2, 3]));
const otherChunkId: Digest = sha256Sync(new Uint8Array([4]));
let nowMs = 1_800_000_000_000;
const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };

const ACCESS = { apiKeyId: "k", role: "readonly", bucket: "photos", prefix: "сад/" } as const;

let keeper: GrantKeeper;
let tokens: Record<GrantKind, string>;

beforeAll(async () => {
  keeper = createGrantKeeper({ clusterKey: CLUSTER_KEY, clock, random: systemRandom });
  tokens = {
    cluster: await keeper.issueCluster(),
    write: await keeper.issueWrite({ ticketId: "t", bucket: "photos", key: "ключ/1" }),
    ticket: await keeper.issueTicket({ ticketId: "t", bucket: "photos", apiKeyId: "k" }),
    read: await keeper.issueRead({ chunkId, apiKeyId: "k" }),
    receipt: await keeper.issueNodeReceipt({ ticketId: "t", chunkId, sizeBytes: 3, nodeId: "node-1" }),
    manifest: await keeper.issueManifest({ manifestId: "m", bucket: "photos", key: "k" }),
    access: await keeper.issueAccess({ ...ACCESS, expiresAtMs: nowMs + 15 * 60_000 }),
  };
});

/** Answers in the turn of the call, as a test needs that must run the same way twice. */
const instantSigner: Signer = {
  sign: async (purpose, message) => Uint8Array.from(createHmac("sha256", `signer ${purpose}`).update(message).digest()),
  async verify(purpose, signature, message) {
    return timingSafeEqual(signature, await this.sign(purpose, message));
  },
  async seal(text, { nonce, owner }) {
    const cipher = createCipheriv("aes-256-gcm", "s".repeat(32), nonce).setAAD(owner);
    return Uint8Array.from(Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]));
  },
  async unseal(sealed, { nonce, owner }) {
    const decipher = createDecipheriv("aes-256-gcm", "s".repeat(32), nonce).setAAD(owner);
    decipher.setAuthTag(sealed.subarray(-16));
    try {
      return Uint8Array.from(Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]));
    } catch {
      return undefined;
    }
  },
};

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error === undefined ? "none" : AshlarError.from(error).code;
}

const kinds = ["cluster", "write", "ticket", "read", "receipt", "manifest", "access"] as const;

describe("a grant keeper", () => {
  it("gives back what was signed", async () => {
    expect(await keeper.verify(tokens.write, ["write"])).toMatchObject({
      ticketId: "t",
      bucket: "photos",
      key: "ключ/1",
    });
    expect(await keeper.verify(tokens.ticket, ["ticket"])).toEqual({
      kind: "ticket",
      ticketId: "t",
      bucket: "photos",
      apiKeyId: "k",
      expiresAtMs: nowMs + 15 * 60_000,
    });
    expect(await keeper.verify(tokens.read, ["cluster", "read"])).toMatchObject({ kind: "read", apiKeyId: "k" });
    const write = await keeper.issueWrite({ ticketId: "t", bucket: "photos", apiKeyId: "k" });
    expect(await keeper.verify(write, ["write"])).toMatchObject({ ticketId: "t", apiKeyId: "k" });
    const gateway = {
      ticketId: "t",
      chunkId,
      sizeBytes: 3,
      layoutVersion: 2,
      nodeIds: ["a", "b"],
      missedNodeIds: ["c"],
    };
    const receipt = await keeper.verify(await keeper.issueGatewayReceipt(gateway), ["receipt"]);
    expect(receipt).toMatchObject({ ...gateway, holder: "gateway" });
    const handle = { manifestId: "m", bucket: "photos", key: "k" };
    expect(await keeper.verify(tokens.manifest, ["manifest"])).toMatchObject(handle);
    expect(await keeper.verify(tokens.access, ["access"])).toMatchObject({ ...ACCESS, kind: "access" });
    const longest = "\u0001".repeat(1024);
    const wide = await keeper.issueAccess({ ...ACCESS, prefix: longest, expiresAtMs: nowMs + 1000 });
    expect((await keeper.verify(wide, ["access"])).prefix).toBe(longest);
  });

  it("refuses a token with any one byte changed, in any bit", async () => {
    let tried = 0;
    for (const token of Object.values(tokens)) {
      for (let index = 0; index < token.length; index++) {
        for (const bit of [0, 1, 2, 3, 4, 5, 6]) {
          const changed =
            token.slice(0, index) + String.fromCharCode(token.charCodeAt(index) ^ (1 << bit)) + token.slice(index + 1);
          const code = await codeOf(keeper.verify(changed, kinds));
          if (code !== "UNAUTHENTICATED") expect.fail(`${changed} gave ${code}`);
          tried++;
        }
      }
    }
    expect(tried).toBeGreaterThan(5000);
  });

  it("refuses truncated, extended, empty, oversized and foreign text", async () => {
    const token = tokens.cluster;
    const [payload, mac] = token.split(".");
    const bad = [
      undefined,
      "",
      ".",
      "..",
      "x",
      payload,
      `${payload}.`,
      `.${mac}`,
      `${token}.`,
      `${token}=`,
      ` ${token}`,
    ];
    bad.push(`${token}.${mac}`, "é.é", "a".repeat(100_000), `${"a".repeat(9000)}.${mac}`);
    for (let length = 0; length < token.length; length++) bad.push(token.slice(0, length));
    for (const text of bad) expect(await codeOf(keeper.verify(text, kinds)), String(text)).toBe("UNAUTHENTICATED");
  });

  it("does not let the payload of one grant go with the signature of another", async () => {
    for (const payloadOf of kinds) {
      for (const macOf of kinds) {
        if (payloadOf === macOf) continue;
        const spliced = `${tokens[payloadOf].split(".")[0]}.${tokens[macOf].split(".")[1]}`;
        expect(await codeOf(keeper.verify(spliced, kinds))).toBe("UNAUTHENTICATED");
      }
    }
  });

  it("denies a valid grant of another kind", async () => {
    for (const issued of kinds) {
      for (const wanted of kinds) {
        const code = await codeOf(keeper.verify(tokens[issued], [wanted]));
        expect(code, `${issued} as ${wanted}`).toBe(issued === wanted ? "none" : "PERMISSION_DENIED");
      }
    }
  });

  it("refuses grants of a cluster with another key", async () => {
    const outsider = createGrantKeeper({ clusterKey: `${CLUSTER_KEY}x`, clock, random: systemRandom });
    for (const token of Object.values(tokens))
      expect(await codeOf(outsider.verify(token, kinds))).toBe("UNAUTHENTICATED");
  });

  it("lets a cluster change its key without a grant that is refused on the way", async () => {
    const [old, fresh] = [CLUSTER_KEY, "f".repeat(32)];
    const make = (clusterKey: ClusterKeys): GrantKeeper =>
      createGrantKeeper({ clusterKey, clock, random: systemRandom });
    // Server by server: first all accept the new key, then all sign with it, then the old one goes.
    const steps = [old, [old, fresh], [fresh, old], fresh].map(make);
    for (const [index, keeperThen] of steps.entries()) {
      const token = await keeperThen.issueRead({ chunkId });
      for (const other of [steps[index - 1], steps[index + 1]])
        if (other !== undefined) expect(await codeOf(other.verify(token, ["read"]))).toBe("none");
    }
    const before = await steps[0]?.issueRead({ chunkId });
    expect(await codeOf(steps[3]?.verify(before, ["read"]) ?? Promise.resolve())).toBe("UNAUTHENTICATED");
    expect(() => make([old, fresh, "x".repeat(32)])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => make([old, "short"])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
    expect(() => make([])).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("accepts a grant until a minute of clock skew after its end, and renewals as much later as asked", async () => {
    const token = await keeper.issueCluster();
    const issuedAtMs = nowMs;
    nowMs = issuedAtMs + CLUSTER_GRANT_TTL_MS + CLOCK_SKEW_MS;
    expect(await codeOf(keeper.verify(token, ["cluster"]))).toBe("none");
    nowMs += 1;
    expect(await codeOf(keeper.verify(token, ["cluster"]))).toBe("UNAUTHENTICATED");
    expect(await codeOf(keeper.verify(token, ["cluster"], { expiredForMs: 1 }))).toBe("none");
    nowMs = issuedAtMs;
  });

  it("ends an access token to the millisecond, and what was asked to end with it no later", async () => {
    const endsAtMs = nowMs + 5000;
    const issuedAtMs = nowMs;
    const token = await keeper.issueAccess({ ...ACCESS, expiresAtMs: endsAtMs });
    const claims = { ticketId: "t", bucket: "photos", apiKeyId: "k", prefix: "сад/" };
    const ticket = await keeper.issueTicket(claims, { notAfterMs: endsAtMs });
    const write = await keeper.issueWrite(claims, { notAfterMs: issuedAtMs + 3_600_000 });
    expect((await keeper.verify(ticket, ["ticket"])).expiresAtMs).toBe(endsAtMs);
    expect((await keeper.verify(write, ["write"])).expiresAtMs).toBe(issuedAtMs + 15 * 60_000);
    nowMs = endsAtMs - 1;
    expect(await codeOf(keeper.verify(token, ["access"]))).toBe("none");
    nowMs = endsAtMs;
    await expect(keeper.verify(token, ["access"])).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      message: "the access token has expired; ask for a new one",
    });
    nowMs = issuedAtMs;
  });

  it("needs a cluster key of 32 characters", () => {
    const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });
    for (const clusterKey of ["", "short", CLUSTER_KEY.slice(1), undefined])
      expect(() => createGrantKeeper({ clusterKey, clock, random: systemRandom })).toThrow(refused);
  });

  it("signs with a signer of another, and then needs no cluster key", async () => {
    const own = createGrantKeeper({ signer: instantSigner, clock, random: systemRandom });
    expect(await own.verify(await own.issueRead({ chunkId }), ["read"])).toMatchObject({ chunkId });
    expect(await codeOf(own.verify(tokens.read, ["read"]))).toBe("UNAUTHENTICATED");
    expect(await codeOf(keeper.verify(await own.issueRead({ chunkId }), ["read"]))).toBe("UNAUTHENTICATED");
    expect(await own.unseal(await own.seal("secret", "key-1"), "key-1")).toBe("secret");
    await expect(own.unseal(await own.seal("secret", "key-1"), "key-2")).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
    });
  });

  it("derives nonces that differ by ticket, chunk, node and cluster, and by nothing else", async () => {
    const twin = createGrantKeeper({ clusterKey: CLUSTER_KEY, clock, random: systemRandom });
    const outsider = createGrantKeeper({ clusterKey: `${CLUSTER_KEY}x`, clock, random: systemRandom });
    const nonce = await keeper.nonceFor("t", chunkId, "a");
    expect(nonce.byteLength).toBe(32);
    expect(await twin.nonceFor("t", chunkId, "a")).toEqual(nonce);
    for (const other of [
      await keeper.nonceFor("u", chunkId, "a"),
      await keeper.nonceFor("t", otherChunkId, "a"),
      await keeper.nonceFor("t", chunkId, "b"),
      await outsider.nonceFor("t", chunkId, "a"),
    ]) {
      expect(other).not.toEqual(nonce);
    }
  });
});

describe("scopes", () => {
  it("keep a read grant to its chunk", async () => {
    const grant = await keeper.verify(tokens.read, ["read"]);
    assertMayRead(grant, chunkId);
    expect(() => assertMayRead(grant, otherChunkId)).toThrow(expect.objectContaining({ code: "PERMISSION_DENIED" }));
    assertMayRead(await keeper.verify(tokens.cluster, ["cluster"]), otherChunkId);
  });

  it("keep tickets to their bucket, key and API key", async () => {
    const denied = expect.objectContaining({ code: "PERMISSION_DENIED" });
    const ticket = await keeper.verify(tokens.ticket, ["ticket"]);
    assertInScope(ticket, { bucket: "photos", key: "any", apiKeyId: "k" });
    expect(() => assertInScope(ticket, { bucket: "photos2", key: "any", apiKeyId: "k" })).toThrow(denied);
    expect(() => assertInScope(ticket, { bucket: "photos", key: "any", apiKeyId: "k2" })).toThrow(denied);
    const narrow = { ticketId: "t", bucket: "photos", prefix: "сад/", apiKeyId: "k" };
    const prefixed = await keeper.verify(await keeper.issueTicket(narrow), ["ticket"]);
    assertInScope(prefixed, { bucket: "photos", key: "сад/1", apiKeyId: "k" });
    for (const key of ["сад", "сaд/1", "", "x/сад/1"]) {
      expect(() => assertInScope(prefixed, { bucket: "photos", key, apiKeyId: "k" })).toThrow(denied);
    }
    const write = await keeper.verify(tokens.write, ["write"]);
    assertInScope(write, { bucket: "photos", key: "ключ/1" });
    for (const key of ["ключ/2", "ключ/", "ключ/1/", ""]) {
      expect(() => assertInScope(write, { bucket: "photos", key })).toThrow(denied);
    }
  });
});

describe("bearer headers", () => {
  it("are parsed as RFC 9110 says", () => {
    expect(bearerToken("Bearer abc.def")).toBe("abc.def");
    expect(bearerToken("bearer  abc")).toBe("abc");
    for (const header of [undefined, null, "", "Bearer", "Bearer ", "Basic abc", "abc", "Bearer a b"]) {
      expect(bearerToken(header)).toBeUndefined();
    }
  });

  it("between servers are reused and renewed in time", async () => {
    const authorization = clusterAuthorization(keeper, clock);
    const first = await authorization();
    expect(await authorization()).toBe(first);
    nowMs += CLUSTER_GRANT_TTL_MS * 0.7;
    const second = await authorization();
    expect(second).not.toBe(first);
    expect((await keeper.verify(bearerToken(second), ["cluster"])).expiresAtMs).toBe(nowMs + CLUSTER_GRANT_TTL_MS);
  });

  it("between servers are renewed by wall time too, because monotonic time stands still while a machine sleeps", async () => {
    const authorization = clusterAuthorization(keeper, { ...clock, monotonicMs: () => 0 });
    const first = await authorization();
    nowMs += CLUSTER_GRANT_TTL_MS * 0.7;
    expect(await authorization()).not.toBe(first);
  });

  it("between servers are renewed when they are refused, once for all calls that were refused", async () => {
    const authorization = clusterAuthorization(keeper, clock);
    const first = await authorization();
    nowMs++;
    const renewed = await Promise.all([1, 2, 3].map(() => authorization(first)));
    expect(new Set(renewed).size).toBe(1);
    expect(renewed[0]).not.toBe(first);
    expect(await authorization()).toBe(renewed[0]);
  });

  it("that could not be made are made by the next call", async () => {
    let failing = true;
    const issueCluster = async (): Promise<string> => {
      if (failing) throw new Error("the signer is away");
      return "token";
    };
    const authorization = clusterAuthorization({ ...keeper, issueCluster }, clock);
    await expect(authorization()).rejects.toThrow("the signer is away");
    failing = false;
    expect(await authorization()).toBe("Bearer token");
  });
});

describe("a grant that has expired", () => {
  it("is refused with its age, from which its holder sees how far the clocks differ", async () => {
    const ahead = createGrantKeeper({
      clusterKey: CLUSTER_KEY,
      clock: { nowMs: () => nowMs + 25 * 3_600_000 },
      random: systemRandom,
    });
    const details = { grantAgeMs: String(25 * 3_600_000) };
    for (const token of [
      await keeper.issueCluster(),
      await keeper.issueWrite({ ticketId: "t", bucket: "photos" }),
      await keeper.issueRead({ chunkId }),
      await keeper.issueManifest({ manifestId: "m" }),
    ])
      await expect(ahead.verify(token, ["cluster"])).rejects.toMatchObject({ code: "UNAUTHENTICATED", details });
  });
});
