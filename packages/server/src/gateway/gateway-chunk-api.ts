import { AshlarError } from "@ashlar/sdk/errors";
import { type ChunkApi, createChunkApi, type ReceiptFacts } from "../chunk-api/index.ts";
import type { GrantKeeper } from "../grants/index.ts";
import { replicatedChunkStore } from "./cluster-chunk-store.ts";
import type { GatewayContext } from "./gateway-context.ts";
import { ownStoreOf } from "./own-chunks.ts";

/** The node id of a gateway's chunk API. A client that means a certain node learns from it that it reached no node. */
const GATEWAY_NODE_ID = "gateway";

/**
 * The chunk API of a gateway: passes chunks on to the nodes of their placement, and signs one receipt for the write quorum.
 *
 * On an insecure gateway it is as open as the rest, and gives no receipts: the commit asks the stores.
 */
export function gatewayChunkApi(
  context: GatewayContext,
  options: {
    readonly softwareVersion: string;
    readonly uptimeMs: () => number;
    readonly isStopping: () => boolean;
    readonly proofsOfPossession?: boolean | undefined;
  },
): ChunkApi {
  const { metadata, chunks, topology, hasher, limits, buffers } = context;
  const grants = context.insecure ? undefined : context.grants;
  const store = replicatedChunkStore({ metadata, chunks, topology, hasher, chunkMaxBytes: limits.chunkMaxBytes });
  return createChunkApi({
    store,
    readFrom: async (call) => (await ownStoreOf(context, call)) ?? store,
    wholeInOneCall: true,
    buffers,
    grants,
    nodeId: GATEWAY_NODE_ID,
    chunkMaxBytes: limits.chunkMaxBytes,
    status: () => (options.isStopping() ? "stopping" : "serving"),
    uptimeMs: options.uptimeMs,
    softwareVersion: options.softwareVersion,
    hasher,
    issueReceipt: grants && ((facts) => issueGatewayReceipt(grants, facts)),
    maintenance: false,
    proofsOfPossession: options.proofsOfPossession,
  });
}

async function issueGatewayReceipt(
  grants: GrantKeeper,
  { holders, notAfterMs, ...facts }: ReceiptFacts,
): Promise<string> {
  if (holders === undefined) throw new AshlarError("INTERNAL", "the store does not say which nodes hold a chunk");
  return await grants.issueGatewayReceipt({ ...facts, ...holders }, { notAfterMs });
}
