import { expect, test } from "vitest";
import { runNemesis } from "./run-nemesis.ts";

// A minute of what `npm run nemesis` does for as long as it is told to. Only if it is asked for: it starts ten processes, and takes minutes.

const SECONDS = 60;
/** Starting ten processes, and waiting until a cluster is whole whose gateways were killed while they restored copies, on a busy machine. */
const LIMIT_MS = 1_200_000;

test.skipIf(process.env.ASHLAR_NEMESIS === undefined && process.env.ASHLAR_NEMESIS_SEED === undefined)(
  "a cluster keeps what it acknowledged while its servers are killed, frozen, wiped, moved and damaged",
  {
    timeout: LIMIT_MS,
  },
  async () => {
    const given = process.env.ASHLAR_NEMESIS_SEED;
    const seed = given === undefined ? Math.floor(Date.now() / 1000) % 1_000_000 : Number(given);
    const lines: string[] = [`ASHLAR_NEMESIS_SEED=${seed}`];
    const { problems, figures } = await runNemesis({ seed, seconds: SECONDS, say: (line) => void lines.push(line) });
    process.stdout.write(`${figures}\n`);
    expect(problems, [...lines, figures].join("\n")).toEqual([]);
  },
);
