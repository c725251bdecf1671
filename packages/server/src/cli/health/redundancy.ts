import { readFigures } from "./ask-server.ts";
import { type CountedCopies, copiesLine, copiesOf, countTimeOf } from "./copies.ts";
import { type MovingChunks, movesLine, movesOf } from "./moves.ts";
import { repairsLine, repairsOf, type WaitingRepairs } from "./repairs.ts";

/** How safe the chunks of a cluster are: the last count of their copies, what repair has still to do, and what moves after a change of the layout. */
export interface Redundancy {
  readonly copies?: CountedCopies | undefined;
  /** When they were counted, also if there were none. */
  readonly countedAtMs?: number | undefined;
  readonly repairs?: WaitingRepairs | undefined;
  readonly moves?: MovingChunks | undefined;
}

const ANSWER_MS = 4000;

/** Asks a gateway. What it does not tell is left out. */
export async function askRedundancy(url: string, signal: AbortSignal): Promise<Redundancy> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  const figure = await readFigures(url, limit).catch(() => undefined);
  const countedAtMs = countTimeOf(figure);
  return { copies: copiesOf(figure), countedAtMs, repairs: repairsOf(figure), moves: movesOf(figure) };
}

/** A line for each thing that is known. */
export function redundancyLines({ copies, repairs, moves }: Redundancy, nowMs: number): readonly string[] {
  return [
    ...(copies === undefined ? [] : [copiesLine(copies, nowMs)]),
    ...(moves === undefined ? [] : [movesLine(moves)]),
    ...(repairs === undefined ? [] : [repairsLine(repairs)]),
  ];
}
