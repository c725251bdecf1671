import { AshlarError } from "@ashlar/sdk/errors";
import type { CredentialScope, UploadCatalog } from "@ashlar/sdk/ports";
import type { GrantKeeper } from "../../grants/index.ts";

/** What a call touches, to be compared with the scope of its credentials. */
export type Touched =
  /** The bucket as such: that it exists. */
  | { readonly kind: "bucket"; readonly bucket: string }
  | { readonly kind: "object"; readonly bucket: string; readonly key: string }
  /** Every key of the bucket that begins with `prefix`. */
  | { readonly kind: "prefix"; readonly bucket: string; readonly prefix: string }
  /** The object that a multipart upload is for. */
  | { readonly kind: "upload"; readonly uploadId: string }
  /** The object of a handle that Locate gave. */
  | { readonly kind: "manifest"; readonly handle: string };

/** What is needed to find the objects of uploads and handles. */
export interface ScopeContext {
  readonly metadata: Pick<UploadCatalog, "getUpload">;
  readonly grants: Pick<GrantKeeper, "verify"> | undefined;
}

/**
 * Checks that all that a request touches lies within the scope of an access token or an API key.
 *
 * Keys are compared as they are, character by character: no path is resolved, `..` means nothing.
 *
 * @param scope absent for callers without one; they may touch everything.
 * @throws {AshlarError} PERMISSION_DENIED, whether what is out of scope exists or not; UPLOAD_NOT_FOUND; UNAUTHENTICATED for a forged or
 *   expired handle; METADATA_UNAVAILABLE.
 */
export async function assertTouchesInScope(
  context: ScopeContext,
  scope: CredentialScope | undefined,
  touched: readonly Touched[],
  signal: AbortSignal | undefined,
): Promise<void> {
  if (scope === undefined) return;
  for (const each of touched) await assertOne(context, scope, each, signal);
}

async function assertOne(
  context: ScopeContext,
  scope: CredentialScope,
  touched: Touched,
  signal: AbortSignal | undefined,
): Promise<void> {
  switch (touched.kind) {
    case "bucket":
      return assertBucket(scope, touched.bucket);
    case "object":
      return assertKeys(scope, touched.bucket, touched.key);
    case "prefix":
      return assertKeys(scope, touched.bucket, touched.prefix);
    case "upload": {
      const upload = await context.metadata.getUpload(touched.uploadId, { signal }).catch((error: unknown) => {
        if (AshlarError.is(error, "UPLOAD_NOT_FOUND")) return undefined;
        throw error;
      });
      // If the upload is gone, the operation returns what a call with this same scope did to it, or UPLOAD_NOT_FOUND.
      return upload && assertKeys(scope, upload.bucket, upload.key);
    }
    case "manifest": {
      const grant = await context.grants?.verify(touched.handle, ["manifest"]);
      // Handles of an earlier release do not name their object; the client locates it again.
      if (grant?.bucket === undefined || grant.key === undefined) throw denied(scope);
      return assertKeys(scope, grant.bucket, grant.key);
    }
  }
}

function assertBucket(scope: CredentialScope, bucket: string): void {
  if (bucket !== scope.bucket) throw denied(scope);
}

/** @param start a key, or what keys begin with. */
function assertKeys(scope: CredentialScope, bucket: string, start: string): void {
  assertBucket(scope, bucket);
  if (!start.startsWith(scope.prefix)) throw denied(scope);
}

function denied({ bucket, prefix }: CredentialScope): AshlarError {
  const reach = prefix === "" ? `bucket ${bucket}` : `keys of bucket ${bucket} that begin with ${prefix}`;
  return new AshlarError("PERMISSION_DENIED", `these credentials are for ${reach} only`, {
    details: { bucket, prefix },
  });
}
