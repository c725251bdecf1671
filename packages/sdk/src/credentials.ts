/** API keys and access tokens of a gateway, for operators' programs. An app's own client does not need this, so no page loads it. */
import { assertApiKey } from "./client/seats/remote-options.ts";
import { AshlarError } from "./errors/index.ts";
import { checkedUrl } from "./internal/checked-url.ts";
import type { ApiKeyInfo, ApiKeyRequest, ApiKeyRole, CallOptions, CreatedApiKey } from "./ports/index.ts";
import { checkOptions } from "./ports/options.ts";
import { createFetchExchange } from "./transport/fetch-exchange.ts";
import { createHttpConnection } from "./transport/http-connection.ts";
import {
  integerOf,
  type JsonMessage,
  listOf,
  messageOf,
  nameOf,
  optionalTextOf,
  textOf,
} from "./transport/proto-json.ts";

export type { ApiKeyInfo, ApiKeyRequest, ApiKeyRole, CreatedApiKey } from "./ports/index.ts";

/** Options of {@link createCredentialClient}. */
export interface CredentialClientOptions {
  /** Base URL of a gateway. */
  readonly url: string;
  /** For calls on API keys: a key of role `admin` without a scope. For calls on tokens: the key that made the token, or such an admin key. */
  readonly apiKey: string;
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** Credentials of a gateway. Every call rejects with UNAUTHENTICATED or PERMISSION_DENIED if the key does not allow it. */
export interface CredentialClient {
  /** @throws {AshlarError} INVALID_ARGUMENT, INVALID_BUCKET_NAME, BUCKET_NOT_FOUND; UNSUPPORTED at a gateway that runs insecure. */
  createApiKey(request: ApiKeyRequest, options?: CallOptions): Promise<CreatedApiKey>;
  /** All of them, by id. */
  listApiKeys(options?: CallOptions): AsyncIterable<ApiKeyInfo>;
  /** `false` if there was none. Other gateways that just used the key accept it for up to 30 s more. */
  deleteApiKey(keyId: string, options?: CallOptions): Promise<boolean>;
  /** Revokes an access token before it expires. Other gateways that just used the token accept it for up to 30 s more. */
  revokeAccessToken(token: string, options?: CallOptions): Promise<void>;
}

/**
 * Creates a client for the credentials of a gateway.
 *
 * @throws {AshlarError} INVALID_ARGUMENT for a `url` that is no base URL, or a key that no header can carry.
 */
export function createCredentialClient(options: CredentialClientOptions): CredentialClient {
  checkOptions(options, { url: "", apiKey: "" });
  const { url, apiKey, fetch } = options;
  assertApiKey(apiKey);
  const authorization = (): string => `Bearer ${apiKey}`;
  const connection = createHttpConnection({ url: checkedUrl(url), authorization }, createFetchExchange(fetch));
  const call = (method: string, request: object, options: CallOptions | undefined): Promise<JsonMessage> =>
    connection.rpc(`CredentialService/${method}`, request, options);
  return {
    async createApiKey(request, options) {
      const { name, role, bucket, prefix, expiresInMs } = request;
      // On the wire an empty lifetime or scope looks like none, and none allows more.
      if (expiresInMs !== undefined && !(Number.isSafeInteger(expiresInMs) && expiresInMs > 0))
        throw new AshlarError("INVALID_ARGUMENT", "expiresInMs is a whole number of milliseconds above 0");
      if (bucket === "") throw new AshlarError("INVALID_ARGUMENT", "bucket is a name, or not given");
      const answer = await call("CreateApiKey", { name, role, bucket, prefix, expiresInMs }, options);
      return { ...infoFrom(messageOf(answer, "key")), apiKey: nameOf(answer, "apiKey") };
    },
    async *listApiKeys(options) {
      let afterKeyId: string | undefined;
      do {
        const page = await call("ListApiKeys", { afterKeyId }, options);
        yield* listOf(page, "keys").map(infoFrom);
        afterKeyId = optionalTextOf(page, "nextKeyId");
      } while (afterKeyId !== undefined);
    },
    deleteApiKey: async (keyId, options) => (await call("DeleteApiKey", { keyId }, options)).deleted === true,
    async revokeAccessToken(token, options) {
      await call("RevokeAccessToken", { token }, options);
    },
  };
}

function infoFrom(message: JsonMessage): ApiKeyInfo {
  const bucket = optionalTextOf(message, "bucket");
  const expiresAtMs = integerOf(message, "expiresAtMs");
  return {
    keyId: nameOf(message, "keyId"),
    name: textOf(message, "name"),
    role: textOf(message, "role") as ApiKeyRole,
    createdAtMs: integerOf(message, "createdAtMs"),
    ...(bucket === undefined ? {} : { scope: { bucket, prefix: textOf(message, "prefix") } }),
    ...(expiresAtMs === 0 ? {} : { expiresAtMs }),
  };
}
