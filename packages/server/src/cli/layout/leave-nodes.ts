import { AshlarError } from "@ashlar/sdk/errors";
import { type Layout, type LayoutChange, systemClock } from "@ashlar/sdk/ports";
import type { CommandCall } from "../command.ts";
import { askRedundancy, type Redundancy } from "../health/redundancy.ts";
import type { CLUSTER_SETTINGS, OpenedCluster } from "../open-client.ts";
import { createStatusLine } from "../progress.ts";
import { stoppedWaiting, waitUntilUnplaced } from "./follow-layout.ts";
import { shortageWarnings } from "./layout-risks.ts";
import { layoutsPlacingOn } from "./layouts-in-use.ts";

type LeaveCall = CommandCall<(typeof CLUSTER_SETTINGS)[number] | "noWait" | "quiet">;

/** What {@link leaveNodes} takes. */
export interface LeaveOptions {
  readonly call: LeaveCall;
  readonly cluster: OpenedCluster;
  /** The nodes whose copies move to others. */
  readonly nodeIds: readonly string[];
  /** Absent: the newest layout places nothing on them already. */
  readonly change: LayoutChange | undefined;
}

/** What became of it. */
export interface LeaveResult {
  /** The newest one. */
  readonly layout: Layout;
  /** Whether no layout in use places chunks on the nodes any more. */
  readonly isDone: boolean;
  /** Copies that are missing elsewhere in the end, as far as a gateway tells: one of them may be on these nodes. */
  readonly missingCount: number;
}

/** Asks the gateway that the settings name; one is named for most commands, and a database tells nothing of this. */
export async function askFigures(
  { gateway }: { readonly gateway?: string | undefined },
  signal: AbortSignal,
): Promise<Redundancy> {
  return gateway === undefined ? {} : await askRedundancy(gateway, signal);
}

/** Changes the layout so that nodes take no more chunks, and waits until their copies are elsewhere, unless `--no-wait` says not to. */
export async function leaveNodes({ call, cluster, nodeIds, change }: LeaveOptions): Promise<LeaveResult> {
  const { settings, signal, io, output } = call;
  const { registry } = cluster;
  if (change !== undefined) {
    const layout = await registry.changeLayout(change, { signal }).catch((thrown: unknown) => {
      if (!signal.aborted) throw thrown;
      const message = "interrupted while the layout was changed: `ashlar layout show` says whether it was";
      throw new AshlarError("CANCELED", message, { cause: thrown });
    });
    for (const warning of shortageWarnings(layout)) output.note(`warning: ${warning}`);
  }
  const { layouts } = await registry.clusterSnapshot({ signal }).catch((thrown: unknown) => {
    throw signal.aborted ? stoppedWaiting(nodeIds, thrown) : thrown;
  });
  const [newest] = layouts;
  if (newest === undefined) throw new TypeError("a layout that was changed is gone");
  const mustWait = layoutsPlacingOn(layouts, nodeIds).length > 0;
  if (!mustWait || settings.noWait) return { layout: newest, isDone: !mustWait, missingCount: 0 };
  const shown = !output.json && !settings.quiet;
  if (shown) output.note(`layout ${newest.layoutVersion} is in use; ${WAITS}`);
  const snapshot = await waitUntilUnplaced({
    ...{ registry, nodeIds, signal, clock: systemClock },
    askFigures: (ask) => askFigures(settings, ask),
    status: createStatusLine(io.stderr, { shown }),
  });
  const { repairs } = await askFigures(settings, signal);
  const missingCount = repairs === undefined || repairs.kind === "moving" ? 0 : repairs.count;
  return { layout: snapshot.layouts[0] ?? newest, isDone: true, missingCount };
}

const WAITS = "copies are moving, which may take long; Ctrl-C ends only the waiting";
