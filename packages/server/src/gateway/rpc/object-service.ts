import type { ObjectService } from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import type { GatewayContext } from "../gateway-context.ts";
import { accessTokenHandlers } from "./access-tokens.ts";
import { bucketHandlers } from "./buckets.ts";
import { deleteObjectHandlers } from "./delete-objects.ts";
import { directWriteHandlers } from "./direct-write.ts";
import { getObjectHandlers } from "./get-object.ts";
import { listingHandlers } from "./listing.ts";
import { locateHandlers } from "./locate.ts";
import { putObjectHandlers } from "./put-object.ts";
import { uploadHandlers } from "./uploads.ts";

/** Every RPC of ObjectService. Who may call what was decided before, by gate and interceptor. */
export function createObjectService(context: GatewayContext): ServiceImpl<typeof ObjectService> {
  return {
    ...bucketHandlers(context),
    ...putObjectHandlers(context),
    ...getObjectHandlers(context),
    ...deleteObjectHandlers(context),
    ...listingHandlers(context),
    ...uploadHandlers(context),
    ...directWriteHandlers(context),
    ...locateHandlers(context),
    ...accessTokenHandlers(context),
  };
}
