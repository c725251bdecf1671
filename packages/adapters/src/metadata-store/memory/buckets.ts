import type { BucketCatalog } from "@ashlar/sdk/ports";
import { bucketExists, bucketNotEmpty, UPLOADS_COUNTED_MAX } from "../../internal/metadata/not-found.ts";
import { createBucketRow, type MemoryState, requireBucket } from "./state.ts";

export function memoryBuckets(state: MemoryState): BucketCatalog {
  return {
    async createBucket(bucket) {
      if (state.buckets.has(bucket)) throw bucketExists(bucket);
      const row = createBucketRow(state.clock.nowMs());
      state.buckets.set(bucket, row);
      return { bucket, createdAtMs: row.createdAtMs };
    },
    async getBucket(bucket) {
      const row = state.buckets.get(bucket);
      return row === undefined ? undefined : { bucket, createdAtMs: row.createdAtMs };
    },
    async listBuckets() {
      const names = [...state.buckets.keys()].sort((a, b) => (a < b ? -1 : 1));
      return names.map((bucket) => ({ bucket, createdAtMs: state.buckets.get(bucket)?.createdAtMs ?? 0 }));
    },
    async deleteBucket(bucket) {
      const row = requireBucket(state, bucket);
      const uploads = [...state.uploads.values()].filter((upload) => upload.info.bucket === bucket);
      const uploadCount = Math.min(uploads.length, UPLOADS_COUNTED_MAX);
      const hasObjects = row.objects.size > 0;
      if (hasObjects || uploadCount > 0) throw bucketNotEmpty(bucket, { hasObjects, uploadCount });
      state.buckets.delete(bucket);
    },
  };
}
