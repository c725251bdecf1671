import { join } from "node:path";
import { rebuildStoreFiles } from "@ashlar/adapters/chunk-store/fs";
import { AshlarError } from "@ashlar/sdk/errors";
import { isThere } from "../../files/file-error.ts";
import { type CommandCall, defineCommand } from "../command.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import type { ChunkFindings } from "../health/chunk-problems.ts";
import type { Finding } from "../health/finding.ts";
import { examineMetadata, findFolderProblems } from "../health/folder-problems.ts";
import { findRowProblems } from "../health/row-problems.ts";
import { createStatusLine } from "../progress.ts";
import { rebuildNodeFile } from "../servers/node-folder.ts";
import { holdsStore, type MetadataPlace, openMetadata } from "../servers/open-metadata.ts";
import { findingLines } from "./health.ts";

const SETTINGS = [
  "path",
  "databaseUrl",
  "nodeId",
  "rebuild",
  "startEmpty",
  "acceptDatabase",
  "readChunks",
  "readRate",
  "repairCopies",
  "clusterKey",
  "clusterKeyFile",
  "clusterKeyAccepted",
  "json",
  "debug",
] as const;

type Call = CommandCall<(typeof SETTINGS)[number]>;

export const fsckCommand = defineCommand({
  name: "fsck",
  summary:
    "examine a store's folder or database, and fix what can be fixed. Objects whose database is lost cannot be rebuilt: chunks do not hold their names",
  arguments: [],
  settings: SETTINGS,
  examples: ["fsck --path .ashlar", "fsck --path .ashlar --chunks --rate 50MiB", "fsck --path .ashlar --start-empty"],
  async run(call: Call) {
    if (!call.settings.readChunks && (call.settings.repairCopies || call.settings.readRate !== undefined)) {
      throw new AshlarError("INVALID_ARGUMENT", "--repair and --rate belong to --chunks");
    }
    const done = await mend(call);
    const { findings, isComplete } = await examine(call);
    for (const finding of [...done, ...findings])
      await call.output.result(finding, findingLines(finding, call.program));
    if (findings.some(({ level }) => level === "broken")) return EXIT_CODES.DAMAGED.value;
    return isComplete ? EXIT_CODES.OK.value : EXIT_CODES.UNAVAILABLE.value;
  },
});

async function examine(call: Call): Promise<ChunkFindings> {
  const { settings, signal, output } = call;
  const { path, databaseUrl, readChunks } = settings;
  const onProgress = (text: string): void => output.note(text);
  const withRows = async (found: readonly Finding[], place: MetadataPlace): Promise<ChunkFindings> => {
    const rows = await findRowProblems({ place, signal, onProgress, readsChunks: readChunks });
    const chunks = readChunks ? await chunkProblems(call, place) : { findings: [], isComplete: true };
    return { ...chunks, findings: [...found, ...rows, ...chunks.findings] };
  };
  if (databaseUrl !== undefined) return await withRows(await examineMetadata({ databaseUrl }, signal), { databaseUrl });
  const folder = requirePath(path);
  const findings = await findFolderProblems(folder, signal);
  if (holdsStore(folder)) return await withRows(findings, { path: folder });
  if (!readChunks || !isThere(join(folder, "format.json"))) return { findings, isComplete: true };
  // The folder of a storage node has no rows: its chunks are compared with their digests all the same.
  const chunks = await chunkProblems(call, { path: folder });
  return { ...chunks, findings: [...findings, ...chunks.findings] };
}

async function chunkProblems({ settings, io, output, signal }: Call, place: MetadataPlace): Promise<ChunkFindings> {
  const { findChunkProblems } = await import("../health/chunk-problems.ts");
  const line = createStatusLine(io.stderr, { shown: !output.json });
  try {
    return await findChunkProblems({
      ...{ place, signal, keys: settings, rate: settings.readRate, queuesRepairs: settings.repairCopies },
      onProgress: (text) => line.show(() => text),
    });
  } finally {
    line.end();
  }
}

function requirePath(path: string | undefined): string {
  // Throws before anything is changed if this process may not read the folder.
  if (path !== undefined) {
    isThere(join(path, "format.json"));
    return path;
  }
  throw new AshlarError("INVALID_ARGUMENT", "name the folder of the store with --path <folder>, or set DATABASE_URL");
}

async function mend({ settings }: Call): Promise<readonly Finding[]> {
  const { path, databaseUrl, nodeId, rebuild, startEmpty, acceptDatabase } = settings;
  if (startEmpty && acceptDatabase) {
    throw new AshlarError("INVALID_ARGUMENT", "choose one of --start-empty and --accept-database");
  }
  const done: Finding[] = [];
  if (rebuild) {
    const folder = requirePath(path);
    const rebuilt = [...(await rebuildStoreFiles(folder)), ...rebuildNodeFile(folder, nodeId)];
    for (const name of rebuilt)
      done.push({ level: "note", what: `${name} was written again, or will be when the store is opened` });
  }
  if (startEmpty || acceptDatabase) {
    const takeOver = startEmpty ? "start-empty" : "accept";
    if (startEmpty && databaseUrl !== undefined) {
      throw new AshlarError(
        "INVALID_ARGUMENT",
        "--start-empty is for folders; with PostgreSQL, create an empty database, then run: ashlar fsck --accept-database",
      );
    }
    await using opened = await openMetadata(
      databaseUrl === undefined ? { path: requirePath(path), takeOver } : { databaseUrl },
    );
    if (databaseUrl !== undefined) await opened.metadata.acceptDatabase({ keepOlder: true });
    const what = startEmpty ? "a new, empty database was made" : "the database was accepted";
    done.push({ level: "note", what: `${what}; chunks from before now that it does not know are kept` });
  }
  return done;
}
