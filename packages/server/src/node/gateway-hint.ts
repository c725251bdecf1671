import { AshlarError } from "@ashlar/sdk/errors";
import { GATEWAY_PATHS, GATEWAY_SERVICES } from "../http/gateway-paths.ts";
import type { HttpHandler } from "../http/http-handler.ts";
import { problemResponse } from "../http/problem.ts";
import type { HttpRoute } from "../http/router.ts";

const MESSAGE = "this is a storage node, which knows chunks only: ask a gateway";

/** Tells a caller that takes a storage node for a gateway, in the protocol of its request. */
const handler: HttpHandler = async (request) => {
  const type = request.header.get("content-type") ?? "";
  if (type.startsWith("application/grpc")) {
    // An answer of trailers only: the trailers go as headers.
    const header = new Headers({ "content-type": type, "grpc-status": "12", "grpc-message": MESSAGE });
    return { status: 200, header };
  }
  const error = new AshlarError("UNSUPPORTED", MESSAGE);
  if (!request.path.startsWith("/ashlar."))
    return problemResponse(error, { requestId: request.requestId, status: 404 });
  const header = new Headers({ "content-type": "application/json", "ashlar-error-code": error.code });
  const body = JSON.stringify({ code: "unimplemented", message: MESSAGE });
  return { status: 501, header, body: new TextEncoder().encode(body) };
};

/** Paths that only gateways serve. */
export const gatewayHintRoutes: readonly HttpRoute[] = [
  ...GATEWAY_PATHS,
  ...Object.values(GATEWAY_SERVICES).map(({ typeName }) => `/${typeName}/`),
].map((path) => ({ path, name: "not-here", handler }));
