import { parseArgs } from "node:util";
import { runNemesis } from "./run-nemesis.ts";

// `npm run nemesis -- [--minutes N | --seconds N] [--seed N] [--logs folder]`: clients and faults against a cluster of its own, and what is left of it.

const { values } = parseArgs({
  options: {
    seed: {
      type: "string",
      default: process.env.ASHLAR_NEMESIS_SEED ?? String(Math.floor(Date.now() / 1000) % 1_000_000),
    },
    minutes: { type: "string", default: "1" },
    seconds: { type: "string" },
    logs: { type: "string" },
  },
});
const seed = Number(values.seed);
const seconds = values.seconds === undefined ? Number(values.minutes) * 60 : Number(values.seconds);
const say = (line: string): void => void process.stdout.write(`${line}\n`);
say(`seed ${seed}`);
const { problems, figures } = await runNemesis({ seed, seconds, say, logs: values.logs });
say(figures);
for (const problem of problems) say(problem);
process.exit(problems.length === 0 ? 0 : 1);
