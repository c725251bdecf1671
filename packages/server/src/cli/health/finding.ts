/** One thing that was looked at. `broken`: something does not work; `warning`: it will not for long; `note`: worth knowing. */
export interface Finding {
  readonly level: "ok" | "note" | "warning" | "broken";
  readonly what: string;
  /** Why it matters. */
  readonly why?: string | undefined;
  /** What to do about it, with the command to run where there is one. */
  readonly action?: string | undefined;
}

/** Below this share of free space a disk is worth a warning, below the other it is as good as full. */
const FREE_WARNING = 0.1;
const FREE_BROKEN = 0.01;

/** @returns what a disk is like; nothing where its size is not known. */
export function diskFinding(
  name: string,
  disk: { readonly bytesFree?: number | undefined; readonly bytesTotal?: number | undefined },
  describe: (bytes: number) => string,
): Finding | undefined {
  const { bytesFree, bytesTotal } = disk;
  if (bytesFree === undefined || bytesTotal === undefined || bytesTotal === 0) return undefined;
  const share = bytesFree / bytesTotal;
  const what = `${name}: ${describe(bytesFree)} of ${describe(bytesTotal)} free`;
  if (share >= FREE_WARNING) return { level: "ok", what };
  return {
    level: share < FREE_BROKEN ? "broken" : "warning",
    what,
    why: "below 16 MiB it takes no more chunks; writes then fail when too few of their servers have room",
    action:
      "delete objects, enlarge the disk, or add a storage node and lower this one's weight: ashlar layout --weights <id>=0.5",
  };
}
