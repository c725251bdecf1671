import { visibleText } from "../../observability/control-characters.ts";
import { formatBytes, formatCount, formatRate } from "../../observability/format.ts";
import { type CommandCall, defineCommand, textArgument } from "../command.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { openEngine, SEAT_SETTINGS } from "../open-client.ts";
import { createDisplay, reportProblems } from "./backup.ts";

const SETTINGS = [
  ...SEAT_SETTINGS,
  ...["backupName", "restoreBucket", "restorePrefix", "overwrite", "concurrency", "quiet", "json", "debug"],
] as ReadonlyArray<
  | (typeof SEAT_SETTINGS)[number]
  | "backupName"
  | "restoreBucket"
  | "restorePrefix"
  | "overwrite"
  | "concurrency"
  | "quiet"
  | "json"
  | "debug"
>;

export const restoreCommand = defineCommand({
  name: "restore",
  summary:
    "bring the objects of a backup back into a store; with --path, the store is made if it is missing. What is there and differs stays, unless --overwrite",
  arguments: [{ name: "<folder>", help: "folder of the backups" }],
  settings: SETTINGS,
  examples: [
    "restore /mnt/backups --path ./restored",
    "restore /mnt/backups --bucket photos --gateway http://127.0.0.1:9000",
  ],
  async run(call: CommandCall<(typeof SETTINGS)[number]>) {
    const { chosenRecord, openBackupFolder } = await import("../backup/backup-folder.ts");
    const { openRecord } = await import("../backup/record.ts");
    const { restoreBackup } = await import("../backup/restore-backup.ts");
    const { settings, signal, output } = call;
    await using folder = await openBackupFolder(textArgument(call, 0));
    const record = await openRecord(folder.recordFile(chosenRecord(folder, settings.backupName)));
    await using target = await openEngine(settings, { makes: true });
    const display = createDisplay(call, "restore");
    try {
      const { restoreBucket: bucket, restorePrefix: prefix, overwrite, concurrency } = settings;
      const did = await restoreBackup({
        ...{ engine: target.engine, record, chunks: folder.chunks, bucket, prefix, overwrite, concurrency, signal },
        onProgress: (doneBytes, totalBytes) => display.show(doneBytes, totalBytes),
      });
      display.end();
      const { conflicts, damaged, unreadable, ...figures } = did;
      const text = [
        `${did.name}  ${formatCount(did.objectsRestored, "object")} restored, ${formatBytes(did.bytesRestored)}, ${formatRate(did.bytesRestored, display.seconds())}`,
        `${formatCount(did.objectsPresent, "object")} there already`,
        ...(did.etagsChanged === 0 ? [] : [`${formatCount(did.etagsChanged, "object")} with a new etag`]),
      ].join("; ");
      const told = { count: conflicts.count, listed: conflicts.listed };
      const hurt = { count: damaged.count, listed: damaged.listed };
      const seconds = display.seconds();
      if (output.json || !settings.quiet) {
        await output.result({ ...figures, unreadable, conflicts: told, damaged: hurt, seconds }, text);
      }
      if (unreadable > 0) {
        output.note(
          `${formatCount(unreadable, "object")} of the store that was backed up could not be read then, and ${unreadable === 1 ? "is" : "are"} not in the backup`,
        );
      }
      for (const { bucket: place, key, problem } of conflicts.listed)
        output.note(`left alone: ${visibleText(`${place}/${key}`)}: ${problem}; to replace it, give --overwrite`);
      const isHurt = reportProblems(call, damaged.listed, { count: damaged.count, what: "not restored" });
      if (isHurt !== EXIT_CODES.OK.value) return isHurt;
      return conflicts.count > 0 ? EXIT_CODES.CONFLICT.value : EXIT_CODES.OK.value;
    } finally {
      display.end();
    }
  },
});
