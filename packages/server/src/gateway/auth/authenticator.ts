import { AshlarError } from "@ashlar/sdk/errors";
import type { ApiKeyRecord, ApiKeyRole, Clock, CredentialCatalog, Logger } from "@ashlar/sdk/ports";
import { type AccessGrant, bearerToken, type GrantKeeper } from "../../grants/index.ts";
import type { AccessScope } from "./access-scope.ts";
import { ACCESS, ACCESS_WORDS, clusterAllows, type Operation, roleAllows } from "./access-table.ts";
import { parseApiKey, secretMatches } from "./api-key.ts";
import { neverWithToken, SCOPE } from "./scope-table.ts";

/** Who calls. */
export interface Principal {
  /**
   * The API key's id, for an access token that of the key which issued it; `cluster` for a server of the cluster, `insecure` on a gateway
   * without access control.
   */
  readonly apiKeyId: string;
  /** Of the API key, or of the access token. */
  readonly role?: ApiKeyRole | undefined;
  /** Set for holders of an access token: whoever lets them in must check what they touch. */
  readonly scope?: AccessScope | undefined;
}

/** Lets calls in, or not. */
export interface Authenticator {
  /**
   * @param authorization the header of that name.
   * @throws {AshlarError} UNAUTHENTICATED (none, unknown or malformed credentials), PERMISSION_DENIED (known, but not for this),
   *   METADATA_UNAVAILABLE.
   */
  authorize(authorization: string | null, operation: Operation): Promise<Principal>;
}

/** How long a key that was found is believed: a deleted key works this much longer on gateways that just used it. */
const KEY_CACHE_MS = 30_000;
const KEY_CACHE_MAX = 1024;

const UNKNOWN_KEY = "this is not an API key of this gateway";
const ISSUER_GONE = "the API key that issued this access token was deleted";

/** A grant is a payload and a digest of 32 bytes. What looks otherwise was meant as an API key. */
const GRANT_SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/;

/** Lets everybody in. */
export const insecureAuthenticator: Authenticator = Object.freeze({
  authorize: async (): Promise<Principal> => ({ apiKeyId: "insecure" }),
});

/**
 * Checks API keys against the catalog, with a cache of the keys that exist (what does not exist is looked up each time, so that a new key
 * works at once), and cluster grants by their signature; access tokens by both: theirs, and whether the API key that issued them is still there.
 */
export function createAuthenticator(options: {
  readonly credentials: Pick<CredentialCatalog, "findApiKey">;
  readonly grants: GrantKeeper;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly logger: Logger;
}): Authenticator {
  const { credentials, grants, clock, logger } = options;
  const cache = new Map<string, { readonly record: ApiKeyRecord; readonly foundAtMs: number }>();

  /** @param isRight what is not is not remembered, so that guesses push nothing out of the cache. */
  const find = async (keyId: string, isRight: (record: ApiKeyRecord) => boolean): Promise<ApiKeyRecord | undefined> => {
    const known = cache.get(keyId);
    const isFresh = known !== undefined && clock.monotonicMs() - known.foundAtMs < KEY_CACHE_MS;
    const record = isFresh ? known.record : await credentials.findApiKey(keyId);
    if (record === undefined || !isRight(record)) return undefined;
    if (!isFresh) remember(record);
    return record;
  };
  const remember = (record: ApiKeyRecord): void => {
    cache.delete(record.keyId);
    const [oldest] = cache.keys();
    if (cache.size >= KEY_CACHE_MAX && oldest !== undefined) cache.delete(oldest);
    cache.set(record.keyId, { record, foundAtMs: clock.monotonicMs() });
  };

  const authorizeAccess = async (grant: AccessGrant, operation: Operation): Promise<Principal> => {
    const { apiKeyId, role, bucket, prefix, expiresAtMs } = grant;
    const issuer = await find(apiKeyId, () => true);
    if (issuer === undefined) throw unauthenticated(ISSUER_GONE);
    if (SCOPE[operation] === "never") throw neverWithToken(operation);
    const access = ACCESS[operation];
    if (roleAllows(role, access) && roleAllows(issuer.role, access)) {
      return { apiKeyId, role, scope: { bucket, prefix, expiresAtMs } };
    }
    throw denied(`an access token of role ${role} does not allow ${ACCESS_WORDS[access]}`);
  };

  return {
    async authorize(authorization, operation) {
      const access = ACCESS[operation];
      const token = bearerToken(authorization);
      if (token === undefined) throw unauthenticated("send `authorization: Bearer <api key or access token>`");
      if (!token.startsWith("ashlar_")) {
        if (!GRANT_SHAPE.test(token)) throw unauthenticated(UNKNOWN_KEY);
        const grant = await grants.verify(token, ["cluster", "access"]);
        if (grant.kind === "access") return await authorizeAccess(grant, operation);
        if (clusterAllows(access)) return { apiKeyId: "cluster" };
        throw denied("a cluster grant does not allow this; use an API key");
      }
      const parsed = parseApiKey(token);
      const record = parsed && (await find(parsed.keyId, (found) => secretMatches(parsed.secret, found)));
      if (record === undefined) {
        logger.debug({ keyId: parsed?.keyId, operation }, "API key refused");
        throw unauthenticated(UNKNOWN_KEY);
      }
      if (roleAllows(record.role, access)) return { apiKeyId: record.keyId, role: record.role };
      throw denied(`an API key of role ${record.role} does not allow ${ACCESS_WORDS[access]}`);
    },
  };
}

const unauthenticated = (message: string): AshlarError => new AshlarError("UNAUTHENTICATED", message);
const denied = (message: string): AshlarError => new AshlarError("PERMISSION_DENIED", message);
