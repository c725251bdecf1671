import { formatCount } from "../../observability/format.ts";
import type { Figures } from "./ask-server.ts";
import type { Finding } from "./finding.ts";

/** Chunks that do not follow the newest layout yet, as a gateway saw them in its last round of background work. */
export interface MovingChunks {
  /** Those that waited after its last pass; 0 if another gateway moves them, or before the first pass. */
  readonly chunkCount: number;
  /** The newest layout and the older ones that are in use. */
  readonly layoutCount: number;
}

/** Reads them from a gateway's metrics. @returns `undefined` if every chunk follows the newest layout, or the server does not tell. */
export function movesOf(figure: Figures | undefined): MovingChunks | undefined {
  const layoutCount = figure?.("ashlar_layouts_in_use") ?? 0;
  const chunkCount = figure?.("ashlar_chunks_behind_layout") ?? 0;
  return layoutCount > 1 ? { chunkCount, layoutCount } : undefined;
}

/** One line. */
export function movesLine({ chunkCount, layoutCount }: MovingChunks): string {
  if (chunkCount > 0)
    return `${formatCount(chunkCount, "chunk")} ${chunkCount === 1 ? "is" : "are"} behind the newest layout: copies are moving to where it wants them`;
  return `${formatCount(layoutCount, "layout")} are in use: copies are moving to where the newest one wants them`;
}

/** What it means that chunks are behind: nothing is wrong. */
export function movesFindings(moves: MovingChunks | undefined): readonly Finding[] {
  if (moves === undefined) return [];
  return [
    {
      level: "note",
      what: movesLine(moves),
      why: "chunks that are behind have all their copies where the older layout placed them, and are read there",
      action: "keep the nodes of the older layouts running until nothing is behind: ashlar layout show",
    },
  ];
}
