import type { LostDisk, LostDiskKind } from "@ashlar/sdk/ports";

const WORDS: Readonly<Record<LostDiskKind, string>> = Object.freeze({
  emptied: "its folder has no chunks any more",
  replaced: "it runs over a new folder without chunks",
  other: "it runs over another folder than before: a wrong mount, or the disk of another time",
});

/** What happened to the folder of a node, as a phrase. */
export function lostDiskWords(kind: LostDiskKind): string {
  return WORDS[kind];
}

/** What to do about it. */
export function lostDiskAction({ isQueued }: LostDisk): string {
  const repair = isQueued ? "repair restores its copies" : "its copies are queued for repair";
  return `if the disk was replaced, nothing: ${repair} from the other nodes. Otherwise stop the node, mount the right disk, and start it again; with --refuse-lost-disk (REFUSE_LOST_DISK) a node does not start like this`;
}
