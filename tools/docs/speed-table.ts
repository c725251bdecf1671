import type { BenchmarkResults, RowResult } from "../../bench/src/results.ts";
import { markdownTable } from "./markdown.ts";

/** The servers that the app's bytes pass, in the words of the page. */
const SERVERS: Readonly<Record<RowResult["servers"], string>> = {
  none: "none",
  one: "one server",
  cluster: "cluster, three copies",
};

/** Throughput of large objects by seat and transport, from the latest benchmark; a note if there is none, or only a quick one. */
export function speedTable(results: BenchmarkResults | undefined): string {
  if (results === undefined || results.quick) return "Not measured yet: `npm run bench`.";
  const rows = results.rows.flatMap(({ seat, transport, servers, durability, phases: { putBulk, getBulk } }) =>
    putBulk === undefined || getBulk === undefined
      ? []
      : [[seat, transport ?? "–", SERVERS[servers], durability, rate(putBulk), rate(getBulk)]],
  );
  const { machine, startedAt } = results;
  return `MB/s (10^6 bytes) with objects of 64 MiB, everything on one machine: ${machine.cpu}, ${machine.cores} cores, on ${startedAt.slice(0, 10)}. Read them as ratios.

${markdownTable([["seat", "transport", "servers", "durability", "put", "get"], ...rows])}`;
}

const rate = ({ sizeBytes, elapsedMs }: { readonly sizeBytes: number; readonly elapsedMs: number }): string =>
  (sizeBytes / elapsedMs / 1000).toFixed(0);
