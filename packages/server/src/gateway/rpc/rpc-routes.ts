import { LIMITS } from "@ashlar/sdk/limits";
import type { Random } from "@ashlar/sdk/ports";
import { ClusterService, CredentialService, ObjectService } from "@ashlar/sdk/rpc";
import { HTTP_LIMITS } from "../../http/http-limits.ts";
import type { RpcOptionSource, RpcOptions, RpcRoutes } from "../../http/rpc-handlers.ts";
import { authGate } from "../auth/auth-gate.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import { scopeInterceptor } from "../auth/scope-interceptor.ts";
import type { GatewayContext } from "../gateway-context.ts";
import { createClusterService } from "./cluster-service.ts";
import { createCredentialService } from "./credential-service.ts";
import { WRITE_OBJECT_MAX_BYTES } from "./message-limits.ts";
import { createObjectService } from "./object-service.ts";

/**
 * The RPCs of a gateway beside those of its chunk face.
 *
 * Each is authorized at its gate, and holders of an access token are held to its scope message by message. Control messages are validated by
 * the rules of the proto files; those that carry bytes or long chunk lists check themselves.
 */
export function gatewayRpcRoutes(
  context: GatewayContext,
  authenticator: Authenticator,
  random: Pick<Random, "bytes">,
): RpcRoutes {
  const gate = authGate(authenticator);
  const objects = createObjectService(context);
  const cluster = createClusterService(context);
  const credentials = createCredentialService(context, { authenticator, random });
  const scope = scopeInterceptor(context);
  const scoped = (rpc: RpcOptions): RpcOptions => ({ ...rpc, interceptors: [...rpc.interceptors, scope] });
  return (router, options) => {
    const bulk = bulkOptions(options, context.limits.chunkMaxBytes, gate);
    const own: typeof bulk = { ...bulk, createAccessToken: strict(options.control(gate)) };
    for (const method of ObjectService.methods) {
      const name = method.localName as keyof typeof objects;
      // The service is complete by its type; TypeScript cannot pair a method with its handler over a union.
      router.rpc(method, objects[name] as never, scoped(own[name] ?? options.control(gate)));
    }
    router.service(ClusterService, cluster, scoped(options.control(gate)));
    router.service(CredentialService, credentials, scoped(strict(options.control(gate))));
  };
}

/** A prefix or role that is misspelt must not give a token that may do more. */
const strict = (rpc: RpcOptions): RpcOptions => ({
  ...rpc,
  jsonOptions: { ...rpc.jsonOptions, ignoreUnknownFields: false },
});

function bulkOptions(
  options: RpcOptionSource,
  chunkMaxBytes: number,
  gate: ReturnType<typeof authGate>,
): Readonly<Partial<Record<keyof typeof ObjectService.method, RpcOptions>>> {
  return {
    putObject: options.bulk(LIMITS.FRAME_MAX_BYTES.value, gate, LIMITS.CHUNK_DEFAULT_BYTES.value),
    writeObject: options.bulk(WRITE_OBJECT_MAX_BYTES, gate),
    writePart: options.bulk(chunkMaxBytes, gate),
    commitWrite: options.lists(HTTP_LIMITS.COMMIT_MESSAGE_MAX_BYTES.value, gate),
    commitPart: options.lists(HTTP_LIMITS.COMMIT_MESSAGE_MAX_BYTES.value, gate),
    completeUpload: options.lists(HTTP_LIMITS.COMPLETE_MESSAGE_MAX_BYTES.value, gate),
    deleteObjects: options.control(gate, HTTP_LIMITS.DELETE_MESSAGE_MAX_BYTES.value),
  };
}
