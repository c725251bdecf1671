import { parseArgs } from "node:util";
import { GIB, KIB, MIB } from "@ashlar/sdk";
import type { RunSizes } from "./results.ts";

/** Options of `npm run bench`. */
export interface BenchOptions {
  /** Only the usage was asked for. */
  readonly help: boolean;
  readonly quick: boolean;
  /** Rows whose id it matches. */
  readonly only: RegExp;
  /** Whether all rows run. */
  readonly complete: boolean;
  readonly rounds: number;
  readonly sizes: RunSizes;
  readonly chunkBytes: number;
  /** Folder for the results; `undefined`: none are written. */
  readonly out: string | undefined;
  /** Folder on the disk to measure; the run makes a folder of its own in it. */
  readonly folder: string;
}

export const USAGE = `usage: npm run bench -- [options]
  --quick           small sizes, to see that every row works; writes no results
  --only <regex>    only rows whose id matches, such as '^one/' or undici; writes no results
  --rounds <count>  medians over this many rounds; default 1
  --size <MiB>      bytes put and got in large objects, and size of the one large object; default 1024
  --chunk <MiB>     size of the chunks that objects are cut into; default 4
  --out <folder>    where the results go; default bench/results for a complete run, which also draws docs/benchmarks.*
  --folder <path>   a folder on the disk to measure; default: this one`;

const OBJECT_MIB = 64;
/** Where complete runs go, and what the docs are drawn from: `latest.json` in it. */
export const RESULTS_FOLDER = "bench/results";

/** @throws {Error} for an unknown option or a value that makes no sense; the message is for the user. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: "boolean", default: false },
      quick: { type: "boolean", default: false },
      only: { type: "string" },
      rounds: { type: "string", default: "1" },
      size: { type: "string" },
      chunk: { type: "string", default: "4" },
      out: { type: "string" },
      folder: { type: "string", default: "." },
    },
  });
  const { help, quick, only } = values;
  const sizeMib = count("size", values.size ?? (quick ? String(2 * OBJECT_MIB) : "1024"));
  if (sizeMib % OBJECT_MIB !== 0) throw new Error(`--size is a multiple of ${OBJECT_MIB}`);
  const complete = only === undefined && !quick;
  return {
    help,
    quick,
    only: new RegExp(only ?? ""),
    complete,
    rounds: count("rounds", values.rounds),
    sizes: sizesOf(sizeMib, quick),
    chunkBytes: count("chunk", values.chunk) * MIB,
    out: values.out ?? (complete ? RESULTS_FOLDER : undefined),
    folder: values.folder,
  };
}

function sizesOf(sizeMib: number, quick: boolean): RunSizes {
  const sizeBytes = sizeMib * MIB;
  return {
    plan: {
      bulkBytes: sizeBytes,
      bulkObjectBytes: OBJECT_MIB * MIB,
      bulkInFlight: 4,
      singleBytes: sizeBytes,
      largeLimitMs: 10_000,
      smallCount: quick ? 2000 : 50_000,
      smallLimitMs: quick ? 1000 : 3000,
      smallBytes: 4 * KIB,
      smallInFlight: 64,
    },
    limits: { sizeBytes: Math.min(sizeBytes, GIB), smallFilesMs: quick ? 500 : 2000 },
  };
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new Error(`--${name} is a whole number from 1 on`);
}
