import { digestFromBytes } from "@ashlar/sdk/hash";
import type { CommitObject, ObjectInfo } from "@ashlar/sdk/ports";

/**
 * Results as text: plain data, with digests as `{"digest": hex}`.
 *
 * Of a commit only what the store added is kept, because there are many of them and the rest stands in the request, which comes again.
 */
export function encodeResult(operation: string, output: unknown): string {
  if (operation === "commitObject") {
    const { objectVersion, createdAtMs } = output as ObjectInfo;
    return JSON.stringify([objectVersion, createdAtMs]);
  }
  const text = JSON.stringify(output ?? null, (_name, value: unknown) =>
    value instanceof Uint8Array ? { digest: Buffer.from(value).toString("hex") } : value,
  );
  return text;
}

/** The inverse of {@link encodeResult}; nothing comes back as `undefined`. @param input of the same request. */
export function decodeResult(operation: string, text: string, input: unknown): unknown {
  if (operation === "commitObject") return committedInfo(input as CommitObject, JSON.parse(text));
  const value: unknown = JSON.parse(text, (_name, part: unknown) => {
    if (typeof part !== "object" || part === null) return part;
    const [first, ...others] = Object.entries(part);
    if (first?.[0] !== "digest" || others.length > 0 || typeof first[1] !== "string") return part;
    return digestFromBytes(Buffer.from(first[1], "hex"));
  });
  return value ?? undefined;
}

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
