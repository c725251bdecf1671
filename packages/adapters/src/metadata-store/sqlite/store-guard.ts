import { randomUUID } from "node:crypto";
import * as nodeFs from "node:fs/promises";
import { basename, join } from "node:path";
import { AshlarError } from "@ashlar/sdk/errors";
import { type DatabaseMark, type Logger, meetDatabase, type SeenDatabase } from "@ashlar/sdk/ports";
import { readSeenDatabase, writeSeenDatabase } from "../../internal/seen-database.ts";

/** An operator's decision about a database that the folder's chunks do not belong to. */
export type TakeOver = "start-empty" | "accept";

/** What a folder knows about its database before the database is opened. */
export interface FolderView {
  readonly folder: string;
  readonly seen: SeenDatabase | undefined;
  readonly hasChunks: boolean;
  /** There was a database, so an empty one is a lost one. */
  readonly mustExist: boolean;
}

async function hasChunkFolders(folder: string): Promise<boolean> {
  const names = await nodeFs.readdir(join(folder, "chunks")).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [];
    throw error;
  });
  return names.some((name) => /^[0-9a-f]{2}$/.test(name));
}

/** The error for a database that was there and is not any more. */
export function lostDatabase(path: string): AshlarError {
  return new AshlarError(
    "METADATA_CORRUPT",
    `${basename(path)} is missing or empty, but this folder had a metadata database: without it no object can be found. Nothing was changed. ` +
      "Put the database back from a backup (with its -wal file, if there is one); only to give up all objects, start anew beside their chunks with: ashlar fsck --start-empty",
    { details: { path, problem: "missing" } },
  );
}

/**
 * Looks at a store folder before its database is opened, and makes nothing.
 *
 * @throws {AshlarError} METADATA_CORRUPT if the database was lost, STORE_INCOMPATIBLE for a damaged `database.json`.
 */
export async function viewFolder(path: string, folder: string, takeOver: TakeOver | undefined): Promise<FolderView> {
  const seen = await readSeenDatabase(nodeFs, folder);
  const hasChunks = await hasChunkFolders(folder);
  const mustExist = takeOver !== "start-empty" && (seen !== undefined || hasChunks);
  const sizeBytes = await nodeFs.stat(path).then(
    (stats) => stats.size,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return 0;
      throw error;
    },
  );
  if (mustExist && sizeBytes === 0) throw lostDatabase(path);
  if (takeOver === "start-empty" && sizeBytes > 0) {
    throw new AshlarError(
      "PRECONDITION_FAILED",
      `${path} is there: to start empty, move it and its -wal file away first (do not delete them)`,
      { details: { path } },
    );
  }
  return { folder, seen, hasChunks, mustExist };
}

/**
 * Writes down which database a folder has, after that database is synced to the disk: a crash in between leaves a database that the folder does not
 * know yet, and the next opening accepts it.
 *
 * @throws {AshlarError} METADATA_CORRUPT if the folder's chunks belong to another database.
 */
export async function rememberDatabase(
  view: FolderView,
  mark: DatabaseMark,
  context: { readonly nowMs: number; readonly logger: Logger },
): Promise<void> {
  const { folder, seen, hasChunks } = view;
  const { databaseId, epoch } = mark;
  if (seen?.databaseId === databaseId && seen.epoch > epoch && !mark.takesOver) {
    const fields = { folder, epoch, expectedEpoch: seen.epoch };
    context.logger.warn(fields, "the metadata was restored to an older state: chunks it does not know are kept");
    return;
  }
  const next = seen === undefined && !hasChunks ? { databaseId, epoch } : meetDatabase(seen, mark, context.nowMs);
  if (next !== seen) await writeSeenDatabase(nodeFs, folder, { seen: next, unique: randomUUID() });
}
