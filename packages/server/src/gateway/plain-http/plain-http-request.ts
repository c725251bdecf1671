import { AshlarError } from "@ashlar/sdk/errors";
import type { HttpRequest } from "../../http/http-handler.ts";
import { contentLength } from "../../http/request-headers.ts";
import type { GatewayContext } from "../gateway-context.ts";
import type { GatewayOperations } from "../operations/index.ts";
import type { GatewayCall } from "../operations/operation.ts";

/** What plain HTTP works with. */
export interface PlainHttpGateway extends GatewayOperations, Pick<GatewayContext, "clock"> {}

/** A request on its way to its operation. */
export interface PlainHttpRequest {
  readonly gateway: PlainHttpGateway;
  readonly request: HttpRequest;
  readonly call: GatewayCall;
  /** Bucket of the path; empty if the path names none. So is the key. */
  readonly bucket: string;
  readonly key: string;
}

/**
 * Refuses a body for a copy or a new bucket, because its bytes would be lost silently.
 *
 * @param what the subject of the message: what takes no body.
 * @throws {AshlarError} INVALID_ARGUMENT.
 */
export async function assertNoBody({ header, body }: HttpRequest, what: string): Promise<void> {
  let isEmpty = (contentLength(header) ?? 0) === 0;
  if (isEmpty) {
    for await (const slice of body) {
      isEmpty = slice.byteLength === 0;
      if (!isEmpty) break;
    }
  }
  if (!isEmpty) throw new AshlarError("INVALID_ARGUMENT", `${what} has no body`);
}
