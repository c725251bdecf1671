import { AshlarError } from "@ashlar/sdk/errors";
import type { ApiKeyRecord, ApiKeyRole, Clock, CredentialCatalog, CredentialScope, Logger } from "@ashlar/sdk/ports";
import { type AccessGrant, bearerToken, type GrantKeeper } from "../../grants/index.ts";
import type { Caller } from "../../http/bounds/admission.ts";
import { parseApiKey, secretMatches } from "./api-key.ts";
import { ACCESS_WORDS, type AccessRules, clusterAllows, roleAllows } from "./roles.ts";

/** Who calls. */
export interface Principal {
  /**
   * The id of the API key, or of the API key that issued the access token. `cluster` for a server of the cluster, `insecure` on a gateway without
   * access control.
   */
  readonly apiKeyId: string;
  /** The role of the API key or access token. */
  readonly role?: ApiKeyRole | undefined;
  /** Set for holders of an access token or of an API key for one bucket: the code that lets them in must check what they touch. */
  readonly scope?: CredentialScope | undefined;
  /** When the API key or access token ends, in ms since the Unix epoch; infinite: never. Tickets and write grants of its holder end no later. */
  readonly expiresAtMs?: number | undefined;
  /** Holds an access token, and no API key. */
  readonly byToken?: boolean | undefined;
  /** The id of the access token; absent in tokens of earlier releases. */
  readonly tokenId?: string | undefined;
}

/** For whom slots and bytes of a principal count. The cluster's own servers, and all callers of an insecure gateway, count by address alone. */
export function callerOf({ apiKeyId, role, tokenId }: Principal): Caller {
  return role === undefined ? {} : { credential: apiKeyId, token: tokenId };
}

/** What a call shows before anything of its body is read. */
export interface CallHead {
  readonly method: string;
  /** Absolute, as the caller sees it. */
  readonly url: string;
  readonly header: Headers;
}

/** Decides which calls are let in. */
export interface Authenticator {
  /**
   * Finds out who calls, and whether this caller may call the operation at all.
   *
   * @throws {AshlarError} UNAUTHENTICATED (none, unknown or malformed credentials), PERMISSION_DENIED (known, but not for this),
   *   METADATA_UNAVAILABLE.
   */
  authenticate(head: CallHead, operation: AccessRules): Promise<Principal>;
  /** Drops a key or token, just deleted or revoked here, from the cache. @param id of the key or the token. */
  forget(id: string): void;
}

/** How long a key that was found stays in the cache: a deleted key works this much longer on gateways that just used it. */
const KEY_CACHE_MS = 30_000;
const KEY_CACHE_MAX = 1024;
/** Most tokens whose revocation is cached. Each web page has a token of its own, so there are more tokens than keys. */
const TOKEN_CACHE_MAX = 16_384;

const UNKNOWN_KEY = "this is not an API key of this gateway";
const ISSUER_GONE = "the API key that issued this access token was deleted, or has expired";

/** A grant is a payload and a digest of 32 bytes. Any other text was meant as an API key. */
const GRANT_SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{43}$/;

/** Lets everybody in. */
export const insecureAuthenticator: Authenticator = Object.freeze({
  authenticate: async (): Promise<Principal> => ({ apiKeyId: "insecure" }),
  forget: () => {},
});

/**
 * Checks API keys against the catalog, cluster grants by their signature, and access tokens by both: by their signature, and by whether the API key
 * that issued them still exists. Keys that exist are cached. A key that does not exist is looked up each time, so that a new key works at once.
 */
