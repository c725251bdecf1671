import { AshlarError } from "@ashlar/sdk/errors";
import type { HttpRequest, HttpResponse } from "./http-handler.ts";
import { problemResponse } from "./problem.ts";

/** 405 for a path that exists. */
export function methodNotAllowed(request: HttpRequest, allowed: readonly string[]): HttpResponse {
  const error = new AshlarError("UNSUPPORTED", `${request.method} is not possible here`);
  return problemResponse(error, { requestId: request.requestId, status: 405, header: { allow: allowed.join(", ") } });
}
