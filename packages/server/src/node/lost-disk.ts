import type { LostDisk } from "@ashlar/sdk/ports";

/** What an operator does about a lost disk. */
export function lostDiskAction({ isQueued }: LostDisk): string {
  const repair = isQueued ? "repair restores its copies" : "its copies are queued for repair";
  return `if the disk was replaced, nothing: ${repair} from the other nodes. Otherwise stop the node, mount the right disk, and start it again; with --refuse-lost-disk (REFUSE_LOST_DISK) a node does not start like this`;
}
