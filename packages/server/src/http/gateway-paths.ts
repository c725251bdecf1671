import { ClusterService, CredentialService, ObjectService } from "@ashlar/sdk/rpc";

// Here because both use it: a gateway answers these, a storage node, which never imports a gateway, tells callers that only gateways do.

/** First segment of every path of the object API over plain HTTP. */
export const OBJECTS_ROOT = "/objects";

/** Plain HTTP paths that only gateways serve, as those of an `HttpRoute`. */
export const GATEWAY_PATHS = Object.freeze([OBJECTS_ROOT, `${OBJECTS_ROOT}/`, "/access-tokens"] as const);

/** RPC services that only gateways serve. */
export const GATEWAY_SERVICES: {
  readonly objects: typeof ObjectService;
  readonly cluster: typeof ClusterService;
  readonly credentials: typeof CredentialService;
} = Object.freeze({
  objects: ObjectService,
  cluster: ClusterService,
  credentials: CredentialService,
});
