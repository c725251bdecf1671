import { AshlarError } from "@ashlar/sdk/errors";
import { LIMITS } from "@ashlar/sdk/limits";
import { assertBucketName } from "@ashlar/sdk/ports";
import { decodeCondition, ErrorReason, type ObjectService } from "@ashlar/sdk/rpc";
import type { ServiceImpl } from "@connectrpc/connect";
import { rpcWriteOptions } from "../auth/write-options.ts";
import type { GatewayContext } from "../gateway-context.ts";

type Handlers = Pick<ServiceImpl<typeof ObjectService>, "deleteObject" | "deleteObjects">;

/** Deletes that run side by side for one call: enough to share a commit, few enough not to crowd out others. */
const DELETES_AT_ONCE = 16;

/** Deletes, one and many. */
export function deleteObjectHandlers({ backend }: GatewayContext): Handlers {
  return {
    deleteObject: async ({ bucket, key, condition }, call) => ({
      deleted: await backend.deleteObject(
        { bucket, key, condition: decodeCondition(condition) },
        rpcWriteOptions(call),
      ),
    }),
    async deleteObjects({ bucket, keys }, call) {
      const { signal } = call;
      const { operationId, credential } = rpcWriteOptions(call);
      if (keys.length === 0 || keys.length > LIMITS.DELETE_MANY_MAX.value) {
        throw new AshlarError("INVALID_ARGUMENT", `one call deletes 1 to ${LIMITS.DELETE_MANY_MAX.value} keys`);
      }
      assertBucketName(bucket);
      const deleteOne = async (key: string, index: number): Promise<DeleteOutcome> => {
        try {
          // Each key is an operation of its own.
          const write = { signal, operationId: operationId && `${operationId}.${index}`, credential };
          return { key, deleted: await backend.deleteObject({ bucket, key }, write) };
        } catch (error) {
          // Told by the deletes themselves: one that happened before has its result, even if the bucket went since.
          if (signal.aborted || AshlarError.is(error, "BUCKET_NOT_FOUND")) throw error;
          return { key, deleted: false, error: errorInfo(AshlarError.from(error)) };
        }
      };
      const outcomes: DeleteOutcome[] = [];
      for (let start = 0; start < keys.length; start += DELETES_AT_ONCE) {
        const group = keys.slice(start, start + DELETES_AT_ONCE);
        outcomes.push(...(await Promise.all(group.map((key, index) => deleteOne(key, start + index)))));
      }
      return { outcomes };
    },
  };
}

interface DeleteOutcome {
  readonly key: string;
  readonly deleted: boolean;
  readonly error?: ReturnType<typeof errorInfo>;
}

const errorInfo = ({
  code,
  details,
}: AshlarError): { readonly reason: ErrorReason; readonly details: Record<string, string> } => ({
  reason: ErrorReason[code],
  details: { ...details },
});
