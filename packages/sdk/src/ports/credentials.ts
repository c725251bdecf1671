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
   * The secret itself, sealed by the gateway, for signatures that cannot be checked against a digest (SigV4). At most SEALED_SECRET_MAX_BYTES,
   * opaque to the store. Absent: nobody can recover the secret.
   */
  readonly sealedSecret?: Uint8Array | undefined;
  readonly createdAtMs: number;
  /** Absent: the key reaches everything. */
  readonly scope?: CredentialScope | undefined;
  /** When it ends, in ms since the Unix epoch; absent: never. */
  readonly expiresAtMs?: number | undefined;
}

/** An access token that was revoked. */
export interface TokenRevocation {
  /** Id of the token: 128 random bits in base64url. */
  readonly tokenId: string;
  /** When the token ends by itself, in ms since the Unix epoch; the row may be deleted then. */
  readonly expiresAtMs: number;
}

/** API keys, and access tokens that were revoked. */
export interface CredentialCatalog {
  createApiKey(record: Omit<ApiKeyRecord, "createdAtMs">, options?: CallOptions): Promise<ApiKeyRecord>;
  findApiKey(keyId: string, options?: CallOptions): Promise<ApiKeyRecord | undefined>;
  listApiKeys(options?: CallOptions): Promise<readonly ApiKeyRecord[]>;
  /** `false` if there was none. */
  deleteApiKey(keyId: string, options?: CallOptions): Promise<boolean>;
  /** Remembers a token as revoked until it ends; forgets those that have ended. Idempotent. */
  revokeToken(revocation: TokenRevocation, options?: CallOptions): Promise<void>;
  isTokenRevoked(tokenId: string, options?: CallOptions): Promise<boolean>;
}

/** An API key to create. */
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

/** An API key as it is shown: without the digest of its secret and without the sealed secret. */
export type ApiKeyInfo = Omit<ApiKeyRecord, "secretSha256" | "sealedSecret">;

/** An API key that was just made. */
export interface CreatedApiKey extends ApiKeyInfo {
  /** `ashlar_<keyId>_<secret>`; it is shown only now. */
  readonly apiKey: string;
}
