import { AshlarError } from "@ashlar/sdk/errors";
import type { HttpHandler, HttpRequest, HttpResponse } from "../../http/http-handler.ts";
import { problemResponse } from "../../http/problem.ts";
import type { Operation } from "../auth/access-table.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { createBucket, deleteBucket, headBucket, listBuckets, listObjects } from "./buckets.ts";
import { type ObjectPath, parseObjectPath } from "./object-path.ts";
import { getObject, headObject } from "./read-object.ts";
import { COPY_SOURCE_HEADER, copyObject, deleteObject, putObject } from "./write-object.ts";

/** A route: the operation that it stands for in the access table, and its handler. */
interface Route {
  readonly operation: Operation;
  readonly run: (context: GatewayContext, request: HttpRequest) => Promise<HttpResponse>;
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
    await authenticator.authorize(request.header.get("authorization"), route.operation);
    return await route.run(context, request);
  };
}

function routesOf(path: ObjectPath): Routes {
  switch (path.kind) {
    case "service":
      return { GET: { operation: "listBuckets", run: listBuckets } };
    case "bucket":
      return bucketRoutes(path.bucket);
    case "object":
      return objectRoutes(path);
  }
}

function bucketRoutes(bucket: string): Routes {
  return {
    GET: { operation: "listObjects", run: (context, request) => listObjects(context, bucket, request) },
    HEAD: { operation: "headBucket", run: (context, request) => headBucket(context, bucket, request) },
    PUT: { operation: "createBucket", run: (context, request) => createBucket(context, bucket, request) },
    DELETE: { operation: "deleteBucket", run: (context, request) => deleteBucket(context, bucket, request) },
  };
}

function objectRoutes({ bucket, key }: { readonly bucket: string; readonly key: string }): Routes {
  const name = { bucket, key };
  return {
    GET: { operation: "getObject", run: (context, request) => getObject(context, name, request) },
    HEAD: { operation: "headObject", run: (context, request) => headObject(context, name, request) },
    PUT: { operation: "putObject", run: (context, request) => putObject(context, name, request) },
    COPY: { operation: "copyObject", run: (context, request) => copyObject(context, name, request) },
    DELETE: { operation: "deleteObject", run: (context, request) => deleteObject(context, name, request) },
  };
}

function notAllowed(request: HttpRequest, routes: Routes): HttpResponse {
  const allow = Object.keys(routes)
    .filter((method) => method !== "COPY")
    .join(", ");
  const error = new AshlarError("UNSUPPORTED", `${request.method} is not allowed here`, { details: { allow } });
  return problemResponse(error, { requestId: request.requestId, status: 405, header: { allow } });
}
