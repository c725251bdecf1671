import type { BenchmarkResults, RowResult } from "../results.ts";
import { labelOf, rateOf, show, showShare, throughputOf } from "./figures.ts";

/** One promise about speed, held against the results. */
export interface TargetVerdict {
  readonly target: string;
  readonly measured: string;
  /** `undefined` where the rows for it did not run. */
  readonly met: boolean | undefined;
}

/** All targets, in the order in which they are shown. */
export function judgeTargets(results: BenchmarkResults): readonly TargetVerdict[] {
  const { limits } = results;
  const row = (id: string): RowResult | undefined => results.rows.find((each) => each.id === id);
  const [strict, one] = [row("embedded/strict"), row("one/gateway/undici")];
  const putOf = (id: string): number | undefined => throughputOf(row(id), "putBulk");
  return [
    slowest("one", results),
    slowest("cluster", results),
    share("http to one server, put: 60 % of bare HTTP + SHA-256", 0.6, {
      part: throughputOf(one, "putBulk"),
      whole: limits.httpSha256PutMegabytesPerSecond,
    }),
    share("http to one server, get: 60 % of bare HTTP + SHA-256", 0.6, {
      part: throughputOf(one, "getBulk"),
      whole: limits.httpSha256GetMegabytesPerSecond,
    }),
    share("embedded strict put: 90 % of what the disk takes with fdatasync", 0.9, {
      part: throughputOf(strict, "putBulk"),
      whole: limits.diskMegabytesPerSecond,
    }),
    share("direct put to six nodes, three copies: 30 % of one server's", 0.3, {
      part: putOf("cluster/direct/undici"),
      whole: putOf("one/gateway/undici"),
    }),
    share("put through a gateway to six nodes, three copies: 30 % of one server's", 0.3, {
      part: putOf("cluster/gateway/undici"),
      whole: putOf("one/gateway/undici"),
    }),
    rate("embedded strict puts of 4 KiB, 64 at once: 10,000/s", 10_000, rateOf(strict, "putSmall")),
    stall("event loop during them: no stall of 10 ms", 10, strict?.phases.putSmall?.loopMaxMs),
    rate(
      "gets of 4 KiB from a gateway on one core: 3,000/s",
      3000,
      rateOf(row("one/gateway/undici/one-core"), "getSmall"),
    ),
  ];
}

const TRANSPORT_MEGABYTES_PER_SECOND = 100;

/** Every transport has to reach it both ways; the slowest tells. */
function slowest(servers: "one" | "cluster", { rows }: BenchmarkResults): TargetVerdict {
  const ways = rows
    .filter((row) => row.servers === servers && row.durability === "os")
    .flatMap((row) =>
      (["putBulk", "getBulk"] as const).flatMap((phase) => {
        const speed = throughputOf(row, phase);
        return speed === undefined ? [] : [{ speed, name: `${labelOf(row)}, ${phase === "putBulk" ? "put" : "get"}` }];
      }),
    )
    .sort((a, b) => a.speed - b.speed);
  const where = servers === "one" ? "to one server" : "to six nodes, three copies";
  const target = `every transport ${where}: ${TRANSPORT_MEGABYTES_PER_SECOND} MB/s both ways`;
  const [last] = ways;
  if (last === undefined) return { target, measured: "-", met: undefined };
  return {
    target,
    measured: `slowest ${show(last.speed)} MB/s (${last.name})`,
    met: last.speed >= TRANSPORT_MEGABYTES_PER_SECOND,
  };
}

function share(
  target: string,
  least: number,
  { part, whole }: { readonly part: number | undefined; readonly whole: number | undefined },
): TargetVerdict {
  if (part === undefined || whole === undefined) return { target, measured: "-", met: undefined };
  const measured = `${showShare(part / whole)} (${show(part)} of ${show(whole)} MB/s)`;
  return { target, measured, met: part / whole >= least };
}

function rate(target: string, least: number, perSecond: number | undefined): TargetVerdict {
  if (perSecond === undefined) return { target, measured: "-", met: undefined };
  return { target, measured: `${show(perSecond)}/s`, met: perSecond >= least };
}

function stall(target: string, limitMs: number, longestMs: number | undefined): TargetVerdict {
  if (longestMs === undefined) return { target, measured: "-", met: undefined };
  return { target, measured: `longest ${show(longestMs)} ms`, met: longestMs < limitMs };
}
