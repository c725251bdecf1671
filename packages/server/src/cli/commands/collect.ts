import { createClient } from "@ashlar/sdk";
import { AshlarError } from "@ashlar/sdk/errors";
import { formatDuration } from "../../observability/format.ts";
import { type CommandCall, defineCommand } from "../command.ts";
import { assertStoreThere } from "../servers/open-metadata.ts";

const SETTINGS = ["path", "graceMs", "claimTtlMs", "json", "debug"] as const;

export const collectCommand = defineCommand({
  name: "collect",
  summary: "free the space of data that no object uses any more, in a local folder; servers do it by themselves",
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
    // For chunks of a deleted object the grace has started again.
    const remedy = `${program} collect --claim-ttl 0s${report.chunksKept > 0 ? " --grace 0s" : ""}`;
    const why =
      waiting > 0 && claimTtlMs > 0
        ? `, because an upload may need them for ${formatDuration(claimTtlMs)} after it stored them; while nothing uses the store, free them with: ${remedy}`
        : "";
    await output.result(
      report,
      `freed ${chunksDeleted + orphansDeleted} chunks of ${manifestsDropped} deleted object versions and ${uploadsAborted} unfinished uploads; ${waiting} not freed yet${why}`,
    );
    if (report.storesRefusing > 0) {
      throw new AshlarError(
        "METADATA_CORRUPT",
        "nothing was freed: the chunks were last kept for another metadata database, or for a newer state of this one. Restore the right database, or accept this one with: ashlar fsck --accept-database",
      );
    }
    if (report.damagesFound > 0) {
      throw new AshlarError(
        "METADATA_CORRUPT",
        `the metadata contradicts itself in ${report.damagesFound} places; everything that these places concern was kept. See which objects are damaged with: ashlar fsck`,
      );
    }
    return 0;
  },
});
