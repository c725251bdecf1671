import type { MessageInitShape } from "@bufbuild/protobuf";
import { AshlarError } from "../errors/index.ts";
import type {
  CreateAccessTokenRequest as CreateAccessTokenRequestMessage,
  CreateAccessTokenRequestSchema,
  CreateAccessTokenResponse as CreateAccessTokenResponseMessage,
  CreateAccessTokenResponseSchema,
} from "../gen/ashlar/v1/object_service_pb.js";
import type { AccessRole, AccessToken, AccessTokenRequest } from "../ports/index.ts";
import { decodeInteger, decodeText, encodeInteger, required } from "./integers.ts";

export function encodeAccessTokenRequest(
  request: AccessTokenRequest,
): MessageInitShape<typeof CreateAccessTokenRequestSchema> {
  return {
    bucket: request.bucket,
    prefix: request.prefix ?? "",
    role: request.role ?? "",
    expiresInMs: encodeInteger(request.expiresInMs ?? 0),
  };
}

/** @throws {AshlarError} INVALID_ARGUMENT for a role that this version does not know, or a life beyond 2^53 - 1 ms. */
export function decodeAccessTokenRequest(message: CreateAccessTokenRequestMessage): AccessTokenRequest {
  return {
    bucket: message.bucket,
    prefix: decodeText(message.prefix),
    role: decodeRole(message.role),
    expiresInMs: decodeInteger(message.expiresInMs, "expiresInMs") || undefined,
  };
}

export function encodeAccessToken(token: AccessToken): MessageInitShape<typeof CreateAccessTokenResponseSchema> {
  return { token: token.token, expiresAtMs: encodeInteger(token.expiresAtMs) };
}

export function decodeAccessToken(message: CreateAccessTokenResponseMessage): AccessToken {
  return { token: required(message.token, "token"), expiresAtMs: decodeInteger(message.expiresAtMs, "expiresAtMs") };
}

function decodeRole(role: string): AccessRole | undefined {
  if (role === "readonly" || role === "readwrite") return role;
  if (role === "") return undefined;
  throw new AshlarError("INVALID_ARGUMENT", "role is readonly or readwrite", { details: { field: "role" } });
}
