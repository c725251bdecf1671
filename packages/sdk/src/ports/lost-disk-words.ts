import type { LostDiskKind } from "./nodes.ts";

/** What happened to the folder of a node, as a phrase: nodes, registries and the command line say it alike. */
export function lostDiskWords(kind: LostDiskKind): string {
  if (kind === "emptied") return "its folder has no chunks any more";
  if (kind === "replaced") return "it runs over a new folder without chunks";
  return "it runs over another folder than before (a wrong mount, or the disk of another time)";
}
