import { AshlarError } from "@ashlar/sdk/errors";
import type { HttpHandler, HttpRequest, HttpResponse } from "../../http/http-handler.ts";
import { problemResponse } from "../../http/problem.ts";
import { trustCaller } from "../../http/request-context.ts";
import type { Operation } from "../auth/access-table.ts";
import { type Authenticator, callerOf, type Principal } from "../auth/authenticator.ts";
import { assertTouchesInScope } from "../auth/check-scope.ts";
import type { Touched } from "../auth/scope-table.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { createBucket, deleteBucket, headBucket, listBuckets, listObjects, listQuery } from "./buckets.ts";
import { type ObjectPath, parseObjectPath } from "./object-path.ts";
import { getObject, headObject } from "./read-object.ts";
import { COPY_SOURCE_HEADER, copyObject, copySource, deleteObject, putObject } from "./write-object.ts";

/** A route: the operation that it stands for in the access table, what it touches of the store, and its handler. */
interface Route {
  readonly operation: Operation;
  /** Compared with the scope of an access token; whoever runs the route touches nothing else. */
  readonly touches: (request: HttpRequest) => readonly Touched[];
  readonly run: (context: GatewayContext, request: HttpRequest, principal: Principal) => Promise<HttpResponse>;
}

type Routes = Readonly<Record<string, Route>>;

/**
 * Plain HTTP for whole objects, as docs/wire-protocol.md describes it. Answers paths for which `isObjectPath` holds.
 *
 * Who may do it is decided before a byte of the body is read.
 */
export function createObjectRoutes(context: GatewayContext, authenticator: Authenticator): HttpHandler {
  return async (request) => {
    const path = parseObjectPath(request.path);
    const routes = routesOf(path);
    const isCopy = request.method === "PUT" && path.kind === "object" && request.header.has(COPY_SOURCE_HEADER);
    const route = isCopy ? routes.COPY : Object.hasOwn(routes, request.method) ? routes[request.method] : undefined;
    if (route === undefined || request.method === "COPY") return notAllowed(request, routes);
    const principal = await authenticator.authorize(request.header.get("authorization"), route.operation);
    trustCaller(request, callerOf(principal));
    await assertTouchesInScope(context, principal.scope, route.touches(request), request.signal);
    return await route.run(context, request, principal);
  };
}

function routesOf(path: ObjectPath): Routes {
  switch (path.kind) {
    case "service":
      return { GET: { operation: "listBuckets", touches: () => [], run: listBuckets } };
    case "bucket":
      return bucketRoutes(path.bucket);
    case "object":
      return objectRoutes(path);
  }
}

function bucketRoutes(bucket: string): Routes {
  const touches = (): readonly Touched[] => [{ kind: "bucket", bucket }];
  const list = ({ query }: HttpRequest): readonly Touched[] => [
    { kind: "prefix", bucket, prefix: listQuery(bucket, query).prefix ?? "" },
  ];
  return {
    GET: { operation: "listObjects", touches: list, run: (context, request) => listObjects(context, bucket, request) },
    HEAD: { operation: "headBucket", touches, run: (context, request) => headBucket(context, bucket, request) },
    PUT: { operation: "createBucket", touches, run: (context, ...rest) => createBucket(context, bucket, ...rest) },
    DELETE: { operation: "deleteBucket", touches, run: (context, ...rest) => deleteBucket(context, bucket, ...rest) },
  };
}

function objectRoutes({ bucket, key }: { readonly bucket: string; readonly key: string }): Routes {
  const name = { bucket, key };
  const touches = (): readonly Touched[] => [{ kind: "object", ...name }];
  const both = (request: HttpRequest): readonly Touched[] => {
    const { sourceBucket, sourceKey } = copySource(request);
    return [{ kind: "object", bucket: sourceBucket, key: sourceKey }, ...touches()];
  };
  return {
    GET: { operation: "getObject", touches, run: (context, request) => getObject(context, name, request) },
    HEAD: { operation: "headObject", touches, run: (context, request) => headObject(context, name, request) },
    PUT: { operation: "putObject", touches, run: (context, ...rest) => putObject(context, name, ...rest) },
    COPY: { operation: "copyObject", touches: both, run: (context, ...rest) => copyObject(context, name, ...rest) },
    DELETE: { operation: "deleteObject", touches, run: (context, ...rest) => deleteObject(context, name, ...rest) },
  };
}

function notAllowed(request: HttpRequest, routes: Routes): HttpResponse {
  const allow = Object.keys(routes)
    .filter((method) => method !== "COPY")
    .join(", ");
  const error = new AshlarError("UNSUPPORTED", `${request.method} is not allowed here`, { details: { allow } });
  return problemResponse(error, { requestId: request.requestId, status: 405, header: { allow } });
}
