import { encodeBucket, type ObjectService } from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { rpcWriteOptions } from "../auth/write-options.ts";
import { createBucketWithin, requireBucket } from "../early-checks.ts";
import type { GatewayContext } from "../gateway-context.ts";

type Handlers = Pick<ServiceImpl<typeof ObjectService>, "createBucket" | "headBucket" | "listBuckets" | "deleteBucket">;

/** Buckets. */
export function bucketHandlers({ backend }: GatewayContext): Handlers {
  return {
    createBucket: async ({ bucket }, call) => ({
      bucket: encodeBucket(await createBucketWithin(backend, bucket, rpcWriteOptions(call))),
    }),
    headBucket: async ({ bucket }, { signal }) => ({
      bucket: encodeBucket(await requireBucket(backend, bucket, signal)),
    }),
    listBuckets: async (_request, { signal }) => ({
      buckets: (await backend.listBuckets({ signal })).map(encodeBucket),
    }),
    async deleteBucket({ bucket }, call) {
      await backend.deleteBucket(bucket, rpcWriteOptions(call));
      return {};
    },
  };
}
