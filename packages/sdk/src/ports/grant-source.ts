import type { CallOptions } from "./chunk-store.ts";

/** A right to write chunks to nodes and then to commit them: signed, scoped to a bucket or one key of it, short-lived. */
export interface WriteTicket {
  /** Goes with the commit. Opaque. */
  readonly ticket: string;
  /** Goes with each `putChunk` and `hasChunks` on the nodes. Opaque. */
  readonly grant: string;
  /** Life left, in ms from when it was received; renew before it ends. */
  readonly expiresInMs: number;
}

/** Issues tickets to clients that place chunks themselves. */
export interface GrantSource {
  /**
   * @param request.key the only key that may be committed; absent: any key of the bucket.
   * @param request.renew an earlier ticket; receipts given under it stay good under the new one.
   * @throws {AshlarError} UNAUTHENTICATED, PERMISSION_DENIED, BUCKET_NOT_FOUND.
   */
  beginWrite(
    request: { readonly bucket: string; readonly key?: string | undefined; readonly renew?: string | undefined },
    options?: CallOptions,
  ): Promise<WriteTicket>;
}
