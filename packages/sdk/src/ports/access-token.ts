import type { CallOptions } from "./chunk-store.ts";

/** What the holder of an access token may do within its scope: `readonly` reads and lists, `readwrite` writes and deletes too. */
export type AccessRole = "readonly" | "readwrite";

/** What an access token may reach, and for how long. */
export interface AccessTokenRequest {
  /** The only bucket that the token reaches; it must exist. */
  readonly bucket: string;
  /**
   * Only keys that begin with this prefix; default: every key of the bucket. End it with a slash: `users/1` covers `users/10` too.
   */
  readonly prefix?: string | undefined;
  /** Default: all that the API key may do with objects. */
  readonly role?: AccessRole | undefined;
  /** Life in ms, from ACCESS_TOKEN_TTL_MIN_MS to ACCESS_TOKEN_TTL_MAX_MS; default ACCESS_TOKEN_TTL_MS. */
  readonly expiresInMs?: number | undefined;
}

/** A token for clients that must hold no API key, such as web pages. It is sent in place of an API key. */
export interface AccessToken {
  /** Opaque. */
  readonly token: string;
  /** When it ends by the gateway's clock, in milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}

/** Issues access tokens to holders of an API key. */
export interface AccessTokenSource {
  /**
   * @throws {AshlarError} INVALID_ARGUMENT, INVALID_BUCKET_NAME, BUCKET_NOT_FOUND; PERMISSION_DENIED for a role above the API key's, and
   *   for a caller that has an access token itself; UNSUPPORTED at a gateway that runs insecure.
   */
  createAccessToken(request: AccessTokenRequest, options?: CallOptions): Promise<AccessToken>;
}
