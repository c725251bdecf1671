import type { Digest } from "../hash/digest.ts";
import type { CallOptions } from "./chunk-store.ts";

/** What an API key may do. */
export type ApiKeyRole = "admin" | "readwrite" | "readonly";

/** The part of the store that a key or a token reaches. */
export interface CredentialScope {
  readonly bucket: string;
  /** Only keys that begin with it; empty: every key of the bucket. */
  readonly prefix: string;
}

/** An API key as stored: never its secret. */
export interface ApiKeyRecord {
  readonly keyId: string;
  readonly name: string;
  readonly role: ApiKeyRole;
  /** SHA-256 of the secret (which has 256 random bits, so needs no slow hash). */
  readonly secretSha256: Digest;
  /**
   * The secret itself, sealed by whoever serves the key, for signatures that cannot be checked against a digest (SigV4). At most SEALED_SECRET_MAX_BYTES,
   * opaque to the store. Absent: nobody can recover it.
   */
  readonly sealedSecret?: Uint8Array | undefined;
  readonly createdAtMs: number;
  /** Absent: it reaches everything. */
  readonly scope?: CredentialScope | undefined;
  /** When it ends, in ms since the Unix epoch; absent: never. */
  readonly expiresAtMs?: number | undefined;
}

/** An access token that was called back. */
export interface TokenRevocation {
  /** Of the token, 128 random bits in base64url. */
  readonly tokenId: string;
  /** When the token ends by itself, in ms since the Unix epoch: the row may go then. */
  readonly expiresAtMs: number;
}

/** API keys, and access tokens that were called back. */
export interface CredentialCatalog {
  createApiKey(record: Omit<ApiKeyRecord, "createdAtMs">, options?: CallOptions): Promise<ApiKeyRecord>;
  findApiKey(keyId: string, options?: CallOptions): Promise<ApiKeyRecord | undefined>;
  listApiKeys(options?: CallOptions): Promise<readonly ApiKeyRecord[]>;
  /** `false` if there was none. */
  deleteApiKey(keyId: string, options?: CallOptions): Promise<boolean>;
  /** Remembers a token as called back until it ends; forgets those that have ended. Idempotent. */
  revokeToken(revocation: TokenRevocation, options?: CallOptions): Promise<void>;
  isTokenRevoked(tokenId: string, options?: CallOptions): Promise<boolean>;
}

/** What an API key is to be. */
export interface ApiKeyRequest {
  /** For people, to tell keys apart; default: none. */
  readonly name?: string | undefined;
  /** Default `readwrite`. */
  readonly role?: ApiKeyRole | undefined;
  /** The only bucket that it reaches, which must exist; default: all. A key of role `admin` has no scope. */
  readonly bucket?: string | undefined;
  /** Only keys of the bucket that begin with it; default: every key. */
  readonly prefix?: string | undefined;
  /** Life in ms, at least ACCESS_TOKEN_TTL_MIN_MS; default: it never ends. */
  readonly expiresInMs?: number | undefined;
}

/** An API key as it is shown: what tells of its secret stays in the store. */
export type ApiKeyInfo = Omit<ApiKeyRecord, "secretSha256" | "sealedSecret">;

/** An API key that was just made. */
export interface CreatedApiKey extends ApiKeyInfo {
  /** `ashlar_<keyId>_<secret>`; it cannot be had again. */
  readonly apiKey: string;
}
