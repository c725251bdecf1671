import { digestFromBytes, encodeHex } from "@ashlar/sdk/hash";
import type { ApiKeyRecord, CommitObject, ObjectInfo } from "@ashlar/sdk/ports";

/**
 * Results as text: plain data, and that of `createApiKey`, the only one with bytes in it, has its digest as `{"digest": hex}`. Elsewhere such a member is a
 * caller's metadata, so what means what is told by the operation and never by a name within.
 *
 * Of a commit only what the store added is kept, because there are many of them and the rest stands in the request, which comes again.
 */
export function encodeResult(operation: string, output: unknown): string {
  if (operation === "commitObject") {
    const { objectVersion, createdAtMs } = output as ObjectInfo;
    return JSON.stringify([objectVersion, createdAtMs]);
  }
  if (operation === "createApiKey") {
    const { secretSha256, ...record } = output as ApiKeyRecord;
    return JSON.stringify({ ...record, secretSha256: { digest: encodeHex(secretSha256) } });
  }
  return JSON.stringify(output ?? null);
}

/** The inverse of {@link encodeResult}; nothing comes back as `undefined`. @param input of the same request. */
export function decodeResult(operation: string, text: string, input: unknown): unknown {
  if (operation === "commitObject") return committedInfo(input as CommitObject, JSON.parse(text));
  if (operation === "createApiKey") {
    const { secretSha256, ...record } = JSON.parse(text) as StoredKey;
    return { ...record, secretSha256: digestFromBytes(Buffer.from(secretSha256.digest, "hex")) };
  }
  return (JSON.parse(text) as unknown) ?? undefined;
}

type StoredKey = Omit<ApiKeyRecord, "secretSha256"> & { readonly secretSha256: { readonly digest: string } };

/** What a commit made. */
export function committedInfo(
  commit: CommitObject,
  [objectVersion, createdAtMs]: readonly [objectVersion: string, createdAtMs: number],
): ObjectInfo {
  const { bucket, key, sizeBytes, etag, sha256, durability, attributes } = commit;
  return {
    ...{ bucket, key, objectVersion, sizeBytes, etag },
    ...(sha256 === undefined ? {} : { sha256 }),
    ...{ createdAtMs, durability, attributes },
  };
}
