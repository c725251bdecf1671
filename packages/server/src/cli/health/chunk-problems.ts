import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { nodeCryptoHasher } from "@ashlar/adapters/hash/node-crypto";
import {
  type ChunksExamined,
  createClusterTopology,
  examineChunks,
  type StoreProblem,
  singleStoreTopology,
  type Topology,
} from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { bytesEqual, encodeHex } from "@ashlar/sdk/hash";
import { LIMITS } from "@ashlar/sdk/limits";
import { type MetadataStore, silentLogger, systemClock, systemRandom } from "@ashlar/sdk/ports";
import { clusterAuthorization, createGrantKeeper } from "../../grants/index.ts";
import { createPacer } from "../../maintenance/index.ts";
import { formatBytes, formatCount } from "../../observability/format.ts";
import { openTransport } from "../open-client.ts";
import { type ClusterKeySources, readClusterKey } from "../servers/cluster-key.ts";
import { holdsStore, type MetadataPlace, openMetadata } from "../servers/open-metadata.ts";
import type { Finding } from "./finding.ts";
import { rowFinding } from "./row-problems.ts";

/** At most this many objects or files are listed; the others are only counted. */
const LISTED_MAX = 100;

/** What {@link findChunkProblems} takes. */
export interface ChunkExamination {
  readonly place: MetadataPlace;
  /** The key of a cluster; an embedded folder needs none. */
  readonly keys: ClusterKeySources;
  /** Most bytes that are read in a second; default: no limit. */
  readonly rate: number | undefined;
  /** Whether bad copies of a cluster are queued for repair. */
  readonly queuesRepairs: boolean;
  readonly signal: AbortSignal;
  /** Called often with the progress. */
  readonly onProgress: (text: string) => void;
}

/** What an examination of chunks found. */
export interface ChunkFindings {
  readonly findings: readonly Finding[];
  /** False if copies were not read, because their nodes did not answer: they may be anything. */
  readonly isComplete: boolean;
}

/** Reads every copy of every chunk, and compares it with its digest. Finds nothing if the database cannot be opened: the caller has reported that. */
export async function findChunkProblems(examination: ChunkExamination): Promise<ChunkFindings> {
  const { place, signal, rate, onProgress, queuesRepairs } = examination;
  if (place.databaseUrl === undefined && place.path !== undefined && !holdsStore(place.path)) {
    return { findings: await readNodeFolder(place.path, examination), isComplete: true };
  }
  const opened = await openMetadata(place).catch(() => undefined);
  if (opened === undefined) return { findings: [], isComplete: false };
  await using held = opened;
  const { metadata } = held;
  const { layouts } = await metadata.clusterSnapshot({ signal });
  const isCluster = layouts.length > 0;
  if (queuesRepairs && !isCluster) {
    throw new AshlarError(
      "INVALID_ARGUMENT",
      "--repair is for clusters: in a folder each chunk has one copy. Put the same content again, or restore it from a backup",
    );
  }
  await using source = isCluster ? await clusterSource(examination, metadata) : await folderSource(place);
  const objects = createListing();
  try {
    const found = await examineChunks({
      ...{ metadata, topology: source.topology, hasher: nodeCryptoHasher, queuesRepairs, signal },
      pace: pacing(rate, signal),
      onProblem: (problem) => objects.add(problem),
      onProgress: ({ copiesRead, bytesRead, orphanCount }) =>
        onProgress(
          `read ${formatCount(copiesRead, "copy", "copies")} of chunks, ${formatBytes(bytesRead)}; ${formatCount(orphanCount, "file")} without a row`,
        ),
    });
    return {
      findings: [...copyFindings(found, { isCluster, queuesRepairs }), ...objects.findings(isCluster)],
      isComplete: found.nodesAway.length === 0,
    };
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    const { message } = AshlarError.from(thrown);
    const stopped: Finding = { level: "broken", what: `the chunks could not all be read: ${message}` };
    return { findings: [...objects.findings(isCluster), stopped], isComplete: false };
  }
}

function pacing(rate: number | undefined, signal: AbortSignal): ((sizeBytes: number) => Promise<void>) | undefined {
  if (rate === undefined) return undefined;
  const pacer = createPacer({ clock: systemClock, repairBytesPerSecond: rate });
  return (sizeBytes) => pacer.take("all", sizeBytes, signal);
}

interface ChunkSource extends AsyncDisposable {
  readonly topology: Topology;
}

async function folderSource({ path = "" }: MetadataPlace): Promise<ChunkSource> {
  const topology = singleStoreTopology(await openFsChunkStore({ path, chunkMaxBytes: LIMITS.CHUNK_MAX_BYTES }));
  return { topology, [Symbol.asyncDispose]: () => topology.close() };
}

/** All nodes, as a gateway reaches them. */
async function clusterSource({ keys }: ChunkExamination, metadata: MetadataStore): Promise<ChunkSource> {
  const clusterKey = await readClusterKey(keys, silentLogger);
  const clock = systemClock;
  const grants = clusterKey === undefined ? undefined : createGrantKeeper({ clusterKey, clock, random: systemRandom });
  const transport = await openTransport("undici");
  const authorization = grants && clusterAuthorization(grants, clock);
  const topology = createClusterTopology({ registry: metadata, transport, authorization, clock, logger: silentLogger });
  return {
    topology,
    async [Symbol.asyncDispose]() {
      await topology.close();
      await transport.close();
    },
  };
}

interface Listing {
  add(problem: StoreProblem): void;
  findings(isCluster: boolean): readonly Finding[];
}