export function createAuthenticator(options: {
  readonly credentials: Pick<CredentialCatalog, "findApiKey" | "isTokenRevoked">;
  readonly grants: GrantKeeper;
  readonly clock: Pick<Clock, "nowMs" | "monotonicMs">;
  readonly logger: Logger;
}): Authenticator {
  const { credentials, grants, clock, logger } = options;
  const keys = createRecentLookups<ApiKeyRecord>(KEY_CACHE_MAX, clock);
  const revocations = createRecentLookups<boolean>(TOKEN_CACHE_MAX, clock);
  const hasEnded = ({ expiresAtMs }: ApiKeyRecord): boolean =>
    expiresAtMs !== undefined && clock.nowMs() >= expiresAtMs;

  /** @param isRight only records that it accepts are cached, so that guesses push nothing out of the cache. */
  const find = async (keyId: string, isRight: (record: ApiKeyRecord) => boolean): Promise<ApiKeyRecord | undefined> => {
    const known = keys.get(keyId);
    const record = known ?? (await credentials.findApiKey(keyId));
    if (record === undefined || !isRight(record)) return undefined;
    if (known === undefined) keys.set(keyId, record);
    return record;
  };
  // Called only for tokens with a right signature, so unauthenticated callers push nothing out of the cache.
  const isRevoked = async (tokenId: string | undefined): Promise<boolean> => {
    if (tokenId === undefined) return false;
    const revoked = revocations.get(tokenId) ?? (await credentials.isTokenRevoked(tokenId));
    if (revocations.get(tokenId) === undefined) revocations.set(tokenId, revoked);
    return revoked;
  };

  const authorizeAccess = async (grant: AccessGrant, operation: AccessRules): Promise<Principal> => {
    const { apiKeyId, tokenId, role, bucket, prefix, expiresAtMs } = grant;
    const issuer = await find(apiKeyId, () => true);
    if (issuer === undefined || hasEnded(issuer)) throw unauthenticated(ISSUER_GONE);
    if (await isRevoked(tokenId)) throw unauthenticated("this access token was revoked");
    const { access } = operation;
    if (operation.scope === "never" || operation.scope === "key") throw outOfReach(operation, "token");
    if (roleAllows(role, access) && roleAllows(issuer.role, access)) {
      return { apiKeyId, role, scope: { bucket, prefix }, expiresAtMs, byToken: true, tokenId };
    }
    throw denied(`an access token of role ${role} does not allow ${ACCESS_WORDS[access]}`);
  };

  const authorizeKey = (record: ApiKeyRecord, operation: AccessRules): Principal => {
    if (hasEnded(record)) throw unauthenticated("this API key has expired; ask for a new one");
    const { keyId: apiKeyId, role, scope, expiresAtMs = Number.POSITIVE_INFINITY } = record;
    const { access } = operation;
    if (!roleAllows(role, access)) throw denied(`an API key of role ${role} does not allow ${ACCESS_WORDS[access]}`);
    if (scope === undefined) return { apiKeyId, role, expiresAtMs };
    if (operation.scope === "never") throw outOfReach(operation, "scoped key");
    return { apiKeyId, role, scope, expiresAtMs };
  };

  return {
    async authenticate({ header }, operation) {
      const { access } = operation;
      const token = bearerToken(header.get("authorization"));
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
        logger.debug({ keyId: parsed?.keyId, operation: operation.name }, "API key refused");
        throw unauthenticated(UNKNOWN_KEY);
      }
      return authorizeKey(record, operation);
    },
    forget(id) {
      keys.delete(id);
      revocations.delete(id);
    },
  };
}

/** The error of an operation that is not open to access tokens, or not to API keys with a scope. */
function outOfReach({ name }: AccessRules, holder: "token" | "scoped key"): AshlarError {
  return denied(
    holder === "token"
      ? `an access token does not allow ${name}; it takes an API key`
      : `an API key for one bucket does not allow ${name}; it takes one without a scope`,
  );
}

const unauthenticated = (message: string): AshlarError => new AshlarError("UNAUTHENTICATED", message);
const denied = (message: string): AshlarError => new AshlarError("PERMISSION_DENIED", message);

/** Results of look-ups in the last {@link KEY_CACHE_MS}; above a maximum count the oldest is dropped. */
interface RecentLookups<Value> {
  get(id: string): Value | undefined;
  set(id: string, value: Value): void;
  delete(id: string): void;
}

function createRecentLookups<Value>(maxCount: number, clock: Pick<Clock, "monotonicMs">): RecentLookups<Value> {
  const found = new Map<string, { readonly value: Value; readonly atMs: number }>();
  return {
    get(id) {
      const known = found.get(id);
      return known !== undefined && clock.monotonicMs() - known.atMs < KEY_CACHE_MS ? known.value : undefined;
    },
    set(id, value) {
      found.delete(id);
      const [oldest] = found.keys();
      if (found.size >= maxCount && oldest !== undefined) found.delete(oldest);
      found.set(id, { value, atMs: clock.monotonicMs() });
    },
    delete: (id) => void found.delete(id),
  };
}
