import type { HttpHandler, HttpRequest, HttpResponse } from "../../http/http-handler.ts";
import { methodNotAllowed } from "../../http/method-not-allowed.ts";
import { trustCaller } from "../../http/request-context.ts";
import { callerOf } from "../auth/authenticator.ts";
import { httpCall } from "../gateway-call.ts";
import type { OperationName } from "../operations/operation.ts";
import { createBucket, deleteBucket, headBucket, listBuckets, listObjects } from "./buckets.ts";
import { type ObjectPath, parseObjectPath } from "./object-path.ts";
import type { PlainHttpGateway, PlainHttpRequest } from "./plain-http-request.ts";
import { getObject, headObject } from "./read-object.ts";
import { COPY_SOURCE_HEADER, copyObject, deleteObject, putObject } from "./write-object.ts";

/** The operation of a request, and the function that performs it and answers. */
interface Route {
  readonly operation: OperationName;
  readonly answer: (request: PlainHttpRequest) => Promise<HttpResponse>;
}

/** By method. If a method has several operations, the request decides which. */
type Routes = Readonly<Record<string, Route | ((request: HttpRequest) => Route)>>;

const PUT: Route = { operation: "putObject", answer: putObject };
const COPY: Route = { operation: "copyObject", answer: copyObject };

/** Methods on the service, on a bucket and on an object. */
const ROUTES: Readonly<Record<ObjectPath["kind"], Routes>> = Object.freeze({
  service: { GET: { operation: "listBuckets", answer: listBuckets } },
  bucket: {
    GET: { operation: "listObjects", answer: listObjects },
    HEAD: { operation: "headBucket", answer: headBucket },
    PUT: { operation: "createBucket", answer: createBucket },
    DELETE: { operation: "deleteBucket", answer: deleteBucket },
  },
  object: {
    GET: { operation: "getObject", answer: getObject },
    HEAD: { operation: "headObject", answer: headObject },
    PUT: ({ header }) => (header.has(COPY_SOURCE_HEADER) ? COPY : PUT),
    DELETE: { operation: "deleteObject", answer: deleteObject },
  },
});

/**
 * Plain HTTP for whole objects, as docs/wire-protocol.md describes it: `/objects` and every path below it.
 *
 * Whether the caller may do it is decided before a byte of the body is read.
 */
export function createObjectRoutes(gateway: PlainHttpGateway): HttpHandler {
  return async (request) => {
    const path = parseObjectPath(request.path);
    const routes = ROUTES[path.kind];
    const found = Object.hasOwn(routes, request.method) ? routes[request.method] : undefined;
    if (found === undefined) return methodNotAllowed(request, Object.keys(routes));
    const { operation, answer } = typeof found === "function" ? found(request) : found;
    const principal = await gateway.authenticate(request, operation);
    trustCaller(request, callerOf(principal));
    const call = httpCall(request, principal);
    return await answer({ gateway, request, call, bucket: "", key: "", ...path });
  };
}
