import { AshlarError } from "@ashlar/sdk/errors";

/** A bucket, and the key or prefix behind it (empty: the bucket itself). */
export interface Address {
  readonly bucket: string;
  readonly key: string;
}

/** Takes `bucket/key` apart at the first slash. Names are checked by the store. */
export function parseAddress(text: string): Address {
  const slash = text.indexOf("/");
  return slash < 0 ? { bucket: text, key: "" } : { bucket: text.slice(0, slash), key: text.slice(slash + 1) };
}

/** An address that names an object. @throws {AshlarError} INVALID_ARGUMENT if the key is missing. */
export function parseObjectAddress(text: string): Address {
  const address = parseAddress(text);
  if (address.bucket !== "" && address.key !== "") return address;
  throw new AshlarError("INVALID_ARGUMENT", `an object is named bucket/key, not "${text}"`);
}

/** An address that names a bucket. @throws {AshlarError} INVALID_ARGUMENT if there is a key. */
export function parseBucketName(text: string): string {
  const { bucket, key } = parseAddress(text);
  if (bucket !== "" && key === "") return bucket;
  throw new AshlarError("INVALID_ARGUMENT", `a bucket is wanted here, not "${text}"`);
}
