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
 * @throws {AshlarError} INVALID_PART if one is not there or has another etag, OBJECT_TOO_LARGE, CHECKSUM_MISMATCH if the only part has another
 *   digest than the caller declares.
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
  if (sizeBytes > LIMITS.OBJECT_MAX_BYTES) {
    throw new AshlarError("OBJECT_TOO_LARGE", `an object has at most ${LIMITS.OBJECT_MAX_BYTES} bytes`);
  }
  // With several parts, the digest of the whole is not known here. A digest that was not checked is not served as if it had been.
  const sha256 = parts.length === 1 ? parts[0]?.sha256 : undefined;
  if (sha256 !== undefined && complete.sha256 !== undefined && complete.sha256 !== sha256) {
    throw new AshlarError("CHECKSUM_MISMATCH", "the only part has another SHA-256 than the one declared");
  }
  return {
    parts,
    sizeBytes,
    etag: uploadEtag(parts.map((part) => part.etag)),
    sha256,
  };
}
