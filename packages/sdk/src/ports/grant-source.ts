import type { CallOptions } from "./chunk-store.ts";

/** The right to write chunks and then to commit them: signed, short-lived, for one bucket or one key of it. */
export interface WriteTicket {
  /** Goes with the commit. Opaque. */
  readonly ticket: string;
  /** Goes with each `putChunk` and `hasChunks`, to the nodes or the gateway's chunk API. Opaque. */
  readonly grant: string;
  /** Remaining life in ms, from the moment it was received; renew before it ends. */
  readonly expiresInMs: number;
}

/** Issues tickets to clients that store chunks themselves (direct and gateway seats). */
export interface GrantSource {
  /**
   * @param request.key the only key that may be committed; absent: any key of the bucket.
   * @param request.renew an earlier ticket; receipts given under it stay valid under the new one.
   * @throws {AshlarError} UNAUTHENTICATED, PERMISSION_DENIED, BUCKET_NOT_FOUND.
   */
  beginWrite(
    request: { readonly bucket: string; readonly key?: string | undefined; readonly renew?: string | undefined },
    options?: CallOptions,
  ): Promise<WriteTicket>;
}
