import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { examineStore, type StoreProblem } from "@ashlar/sdk/engine";
import { AshlarError } from "@ashlar/sdk/errors";
import { formatCount } from "../../observability/format.ts";
import { type MetadataPlace, openMetadata } from "../servers/open-metadata.ts";
import type { Finding } from "./finding.ts";

/** Problems that are told one by one; the rest is a number. */
const TOLD_MAX = 100;
/** Between two lines about how far it is. */
const PROGRESS_MS = 10_000;

/** What {@link findRowProblems} takes. */
export interface RowExamination {
  readonly place: MetadataPlace;
  readonly signal: AbortSignal;
  /** Told from time to time how far it is. */
  readonly onProgress: (text: string) => void;
}

/**
 * Walks over all rows of the metadata, and in a folder looks for every chunk that they name. A database that cannot be opened is told by whoever
 * opened it before.
 */
export async function findRowProblems({ place, signal, onProgress }: RowExamination): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  let moreCount = 0;
  let toldAtMs = performance.now();
  const opened = await openMetadata(place).catch(() => undefined);
  if (opened === undefined) return [];
  await using metadata = opened;
  const chunks =
    place.databaseUrl === undefined && place.path !== undefined
      ? await openFsChunkStore({ path: place.path })
      : undefined;
  try {
    await examineStore({
      ...{ metadata: metadata.metadata, chunks, signal },
      onProblem: (problem) => {
        if (findings.length < TOLD_MAX) findings.push(rowFinding(problem));
        else moreCount++;
      },
      onProgress: ({ stage, count }) => {
        if (performance.now() - toldAtMs < PROGRESS_MS) return;
        toldAtMs = performance.now();
        onProgress(`examining ${stage}: ${count} so far`);
      },
    });
  } catch (thrown) {
    const { message } = AshlarError.from(thrown);
    if (signal.aborted) throw thrown;
    findings.push({ level: "broken", what: `the examination could not go on: ${message}` });
  } finally {
    await chunks?.close();
  }
  if (moreCount > 0) findings.push({ level: "broken", what: `and ${formatCount(moreCount, "more problem")}` });
  if (chunks === undefined) {
    const what = "chunks were not looked for: they are on the nodes, whose disks ashlar fsck --path <folder> examines";
    findings.push({ level: "note", what });
  }
  return findings;
}

function rowFinding({ what, bucket, key, lacksChunks }: StoreProblem): Finding {
  const name = bucket === undefined || key === undefined ? "" : `${bucket}/${key}: `;
  return { level: "broken", what: `${name}${what}`, ...(lacksChunks ? LOST_CHUNKS : WRONG_ROWS) };
}

const LOST_CHUNKS = {
  why: "a file below chunks is lost or unreadable, while the metadata is right: an older database would not bring it back",
  action:
    "put the object again if its content is at hand, or put the chunk's file back from a backup; see what ashlar health --path says of the disk",
};
const WRONG_ROWS = {
  why: "the metadata is not what was written; nothing is deleted on its word",
  action: "put the object again if its content is at hand; restore the database from a backup if it is more than a few",
};
