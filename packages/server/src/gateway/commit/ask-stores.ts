import { levelOfAnswer } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { encodeHex } from "@ashlar/sdk/hash";
import type { ChunkRef, ChunkStore } from "@ashlar/sdk/ports";
import type { GatewayContext } from "../gateway-context.ts";
import type { ProvenChunk } from "./check-receipts.ts";

/**
 * Finds out which stores hold a chunk, and claims it there: how an insecure gateway checks a commit for which nobody signed receipts.
 *
 * Asks the placement under the newest layout, then those under older layouts under which the upload may have begun, each store once.
 *
 * @throws {AshlarError} CLAIM_EXPIRED if under each layout fewer stores than the write quorum hold it with this size, QUORUM_NOT_REACHED if they may
 *   hold it, but too many stores failed to answer; NODE_UNAVAILABLE.
 */
export async function askStores(
  context: GatewayContext,
  chunk: ChunkRef,
  signal: AbortSignal | undefined,
): Promise<ProvenChunk> {
  const survey = createSurvey(context, chunk, signal);
  const { layoutVersion, stores, standIns } = await context.topology.writePlacement(chunk.chunkId, { signal });
  const newest = await survey.prove(layoutVersion, stores);
  if (newest.proven !== undefined) return newest.proven;
  // An upload that spans a change of the layout has chunks of earlier ones, as with receipts.
  let mayHold = newest.mayHold;
  for await (const older of olderPlacements(context, chunk, { layoutVersion, signal })) {
    const found = await survey.prove(older.layoutVersion, older.stores);
    if (found.proven !== undefined) return found.proven;
    mayHold ||= found.mayHold;
  }
  const handedOff = await survey.proveWith(layoutVersion, stores, standIns?.() ?? []);
  if (handedOff !== undefined) return handedOff;
  const chunkId = encodeHex(chunk.chunkId);
  if (!mayHold) {
    throw new AshlarError("CLAIM_EXPIRED", "too few stores hold a chunk of the commit; upload it again", {
      details: { chunkId },
    });
  }
  const { failures } = survey;
  throw new AshlarError(
    "QUORUM_NOT_REACHED",
    `${newest.heldCount} of ${newest.quorum} stores needed say that they hold a chunk of the commit; ${failures[0]?.message}`,
    {
      cause: new AggregateError(failures),
      details: { chunkId, quorum: String(newest.quorum), codes: failures.map(({ code }) => code).join(",") },
    },
  );
}

/** What the stores of one placement said. */
interface Verdict {
  readonly proven: ProvenChunk | undefined;
  readonly heldCount: number;
  readonly quorum: number;
  /** The stores that did not answer could make up the quorum. */
  readonly mayHold: boolean;
}

interface AskedStore {
  readonly nodeId: string;
  /** Absent for a node that left. */
  readonly store: Pick<ChunkStore, "hasChunks"> | undefined;
}

/** Asks stores for one chunk, each once. */
interface Survey {
  prove(layoutVersion: number, stores: readonly AskedStore[]): Promise<Verdict>;
  /** The same with stores that may stand in for those that have no copy. */
  proveWith(
    layoutVersion: number,
    stores: readonly AskedStore[],
    standIns: readonly AskedStore[],
  ): Promise<ProvenChunk | undefined>;
  /** Of all stores that were asked. */
  readonly failures: readonly AshlarError[];
}

function createSurvey(
  { topology, logger }: GatewayContext,
  { chunkId, sizeBytes }: ChunkRef,
  signal: AbortSignal | undefined,
): Survey {
  const failures: AshlarError[] = [];
  const answers = new Map<string, Promise<"held" | "absent" | "unknown">>();
  const ask = async ({ nodeId, store }: AskedStore): Promise<"held" | "absent" | "unknown"> => {
    try {
      if (store === undefined) throw new AshlarError("NODE_UNAVAILABLE", `node ${nodeId} is not registered`);
      const [presence] = await store.hasChunks([chunkId], { claim: true, signal });
      return presence?.sizeBytes === sizeBytes ? "held" : "absent";
    } catch (error) {
      const failure = AshlarError.from(error);
      logger[levelOfAnswer(failure)]({ err: failure, nodeId }, "a store did not tell whether it holds a chunk");
      failures.push(failure);
      return "unknown";
    }
  };
  const askAll = (stores: readonly AskedStore[]): Promise<readonly Awaited<ReturnType<typeof ask>>[]> =>
    Promise.all(
      stores.map((target) => {
        const answer = answers.get(target.nodeId) ?? ask(target);
        answers.set(target.nodeId, answer);
        return answer;
      }),
    );
  return {
    failures,
    async prove(layoutVersion, stores) {
      const told = await askAll(stores);
      const quorum = topology.writeQuorum(stores.length);
      const heldCount = told.filter((answer) => answer === "held").length;
      const unknownCount = told.filter((answer) => answer === "unknown").length;
      const missedNodeIds = stores.map(({ nodeId }) => nodeId).filter((_, index) => told[index] !== "held");
      const proven = heldCount >= quorum ? { layoutVersion, missedNodeIds } : undefined;
      return { proven, heldCount, quorum, mayHold: heldCount + unknownCount >= quorum };
    },
    async proveWith(layoutVersion, stores, standIns) {
      const told = await askAll([...stores, ...standIns]);
      const holders = [...stores, ...standIns].map(({ nodeId }) => nodeId).filter((_, index) => told[index] === "held");
      if (holders.length < topology.writeQuorum(stores.length)) return undefined;
      const placed = stores.map(({ nodeId }) => nodeId);
      const missedNodeIds = placed.filter((nodeId) => !holders.includes(nodeId));
      const standInNodeIds = holders.filter((nodeId) => !placed.includes(nodeId)).slice(0, missedNodeIds.length);
      return { layoutVersion, missedNodeIds, standInNodeIds };
    },
  };
}

/** The placements of a chunk under other layouts: those in use, then those under which an upload may have begun, as for receipts. */
async function* olderPlacements(
  { layouts, topology }: GatewayContext,
  { chunkId }: ChunkRef,
  { layoutVersion: asked, signal }: { readonly layoutVersion: number; readonly signal: AbortSignal | undefined },
): AsyncGenerator<{ readonly layoutVersion: number; readonly stores: readonly AskedStore[] }> {
  if (asked === 0) return; // a single store has no layouts
  const seen = new Set([asked]);
  const stores = new Map((await topology.allStores({ signal })).map(({ nodeId, store }) => [nodeId, store]));
  const sources = [() => layouts.layoutsInUse(), () => layouts.recent(), () => layouts.recent({ fresh: true })];
  for (const source of sources) {
    for (const layout of await source()) {
      const { layoutVersion } = layout;
      if (seen.has(layoutVersion)) continue;
      seen.add(layoutVersion);
      const nodeIds = layouts.placementOf(layout).nodesOf(chunkId);
      yield { layoutVersion, stores: nodeIds.map((nodeId) => ({ nodeId, store: stores.get(nodeId) })) };
    }
  }
}
