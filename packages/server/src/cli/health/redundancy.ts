import { type Figures, readFigures } from "./ask-server.ts";
import { type CountedCopies, copiesFindings, copiesLine, copiesOf, countTimeOf } from "./copies.ts";
import type { Finding } from "./finding.ts";
import type { Losses } from "./losses.ts";
import { type MovingChunks, movesFindings, movesLine, movesOf } from "./moves.ts";
import { repairFindings, repairsLine, repairsOf, type WaitingRepairs } from "./repairs.ts";
import { expectedEndOf, workTimeOf } from "./work-times.ts";

/** How safe the chunks of a cluster are: the last count of their copies, what repair has still to do, and what moves after a change of the layout. */
export interface Redundancy {
  readonly copies?: CountedCopies | undefined;
  /** When they were counted, also if there were none. */
  readonly countedAtMs?: number | undefined;
  readonly repairs?: WaitingRepairs | undefined;
  readonly moves?: MovingChunks | undefined;
  /** When a gateway counted repairs and moves, also if there were none. */
  readonly workCountedAtMs?: number | undefined;
  /** When nothing of both will be left, at the rate of the last minutes. */
  readonly expectedEndAtMs?: number | undefined;
}

const ANSWER_MS = 4000;

/** Asks a gateway. What it does not tell is left out. */
export async function askRedundancy(url: string, signal: AbortSignal): Promise<Redundancy> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  return redundancyOf(await readFigures(url, limit).catch(() => undefined));
}

/** Reads them from a gateway's metrics. */
export function redundancyOf(figure: Figures | undefined): Redundancy {
  return {
    ...{
      copies: copiesOf(figure),
      countedAtMs: countTimeOf(figure),
      repairs: repairsOf(figure),
      moves: movesOf(figure),
    },
    ...{ workCountedAtMs: workTimeOf(figure), expectedEndAtMs: expectedEndOf(figure) },
  };
}

/** The figures as `--json` shows them, each with when it was counted, in ms since the Unix epoch. */
export function redundancyJson({ copies, repairs, moves, ...times }: Redundancy): object {
  return {
    chunksByCopies: copies?.byCopies,
    chunksCountedAtMs: times.countedAtMs,
    repairs,
    moves,
    workCountedAtMs: times.workCountedAtMs,
    expectedEndAtMs: times.expectedEndAtMs,
  };
}

/** A line for each thing that is known. */
export function redundancyLines({ copies, repairs, moves }: Redundancy, nowMs: number): readonly string[] {
  return [
    ...(copies === undefined ? [] : [copiesLine(copies, nowMs)]),
    ...(moves === undefined ? [] : [movesLine(moves, nowMs)]),
    ...(repairs === undefined ? [] : [repairsLine(repairs, nowMs)]),
  ];
}

/** What the figures mean. @param losses what the registry says now; default: nobody could ask it, or nothing is lost. */
export function redundancyFindings(
  { copies, repairs, moves }: Redundancy,
  nowMs: number,
  losses?: Losses | undefined,
): readonly Finding[] {
  return [
    ...movesFindings(moves, nowMs, losses),
    ...repairFindings(repairs, nowMs, losses),
    ...copiesFindings(copies, nowMs, losses),
  ];
}
