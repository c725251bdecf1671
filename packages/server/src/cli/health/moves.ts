import { formatCount } from "../../observability/format.ts";
import type { Figures } from "./ask-server.ts";
import { ageText } from "./figure-age.ts";
import type { Finding } from "./finding.ts";
import { type Losses, movingWhy } from "./losses.ts";
import { endText, expectedEndOf, workTimeOf } from "./work-times.ts";

/** Chunks that do not follow the newest layout yet, as a gateway last counted them. */
export interface MovingChunks {
  /** 0 if it has not counted yet. */
  readonly chunkCount: number;
  /** The newest layout and the older ones that are in use. */
  readonly layoutCount: number;
  /** When it counted, in ms since the Unix epoch; `undefined` if it does not tell. */
  readonly countedAtMs?: number | undefined;
  /** When no chunk will be behind, at the rate of the last minutes; `undefined` if that is not known. */
  readonly expectedEndAtMs?: number | undefined;
}

/** Reads them from a gateway's metrics. @returns `undefined` if every chunk follows the newest layout, or the server does not tell. */
export function movesOf(figure: Figures | undefined): MovingChunks | undefined {
  const layoutCount = figure?.("ashlar_layouts_in_use") ?? 0;
  const chunkCount = figure?.("ashlar_chunks_behind_layout") ?? 0;
  if (figure === undefined || layoutCount <= 1) return undefined;
  return { chunkCount, layoutCount, ...timesOf(figure) };
}

const timesOf = (figure: Figures): Pick<MovingChunks, "countedAtMs" | "expectedEndAtMs"> => {
  const [countedAtMs, expectedEndAtMs] = [workTimeOf(figure), expectedEndOf(figure)];
  return {
    ...(countedAtMs !== undefined && { countedAtMs }),
    ...(expectedEndAtMs !== undefined && { expectedEndAtMs }),
  };
};

/** One line. */
export function movesLine(
  { chunkCount, layoutCount, countedAtMs, expectedEndAtMs }: MovingChunks,
  nowMs: number,
): string {
  if (chunkCount > 0) {
    const line = `${formatCount(chunkCount, "chunk")} ${chunkCount === 1 ? "is" : "are"} behind the newest layout: copies are moving to where it wants them`;
    return `${line}${endText(expectedEndAtMs, nowMs)}${ageText(countedAtMs, nowMs)}`;
  }
  return `${formatCount(layoutCount, "layout")} are in use: copies are moving to where the newest one wants them`;
}

/** What it means that chunks are behind: nothing is wrong with that, but copies may be missing meanwhile. */
export function movesFindings(
  moves: MovingChunks | undefined,
  nowMs: number,
  losses?: Losses | undefined,
): readonly Finding[] {
  if (moves === undefined) return [];
  return [
    {
      level: "note",
      what: movesLine(losses === undefined ? moves : { ...moves, expectedEndAtMs: undefined }, nowMs),
      why: movingWhy(losses),
      action: "keep the nodes of the older layouts running until nothing is behind: ashlar layout show",
    },
  ];
}
