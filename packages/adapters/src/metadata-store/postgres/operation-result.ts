import { digestFromBytes } from "@ashlar/sdk/hash";

/** Results as text: plain data, with digests as `{"digest": hex}`. */
export function encodeResult(output: unknown): string {
  const text = JSON.stringify(output ?? null, (_name, value: unknown) =>
    value instanceof Uint8Array ? { digest: Buffer.from(value).toString("hex") } : value,
  );
  return text;
}

/** The inverse of {@link encodeResult}; nothing comes back as `undefined`. */
export function decodeResult(text: string): unknown {
  const value: unknown = JSON.parse(text, (_name, part: unknown) => {
    if (typeof part !== "object" || part === null) return part;
    const [first, ...others] = Object.entries(part);
    if (first?.[0] !== "digest" || others.length > 0 || typeof first[1] !== "string") return part;
    return digestFromBytes(Buffer.from(first[1], "hex"));
  });
  return value ?? undefined;
}
