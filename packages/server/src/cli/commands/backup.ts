import { AshlarError } from "@ashlar/sdk/errors";
import { visibleText } from "../../observability/control-characters.ts";
import { formatBytes, formatCount, formatRate, formatTable, formatTime } from "../../observability/format.ts";
import type { ObjectProblem } from "../backup/run-backup.ts";
import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { openEngine, SEAT_SETTINGS } from "../open-client.ts";
import { createStatusLine, progressLine } from "../progress.ts";

const FOLDER = {
  name: "<folder>",
  help: "folder of the backups; a missing or empty one is made one by the first backup",
};

const RUN_SETTINGS = [...SEAT_SETTINGS, "concurrency", "quiet", "json", "debug"] as const;

export const backupRunCommand = defineCommand({
  name: "backup run",
  summary:
    "back a whole store up into a folder, while it is in use; writes only the chunks that the folder lacks, and goes on where it was interrupted",
  isDefault: true,
  arguments: [FOLDER],
  settings: RUN_SETTINGS,
  examples: ["backup /mnt/backups --path .ashlar", "backup /mnt/backups --gateway http://127.0.0.1:9000"],
  async run(call: CommandCall<(typeof RUN_SETTINGS)[number]>) {
    const { openBackupFolder } = await import("../backup/backup-folder.ts");
    const { runBackup } = await import("../backup/run-backup.ts");
    const { settings, signal, output } = call;
    await using source = await openEngine(settings);
    await using folder = await openBackupFolder(textArgument(call, 0), { makes: true });
    const display = createDisplay(call, "backup");
    try {
      const { engine } = source;
      const { concurrency } = settings;
      const did = await runBackup({
        ...{ engine, folder, concurrency, signal, onNote: output.note },
        onProgress: ({ doneBytes, totalBytes, chunksWritten }) =>
          display.show(doneBytes, totalBytes, formatCount(chunksWritten, "new chunk")),
      });
      display.end();
      const seconds = display.seconds();
      const { problems, ...figures } = did;
      const when = did.isOneMoment
        ? `the store as it was at ${formatTime(did.fromMs)} UTC`
        : `each object as it was between ${formatTime(did.fromMs)} and ${formatTime(did.toMs)} UTC, because the store was written to all the time`;
      const text = `${did.name}  ${formatCount(did.objects, "object")}, ${formatBytes(did.bytes)}; ${formatCount(did.chunksWritten, "chunk")} written, ${formatBytes(did.bytesWritten)}, ${formatRate(did.bytesWritten, seconds)}; ${when}`;
      if (output.json || !settings.quiet) await output.result({ ...figures, problems, seconds }, text);
      return reportProblems(call, problems, { count: did.unreadable, what: "the store cannot read" });
    } finally {
      display.end();
    }
  },
});

const LIST_SETTINGS = ["json", "debug"] as const;

export const backupListCommand = defineCommand({
  name: "backup list",
  summary: "list the backups in a folder, oldest first",
  arguments: [FOLDER],
  settings: LIST_SETTINGS,
  examples: ["backup list /mnt/backups"],
  async run(call: CommandCall<(typeof LIST_SETTINGS)[number]>) {
    const { readBackupFolder } = await import("../backup/backup-folder.ts");
    const { openRecord } = await import("../backup/record.ts");
    const { output } = call;
    const folder = readBackupFolder(textArgument(call, 0));
    const rows: string[][] = [["name", "objects", "size", "unreadable", "state"]];
    let isDamaged = false;
    for (const name of folder.records()) {
      try {
        const { end, beganAtMs } = await openRecord(folder.recordFile(name));
        if (output.json) await output.result({ name, beganAtMs, ...end }, "");
        const state = end.isOneMoment ? "of one moment" : "of each object's own moment";
        rows.push([name, String(end.objects), formatBytes(end.bytes), String(end.unreadable), state]);
      } catch (thrown) {
        const error = AshlarError.from(thrown);
        if (error.code !== "METADATA_CORRUPT" && error.code !== "STORE_INCOMPATIBLE") throw error;
        isDamaged = true;
        if (output.json) await output.result({ name, problem: error.message }, "");
        rows.push([name, "-", "-", "-", "DAMAGED"]);
      }
    }
    if (!output.json && rows.length > 1) await output.result(undefined, formatTable(rows));
    return isDamaged ? EXIT_CODES.DAMAGED.value : EXIT_CODES.OK.value;
  },
});

