import { AshlarError } from "@ashlar/sdk/errors";

/** A bucket, and the key or prefix after it (empty: the bucket itself). */
export interface Address {
  readonly bucket: string;
  readonly key: string;
}

/** Splits `bucket/key` at the first slash. The store checks the names. */
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
  throw new AshlarError("INVALID_ARGUMENT", `give the name of a bucket, not "${text}"`);
}

/** Where a copy goes: to a key that is missing or ends with a slash, the last part of the source's key is added. */
export function targetAddress(text: string, source: Address): Address {
  const { bucket, key } = parseAddress(text);
  const isFolder = key === "" || key.endsWith("/");
  return { bucket, key: isFolder ? key + source.key.slice(source.key.lastIndexOf("/") + 1) : key };
}

/** The prefix of the keys in a folder: `a` and `a/` both mean `a/`; an empty key means the whole bucket. */
export function folderPrefix(key: string): string {
  return key === "" || key.endsWith("/") ? key : `${key}/`;
}
