import { createClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { formatDuration } from "../../observability/format.ts";
import { type CommandCall, defineCommand } from "../command.ts";
import { assertStoreThere } from "../servers/open-metadata.ts";

const SETTINGS = ["path", "graceMs", "claimTtlMs", "json", "debug"] as const;

export const collectCommand = defineCommand({
  name: "collect",
  summary: "free the space of what nothing names any more, in a local folder; servers do it by themselves",
  arguments: [],
  settings: SETTINGS,
  examples: ["collect --path .ashlar"],
  async run({ settings, program, signal, output }: CommandCall<(typeof SETTINGS)[number]>) {
    const { path, graceMs, claimTtlMs } = settings;
    if (path === undefined)
      throw new AshlarError("INVALID_ARGUMENT", "name the folder of the store with --path <folder>");
    assertStoreThere(path);
    const { embedded } = await import("@ashlar/adapters/embedded");
    await using client = createClient(embedded({ path, collectGraceMs: graceMs, claimTtlMs }));
    const report = await client.collect({ signal });
    const { manifestsDropped, uploadsAborted, chunksDeleted, orphansDeleted } = report;
    const waiting = report.chunksKept + report.orphansKept;
    // For those that a deleted object named the grace has begun anew.
    const remedy = `${program} collect --claim-ttl 0s${report.chunksKept > 0 ? " --grace 0s" : ""}`;
    const why =
      waiting > 0 && claimTtlMs > 0
        ? `, because an upload may need them for ${formatDuration(claimTtlMs)} after it stored them; while nothing uses the store, free them with: ${remedy}`
        : "";
    await output.result(
      report,
      `freed ${chunksDeleted + orphansDeleted} chunks of ${manifestsDropped} deleted versions and ${uploadsAborted} unfinished uploads; ${waiting} wait${why}`,
    );
    if (report.storesRefusing > 0) {
      throw new AshlarError(
        "METADATA_CORRUPT",
        "nothing was freed: the metadata is an older state than the one that the chunks were kept for. Restore the right database, or accept this one with: ashlar fsck --accept-database",
      );
    }
    if (report.damagesFound > 0) {
      throw new AshlarError(
        "METADATA_CORRUPT",
        `the metadata contradicts itself in ${report.damagesFound} places; what they are about was kept. See which objects are hurt with: ashlar fsck`,
      );
    }
    return 0;
  },
});
