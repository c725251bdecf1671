import {
  decodeCopyObject,
  decodeListObjectsQuery,
  encodeObjectInfo,
  encodeObjectListPage,
  type ObjectService,
} from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { rpcWriteOptions } from "../auth/write-options.ts";
import type { GatewayContext } from "../gateway-context.ts";

type Handlers = Pick<ServiceImpl<typeof ObjectService>, "listObjects" | "copyObject">;

/** Listing and copying. */
export function listingHandlers({ backend }: GatewayContext): Handlers {
  return {
    listObjects: async (message, { signal }) =>
      encodeObjectListPage(await backend.listObjects(decodeListObjectsQuery(message), { signal })),
    copyObject: async (message, call) => ({
      info: encodeObjectInfo(await backend.copyObject(decodeCopyObject(message), rpcWriteOptions(call))),
    }),
  };
}
