import type { MessageInitShape } from "@bufbuild/protobuf";
import { AshlarError } from "../errors/index.ts";
import {
  AccessRole as AccessRoleEnum,
  type CreateAccessTokenRequest as CreateAccessTokenRequestMessage,
  type CreateAccessTokenRequestSchema,
  type CreateAccessTokenResponse as CreateAccessTokenResponseMessage,
  type CreateAccessTokenResponseSchema,
} from "../gen/ashlar/v1/object_service_pb.js";
import type { AccessRole, AccessToken, AccessTokenRequest } from "../ports/index.ts";
import { decodeInteger, decodeText, encodeInteger } from "./integers.ts";

const TO_WIRE: Readonly<Record<AccessRole, AccessRoleEnum>> = {
  readonly: AccessRoleEnum.READONLY,
  readwrite: AccessRoleEnum.READWRITE,
};

const FROM_WIRE: ReadonlyMap<AccessRoleEnum, AccessRole | undefined> = new Map([
  [AccessRoleEnum.UNSPECIFIED, undefined],
  [AccessRoleEnum.READONLY, "readonly"],
  [AccessRoleEnum.READWRITE, "readwrite"],
]);

export function encodeAccessTokenRequest(
  request: AccessTokenRequest,
): MessageInitShape<typeof CreateAccessTokenRequestSchema> {
  return {
    bucket: request.bucket,
    prefix: request.prefix ?? "",
    role: encodeRole(request.role),
    expiresInMs: encodeInteger(request.expiresInMs ?? 0),
  };
}

/** @throws {AshlarError} INVALID_ARGUMENT for a role that nobody knows: it must not become the default, which allows the most. */
function encodeRole(role: AccessRole | undefined): AccessRoleEnum {
  if (role === undefined) return AccessRoleEnum.UNSPECIFIED;
  if (Object.hasOwn(TO_WIRE, role)) return TO_WIRE[role];
  throw new AshlarError("INVALID_ARGUMENT", "role is readonly or readwrite", { details: { field: "role" } });
}

/** @throws {AshlarError} INVALID_ARGUMENT for a role that this version does not know, or a life beyond 2^53 - 1 ms. */
export function decodeAccessTokenRequest(message: CreateAccessTokenRequestMessage): AccessTokenRequest {
  if (!FROM_WIRE.has(message.role)) {
    throw new AshlarError("INVALID_ARGUMENT", `role ${message.role} is unknown`, { details: { field: "role" } });
  }
  return {
    bucket: message.bucket,
    prefix: decodeText(message.prefix),
    role: FROM_WIRE.get(message.role),
    expiresInMs: decodeInteger(message.expiresInMs, "expiresInMs") || undefined,
  };
}

export function encodeAccessToken(token: AccessToken): MessageInitShape<typeof CreateAccessTokenResponseSchema> {
  return { token: token.token, expiresAtMs: encodeInteger(token.expiresAtMs) };
}

export function decodeAccessToken(message: CreateAccessTokenResponseMessage): AccessToken {
  return { token: message.token, expiresAtMs: decodeInteger(message.expiresAtMs, "expiresAtMs") };
}
