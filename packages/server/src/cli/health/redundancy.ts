import { readFigures } from "./ask-server.ts";
import { type CountedCopies, copiesLine, copiesOf } from "./copies.ts";
import { repairsLine, repairsOf, type WaitingRepairs } from "./repairs.ts";

/** How safe the chunks of a cluster are: the last count of their copies, and what repair has still to do. */
export interface Redundancy {
  readonly copies?: CountedCopies | undefined;
  readonly repairs?: WaitingRepairs | undefined;
}

const ANSWER_MS = 4000;

/** Asks a gateway. What it does not tell is left out. */
export async function askRedundancy(url: string, signal: AbortSignal): Promise<Redundancy> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  const figure = await readFigures(url, limit).catch(() => undefined);
  return { copies: copiesOf(figure), repairs: repairsOf(figure) };
}

/** A line for each thing that is known. */
export function redundancyLines({ copies, repairs }: Redundancy, nowMs: number): readonly string[] {
  return [
    ...(copies === undefined ? [] : [copiesLine(copies, nowMs)]),
    ...(repairs === undefined ? [] : [repairsLine(repairs)]),
  ];
}