const VERIFY_SETTINGS = ["backupName", "quiet", "json", "debug"] as const;

export const backupVerifyCommand = defineCommand({
  name: "backup verify",
  summary:
    "read every chunk of a folder of backups, and name the objects that are not whole; exit code 7 if there are any",
  arguments: [FOLDER],
  settings: VERIFY_SETTINGS,
  examples: ["backup verify /mnt/backups"],
  async run(call: CommandCall<(typeof VERIFY_SETTINGS)[number]>) {
    const { openBackupFolder } = await import("../backup/backup-folder.ts");
    const { verifyBackups } = await import("../backup/verify-backups.ts");
    const { settings, signal, output } = call;
    await using folder = await openBackupFolder(textArgument(call, 0));
    const display = createDisplay(call, "verify");
    try {
      const found = await verifyBackups({
        ...{ folder, wanted: settings.backupName, signal },
        onProgress: (doneBytes, totalBytes) => display.show(doneBytes, totalBytes),
      });
      display.end();
      const { problems, problemCount, ...figures } = found;
      const text = `${formatCount(found.backups, "backup")}, ${formatCount(found.chunks, "chunk")}, ${formatBytes(found.bytes)} read, ${formatRate(found.bytes, display.seconds())}; ${problemCount === 0 ? "all whole" : `${formatCount(problemCount, "problem")}`}`;
      if (output.json || !settings.quiet) await output.result({ ...figures, problemCount, problems }, text);
      return reportProblems(call, problems, { count: problemCount, what: "not whole" });
    } finally {
      display.end();
    }
  },
});

const PRUNE_SETTINGS = ["keepCount", "quiet", "json", "debug"] as const;

export const backupPruneCommand = defineCommand({
  name: "backup prune",
  summary: "delete all but the newest backups, and the chunks that only they name",
  arguments: [FOLDER],
  settings: PRUNE_SETTINGS,
  examples: ["backup prune /mnt/backups --keep 7"],
  async run(call: CommandCall<(typeof PRUNE_SETTINGS)[number]>) {
    const { keepCount, quiet } = call.settings;
    if (keepCount === undefined) {
      throw new AshlarError("INVALID_ARGUMENT", "say how many of the newest backups stay, with --keep <count>");
    }
    const { openBackupFolder } = await import("../backup/backup-folder.ts");
    const { pruneBackups } = await import("../backup/prune-backups.ts");
    const { signal, output } = call;
    await using folder = await openBackupFolder(textArgument(call, 0));
    const did = await pruneBackups({ folder, keepCount, signal });
    const text = `${formatCount(did.backupsDeleted, "backup")} deleted, ${formatCount(did.chunksDeleted, "chunk")} freed, ${formatBytes(did.bytesDeleted)}; ${formatCount(did.backupsKept, "backup")} kept`;
    if (output.json || !quiet) await output.result(did, text);
    return 0;
  },
});

/** Progress of a command over a folder of backups. */
export interface BackupDisplay {
  /** @param more what else to tell, such as a count. */
  show(doneBytes: number, totalBytes: number, more?: string): void;
  end(): void;
  seconds(): number;
}

export function createDisplay(
  { io, output, settings }: Pick<CommandCall<"quiet">, "io" | "output" | "settings">,
  label: string,
): BackupDisplay {
  const startedAtMs = performance.now();
  const line = createStatusLine(io.stderr, { shown: !output.json && !settings.quiet });
  const seconds = (): number => (performance.now() - startedAtMs) / 1000;
  return {
    show(transferredBytes, totalBytes, more = "") {
      const end = more === "" ? "" : `, ${more}`;
      line.show((isTerminal) => progressLine(label, { transferredBytes, totalBytes }, seconds(), isTerminal) + end);
    },
    end: line.end,
    seconds,
  };
}

/** Tells the objects that have a problem, on standard error. @returns the exit code. */
export function reportProblems(
  { output }: Pick<CommandCall<"json">, "output">,
  problems: readonly ObjectProblem[],
  { count, what }: { readonly count: number; readonly what: string },
): number {
  if (count === 0) return EXIT_CODES.OK.value;
  for (const { bucket, key, problem } of problems) {
    const name = key === "" ? bucket : `${bucket}/${key}`;
    output.note(`${what}: ${visibleText(name)}: ${visibleText(problem)}`);
  }
  const moreCount = count - problems.length;
  if (moreCount > 0) output.note(`and ${formatCount(moreCount, "more object")}`);
  return EXIT_CODES.DAMAGED.value;
}
