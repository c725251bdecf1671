import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { uploadEtag } from "@ashlar/sdk/manifest";
import type { CompleteUpload, PartInfo } from "@ashlar/sdk/ports";

/** What an upload becomes. */
export interface CompletedContent<Part> {
  readonly parts: readonly Part[];
  readonly sizeBytes: number;
  readonly etag: string;
  readonly sha256: string | undefined;
}

/**
 * Picks the parts that the caller names.
 * @throws {AshlarError} INVALID_PART if one is not there or has another etag, OBJECT_TOO_LARGE.
 */
export function chooseParts<Part extends Pick<PartInfo, "partNumber" | "etag" | "sizeBytes" | "sha256">>(
  stored: ReadonlyMap<number, Part>,
  complete: CompleteUpload,
): CompletedContent<Part> {
  const parts = complete.parts.map(({ partNumber, etag }) => {
    const part = stored.get(partNumber);
    if (part === undefined || part.etag !== etag) {
      throw new AshlarError(
        "INVALID_PART",
        part === undefined ? "a named part is missing" : "a named part has another etag",
        {
          details: { partNumber: String(partNumber) },
        },
      );
    }
    return part;
  });
  const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
  if (sizeBytes > LIMITS.OBJECT_MAX_BYTES.value) {
    throw new AshlarError("OBJECT_TOO_LARGE", `an object has at most ${LIMITS.OBJECT_MAX_BYTES.value} bytes`);
  }
  const onlyPart = parts.length === 1 ? parts[0] : undefined;
  return {
    parts,
    sizeBytes,
    etag: uploadEtag(parts.map((part) => part.etag)),
    sha256: complete.sha256 ?? onlyPart?.sha256,
  };
}
