import { AshlarError } from "@ashlar/sdk/errors";
import { KIB } from "@ashlar/sdk/limits";
import {
  CreateAccessTokenRequestSchema,
  CreateAccessTokenResponseSchema,
  decodeAccessTokenRequest,
  encodeAccessToken,
} from "@ashlar/sdk/rpc";
import { fromJsonString, type MessageShape } from "@bufbuild/protobuf";
import type { HttpHandler, HttpRequest } from "../../http/http-handler.ts";
import { messageResponse } from "../../http/json-response.ts";
import { methodNotAllowed } from "../../http/method-not-allowed.ts";
import { trustCaller } from "../../http/request-context.ts";
import { callerOf } from "../auth/authenticator.ts";
import { httpCall } from "../gateway-call.ts";
import type { GatewayOperations } from "../operations/index.ts";

/** Room for a bucket and a prefix, however they are escaped. */
const BODY_MAX_BYTES = 16 * KIB;

/** `POST /access-tokens` with the JSON of CreateAccessTokenRequest. */
export function createAccessTokenRoute({ authenticate, perform }: GatewayOperations): HttpHandler {
  return async (request) => {
    if (request.method !== "POST") return methodNotAllowed(request, ["POST"]);
    const principal = await authenticate(request, "createAccessToken");
    trustCaller(request, callerOf(principal));
    const wanted = decodeAccessTokenRequest(await readRequest(request));
    const token = await perform("createAccessToken", wanted, httpCall(request, principal));
    // No cache on the way may keep the token.
    const header = { "cache-control": "no-store" };
    return messageResponse(CreateAccessTokenResponseSchema, encodeAccessToken(token), { status: 201, header });
  };
}

async function readRequest({ body }: HttpRequest): Promise<MessageShape<typeof CreateAccessTokenRequestSchema>> {
  const slices: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const slice of body) {
    sizeBytes += slice.byteLength;
    if (sizeBytes > BODY_MAX_BYTES) throw invalid(`the body has at most ${BODY_MAX_BYTES} bytes`);
    slices.push(slice);
  }
  const bytes = new Uint8Array(sizeBytes);
  let position = 0;
  for (const slice of slices) {
    bytes.set(slice, position);
    position += slice.byteLength;
  }
  try {
    return fromJsonString(CreateAccessTokenRequestSchema, new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw invalid("the body is JSON with bucket, prefix, role and expiresInMs", cause);
  }
}

const invalid = (message: string, cause?: unknown): AshlarError =>
  new AshlarError("INVALID_ARGUMENT", message, { cause });