/** What is lost is listed first, and apart from what is only at risk. */
function createListing(): Listing {
  const kinds: Readonly<Record<"broken" | "warning", { listed: StoreProblem[]; count: number }>> = {
    broken: { listed: [], count: 0 },
    warning: { listed: [], count: 0 },
  };
  return {
    add(problem) {
      const kind = kinds[problem.copies === "at risk" ? "warning" : "broken"];
      kind.count++;
      if (kind.listed.length < LISTED_MAX) kind.listed.push(problem);
    },
    findings: (isCluster) =>
      (["broken", "warning"] as const).flatMap((level) => {
        const { listed, count } = kinds[level];
        // In a folder the only copy is the chunk itself.
        const shown = listed.map((problem) => rowFinding(isCluster ? problem : withoutCopies(problem)));
        const moreCount = count - listed.length;
        return moreCount === 0 ? shown : [...shown, { level, what: `and ${formatCount(moreCount, "more object")}` }];
      }),
  };
}

function withoutCopies({ copies: _, ...problem }: StoreProblem): StoreProblem {
  return { ...problem, lacksChunks: true };
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1);

function copyFindings(
  found: ChunksExamined,
  { isCluster, queuesRepairs }: { readonly isCluster: boolean; readonly queuesRepairs: boolean },
): readonly Finding[] {
  const { chunkCount, copiesRead, bytesRead, copiesMissing, copiesDamaged, copiesNotAsked } = found;
  const read = isCluster ? `, ${formatCount(copiesRead, "copy", "copies")}` : "";
  const findings: Finding[] = [
    { level: "ok", what: `read ${formatCount(chunkCount, "chunk")}${read}, ${formatBytes(bytesRead)}` },
  ];
  const badCount = copiesMissing + copiesDamaged;
  if (badCount > 0) {
    const where = Object.entries(found.badCopies)
      .sort(byName)
      .map(([nodeId, count]) => `${nodeId}: ${count}`);
    findings.push({
      level: "broken",
      what: `${isCluster ? formatCount(copiesMissing, "copy", "copies") : formatCount(copiesMissing, "chunk")} missing, ${copiesDamaged} damaged${isCluster ? ` (${where.join(", ")})` : ""}`,
      why: "a node should have them and does not, or its disk changed their bytes; each makes the next loss worse",
      action: !isCluster
        ? "examine the disk; put the same content again, or restore it from a backup"
        : queuesRepairs
          ? "examine the disks; gateways restore the copies from the good ones: see how far they are with ashlar health"
          : "examine the disks; have the copies restored from the good ones with: ashlar fsck --chunks --repair",
    });
  }
  if (queuesRepairs) {
    findings.push({ level: "note", what: `${formatCount(found.repairsQueued, "copy", "copies")} queued for repair` });
  }
  if (copiesNotAsked > 0) {
    findings.push({
      level: "warning",
      what: `${formatCount(copiesNotAsked, "copy", "copies")} not read: ${found.nodesAway.join(", ")} did not answer`,
      why: "nothing is known of these copies",
      action: "start the nodes, see that CLUSTER_KEY is the cluster's, and run this again",
    });
  }
  if (found.orphanCount > 0) {
    findings.push({
      level: "note",
      what: `${formatCount(found.orphanCount, "file")} of chunks, ${formatBytes(found.orphanBytes)}, that no row knows`,
      why: "uploads that are under way or failed; the collector frees them when nothing can need them any more, after a day",
    });
  }
  return findings;
}

/** The data folder of a storage node: which files are not what their names say. */
async function readNodeFolder(
  path: string,
  { rate, signal, onProgress }: ChunkExamination,
): Promise<readonly Finding[]> {
  const store = await openFsChunkStore({ path, chunkMaxBytes: LIMITS.CHUNK_MAX_BYTES });
  const pace = pacing(rate, signal);
  const damaged: string[] = [];
  let damagedCount = 0;
  let bytesRead = 0;
  let chunkCount = 0;
  try {
    let cursor: string | undefined;
    do {
      const page = await store.listChunks({ cursor, limit: LIMITS.LIST_LIMIT_MAX, signal });
      for (const { chunkId } of page.chunks) {
        const bytes = await store.getChunk(chunkId, { signal }).catch((error: unknown) => {
          if (AshlarError.is(error, "CHUNK_CORRUPT")) return "damaged" as const;
          throw error;
        });
        if (bytes === undefined) continue; // deleted since the page was listed
        const isGood = bytes !== "damaged" && bytesEqual(await nodeCryptoHasher.digest(bytes), chunkId);
        chunkCount++;
        if (bytes !== "damaged") bytesRead += bytes.byteLength;
        if (!isGood) damagedCount++;
        if (!isGood && damaged.length < LISTED_MAX) damaged.push(encodeHex(chunkId));
        onProgress(`read ${formatCount(chunkCount, "chunk")}, ${formatBytes(bytesRead)}`);
        if (bytes !== "damaged") await pace?.(bytes.byteLength);
      }
      cursor = page.nextCursor;
    } while (cursor !== undefined);
  } finally {
    await store.close();
  }
  const findings: Finding[] = [
    { level: "ok", what: `read ${formatCount(chunkCount, "chunk")}, ${formatBytes(bytesRead)}` },
  ];
  for (const id of damaged) {
    findings.push({
      level: "broken",
      what: `chunk ${id} was damaged, and is put aside`,
      why: "bytes changed on the disk, which may be failing; the cluster reads another copy",
      action: "have the copy restored from another node with: ashlar fsck --chunks --repair",
    });
  }
  if (damagedCount > damaged.length)
    findings.push({ level: "broken", what: `and ${formatCount(damagedCount - damaged.length, "more chunk")}` });
  return findings;
}
