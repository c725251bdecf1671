import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { examineStore, type StoreProblem } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { formatCount } from "../../observability/format.ts";
import { type MetadataPlace, openMetadata } from "../servers/open-metadata.ts";
import type { Finding } from "./finding.ts";

/** At most this many problems are listed; the others are only counted. */
const LISTED_MAX = 100;
/** Time between two lines of progress. */
const PROGRESS_MS = 10_000;

/** What {@link findRowProblems} takes. */
export interface RowExamination {
  readonly place: MetadataPlace;
  readonly signal: AbortSignal;
  /** Called from time to time with the progress. */
  readonly onProgress: (text: string) => void;
  /** Whether the caller reads the chunks itself, so that nobody has to be told how. Default false. */
  readonly readsChunks?: boolean | undefined;
}

/**
 * Walks over all rows of the metadata, and in a folder looks for every chunk that they name. Finds nothing if the database cannot be opened: the
 * caller has reported that before, with `examineMetadata`.
 */
export async function findRowProblems({
  place,
  signal,
  onProgress,
  readsChunks = false,
}: RowExamination): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  let moreCount = 0;
  // Apart, so that many of them do not hide what is lost.
  const atRisk: Finding[] = [];
  let moreAtRisk = 0;
  let shownAtMs = performance.now();
  const opened = await openMetadata(place).catch(() => undefined);
  if (opened === undefined) return [];
  await using metadata = opened;
  // The chunks of a cluster are on its nodes, also where its metadata is in a folder.
  const isCluster = await metadata.metadata.clusterSnapshot({ signal }).then(
    ({ layouts }) => layouts.length > 0,
    () => false,
  );
  const chunks =
    !isCluster && place.databaseUrl === undefined && place.path !== undefined
      ? await openFsChunkStore({ path: place.path })
      : undefined;
  try {
    await examineStore({
      ...{ metadata: metadata.metadata, chunks, countsCopies: isCluster, signal },
      onProblem: (problem) => {
        if (problem.copies === "at risk") {
          if (atRisk.length < LISTED_MAX) atRisk.push(rowFinding(problem));
          else moreAtRisk++;
        } else if (findings.length < LISTED_MAX) findings.push(rowFinding(problem));
        else moreCount++;
      },
      onProgress: ({ stage, count }) => {
        if (performance.now() - shownAtMs < PROGRESS_MS) return;
        shownAtMs = performance.now();
        onProgress(`examining ${stage}: ${count} so far`);
      },
    });
  } catch (thrown) {
    const { message } = AshlarError.from(thrown);
    if (signal.aborted) throw thrown;
    findings.push({ level: "broken", what: `the examination could not continue: ${message}` });
  } finally {
    await chunks?.close();
  }
  findings.push(...atRisk);
  if (moreAtRisk > 0)
    findings.push({ level: "warning", what: `and ${formatCount(moreAtRisk, "more object")} at risk` });
  if (moreCount > 0) findings.push({ level: "broken", what: `and ${formatCount(moreCount, "more problem")}` });
  if (chunks === undefined && !readsChunks) {
    const what =
      "copies were counted by the metadata; the nodes were not asked: read every copy with: ashlar fsck --chunks, or for each node run: ashlar fsck --path <data folder>";
    findings.push({ level: "note", what });
  }
  return findings;
}

/** A finding about an object. */
export function rowFinding({ what, bucket, key, lacksChunks, copies }: StoreProblem): Finding {
  const name = bucket === undefined || key === undefined ? "" : `${bucket}/${key}: `;
  if (copies !== undefined) return { ...HURT[copies], what: `${name}${copies}: ${what}` };
  return { level: "broken", what: `${name}${what}`, ...(lacksChunks ? LOST_CHUNKS : WRONG_ROWS) };
}

const HURT: Readonly<Record<NonNullable<StoreProblem["copies"]>, Omit<Finding, "what">>> = {
  lost: {
    level: "broken",
    why: "no node has these bytes any more, as far as the metadata knows",
    action:
      "bring back a disk that was lost, start the node over it, and wait for repair; or put the object again, or delete it",
  },
  unreachable: {
    level: "broken",
    why: "it cannot be read until one of the nodes that have its chunks is back",
    action: "start the nodes that are away; see which: ashlar health",
  },
  "at risk": {
    level: "warning",
    why: "if the node with the only copy is lost, the object is lost",
    action: "start nodes that are away, and let repair restore the copies; see how far it is: ashlar health",
  },
};

const LOST_CHUNKS = {
  why: "a file in the chunks folder is lost or unreadable, while the metadata is right: an older database would not bring it back",
  action:
    "put the object again if you have its content, or put the chunk's file back from a backup; see what ashlar health --path says about the disk",
};
const WRONG_ROWS = {
  why: "the metadata is not what was written; nothing is deleted because of it",
  action: "put the object again if you have its content; if many are damaged, restore the database from a backup",
};
