import { openFsChunkStore } from "@ashlar/adapters/chunk-store/fs";
import { AshlarError } from "@ashlar/sdk/errors";
import { holdsStore } from "../existing-store.ts";
import { formatBytes, formatCount } from "../format.ts";
import { openMetadata } from "../servers/open-metadata.ts";
import { diskFinding, type Finding } from "./finding.ts";

/** What is wrong with the folder of an embedded store. Makes nothing where there is none. */
export async function findFolderProblems(path: string, signal: AbortSignal): Promise<readonly Finding[]> {
  if (!holdsStore(path)) {
    return [
      {
        level: "broken",
        what: `${path} holds no store`,
        action: "is this the right folder? the first write makes one",
      },
    ];
  }
  return [
    ...(await examine("metadata", () => pingMetadata(path, signal))),
    ...(await examine("chunks", () => countChunks(path, signal))),
  ];
}

async function examine(name: string, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (thrown) {
    const { message } = AshlarError.from(thrown);
    return [
      {
        level: "broken",
        what: `${name}: ${message}`,
        action: "see the cause with --debug; restore it from a backup if it is damaged",
      },
    ];
  }
}

async function pingMetadata(path: string, signal: AbortSignal): Promise<readonly Finding[]> {
  await using opened = await openMetadata({ path });
  await opened.metadata.ping({ signal });
  const buckets = await opened.metadata.listBuckets({ signal });
  return [{ level: "ok", what: `metadata: ${formatCount(buckets.length, "bucket")}` }];
}

async function countChunks(path: string, signal: AbortSignal): Promise<readonly Finding[]> {
  const store = await openFsChunkStore({ path });
  try {
    const stats = await store.stats({ signal });
    const disk = diskFinding("disk", stats, formatBytes);
    const chunks: Finding = {
      level: "ok",
      what: `${formatCount(stats.chunkCount, "chunk")}, ${formatBytes(stats.bytesUsed)}`,
    };
    return disk === undefined ? [chunks] : [chunks, disk];
  } finally {
    await store.close();
  }
}
