import { LIMITS } from "@ashlar/sdk/limits";
import type { ObjectService } from "@ashlar/sdk/rpc";
import { HTTP_LIMITS } from "../../http/bounds/http-limits.ts";
import { GATEWAY_SERVICES } from "../../http/gateway-paths.ts";
import type { RpcOptionSource, RpcOptions, RpcRoutes } from "../../http/rpc/rpc-handlers.ts";
import { authGate } from "../auth/auth-gate.ts";
import type { GatewayContext } from "../gateway-context.ts";
import type { GatewayOperations } from "../operations/index.ts";
import { createClusterService } from "./cluster-service.ts";
import { createCredentialService } from "./credential-service.ts";
import { WRITE_OBJECT_MAX_BYTES } from "./message-limits.ts";
import { createObjectService } from "./object-service.ts";

/**
 * The RPCs of a gateway, without those of its chunk API.
 *
 * Each is authorized at its gate; its operation holds it to the scope of the caller's credentials. Control messages are validated by the rules of the
 * proto files. Messages that carry bytes or long chunk lists are checked by the code that handles them.
 */
export function gatewayRpcRoutes(operations: GatewayOperations, context: GatewayContext): RpcRoutes {
  const gate = authGate(operations.authenticate);
  const objects = createObjectService(operations, context);
  const cluster = createClusterService(operations, context);
  const credentials = createCredentialService(operations);
  return (router, options) => {
    const bulk = bulkOptions(options, context.limits.chunkMaxBytes, gate);
    const own: typeof bulk = { ...bulk, createAccessToken: strict(options.control(gate)) };
    for (const method of GATEWAY_SERVICES.objects.methods) {
      const name = method.localName as keyof typeof objects;
      // The service is complete by its type; TypeScript cannot pair a method with its handler over a union.
      router.rpc(method, objects[name] as never, own[name] ?? options.control(gate));
    }
    router.service(GATEWAY_SERVICES.cluster, cluster, options.control(gate));
    router.service(GATEWAY_SERVICES.credentials, credentials, strict(options.control(gate)));
  };
}

/** A misspelt field name, such as that of prefix or role, must not give a token that may do more. */
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
    putObject: options.bulk(LIMITS.FRAME_MAX_BYTES, gate, LIMITS.CHUNK_DEFAULT_BYTES),
    writeObject: options.bulk(WRITE_OBJECT_MAX_BYTES, gate),
    writePart: options.bulk(chunkMaxBytes, gate),
    commitWrite: options.lists(HTTP_LIMITS.COMMIT_MESSAGE_MAX_BYTES.value, gate),
    commitPart: options.lists(HTTP_LIMITS.COMMIT_MESSAGE_MAX_BYTES.value, gate),
    completeUpload: options.lists(HTTP_LIMITS.COMPLETE_MESSAGE_MAX_BYTES.value, gate),
    deleteObjects: options.control(gate, HTTP_LIMITS.DELETE_MESSAGE_MAX_BYTES.value),
  };
}
