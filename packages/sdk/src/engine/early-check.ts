import { AshlarError } from "../errors/index.ts";
import type { CallOptions, PutObjectRequest } from "../ports/index.ts";
import type { EngineContext } from "./engine-context.ts";

/**
 * Refuses a write while its first chunks move, where it can be known that the commit would refuse it: no such bucket, a condition that does not
 * hold. The commit decides all of it again; this only spares the rest of the transfer. Lists and dates are left to the commit, and to the gateway, which
 * takes them: every page would load what judges them.
 *
 * Where tickets are needed, the bucket has been checked by whoever issued the ticket.
 *
 * @throws {AshlarError} BUCKET_NOT_FOUND, PRECONDITION_FAILED.
 */
export async function checkEarly(context: EngineContext, request: PutObjectRequest, call: CallOptions): Promise<void> {
  const { bucket, key, condition } = request;
  if (condition !== undefined) {
    const current = await context.catalog.getObject({ bucket, key, chunkLimit: 0 }, call);
    const etag = current?.info.etag;
    const { ifMatch, ifNoneMatch } = condition;
    const holds = (wanted: string): boolean => etag !== undefined && (wanted === "*" || wanted === etag);
    if ((ifMatch === undefined || holds(ifMatch)) && (ifNoneMatch === undefined || !holds(ifNoneMatch))) return;
    throw new AshlarError("PRECONDITION_FAILED", "the current version does not meet the condition", {
      details: etag === undefined ? {} : { etag },
    });
  }
  if (context.tickets !== undefined) return;
  const found = await context.catalog.getBucket(bucket, call);
  if (found === undefined) throw new AshlarError("BUCKET_NOT_FOUND", `no bucket ${bucket}`, { details: { bucket } });
}
