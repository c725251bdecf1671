import { AshlarError } from "@ashlar/sdk/errors";

/** The error of every call into a bucket that is not there. */
export function bucketNotFound(bucket: string): AshlarError {
  return new AshlarError("BUCKET_NOT_FOUND", "there is no such bucket", { details: { bucket } });
}

/** The error of every call about an unknown upload. */
export function uploadNotFound(uploadId: string): AshlarError {
  return new AshlarError("UPLOAD_NOT_FOUND", "there is no such upload", { details: { uploadId } });
}

/** The error of a copy without a source, or of a manifest that is collected. */
export function objectNotFound(details: Readonly<Record<string, string>>): AshlarError {
  return new AshlarError("OBJECT_NOT_FOUND", "there is no such object", { details });
}

/** A bucket name that is taken. */
export function bucketExists(bucket: string): AshlarError {
  return new AshlarError("BUCKET_ALREADY_EXISTS", `there is a bucket ${bucket} already`, { details: { bucket } });
}

/** Uploads are counted up to this number; from there on the error says that there may be more. */
export const UPLOADS_COUNTED_MAX = 1000;

/** A bucket with objects or unfinished uploads in it; the details say which, because uploads are in no listing of objects. */
export function bucketNotEmpty(
  bucket: string,
  contents: { readonly hasObjects: boolean; readonly uploadCount: number },
): AshlarError {
  const { hasObjects, uploadCount } = contents;
  const many = uploadCount >= UPLOADS_COUNTED_MAX ? `${UPLOADS_COUNTED_MAX} or more` : String(uploadCount);
  const uploads = uploadCount === 1 ? "1 unfinished upload" : `${many} unfinished uploads`;
  const what = [...(hasObjects ? ["objects"] : []), ...(uploadCount > 0 ? [uploads] : [])].join(" and ");
  const details = { bucket, hasObjects: String(hasObjects), uploadCount: String(uploadCount) };
  return new AshlarError("BUCKET_NOT_EMPTY", `the bucket ${bucket} has ${what}`, { details });
}

/** A chunk whose size differs from what the store has for the same digest. */
export function chunkSizeDiffers(): AshlarError {
  return new AshlarError("INVALID_ARGUMENT", "a chunk of the commit has another size than the store knows for its id");
}

/** A layout version that was never written. */
export function layoutUnknown(layoutVersion: number): AshlarError {
  return new AshlarError("LAYOUT_STALE", "the chunks were placed under a layout that is not known here", {
    details: { layoutVersion: String(layoutVersion) },
  });
}
