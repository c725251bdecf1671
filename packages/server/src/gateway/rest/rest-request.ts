import { AshlarError } from "@ashlar/sdk/errors";
import type { HttpRequest } from "../../http/http-handler.ts";
import { contentLength } from "../../http/request-headers.ts";
import type { GatewayContext } from "../gateway-context.ts";
import type { GatewayOperations } from "../operations/index.ts";
import type { GatewayCall } from "../operations/operation.ts";

/** What plain HTTP works with. */
export interface RestGateway extends GatewayOperations, Pick<GatewayContext, "clock"> {}

/** A request on its way to its operation. */
export interface RestRequest {
  readonly gateway: RestGateway;
  readonly request: HttpRequest;
  readonly call: GatewayCall;
  /** Of the path; empty where it names none. */
  readonly bucket: string;
  readonly key: string;
}

/**
 * Bytes beside a copy's source, or those of a bucket, would be lost without a word.
 *
 * @param what takes no body; begins the message.
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
