import { expect, test } from "vitest";
import { masked, readExampleReadme, runExample } from "./run-example.ts";

/** A line of a tree, and the branches below it. */
interface Branch {
  readonly line: string;
  readonly below: readonly Branch[];
}

/**
 * Lines whose branches are the same work at several nodes, and how many of the branches have to be there. Timing decides whether the last copy of a
 * put is given up, and whether a read asks a second node.
 */
const SHARED = [
  { line: /^PUT \/chunks gateway/, wholeCount: 2, branchesMax: 3 },
  { line: /^chunks\.getChunk gateway/, wholeCount: 1, branchesMax: 3 },
];

/** The tree without what differs from run to run: times, which node comes first, and whether the gateway just then read the cluster again. */
function branchesOf(text: string): readonly Branch[] {
  const root: { line: string; below: Branch[] } = { line: "", below: [] };
  const open = [{ depth: -1, branch: root }];
  for (const written of masked(text).split("\n")) {
    if (written.includes("sql.clusterSnapshot")) continue;
    const depth = written.search(/[^├└│─ ]/);
    const line = written
      .slice(Math.max(depth, 0))
      .replaceAll(/node-\d/g, "node-<n>")
      .replaceAll(/ +/g, " ");
    const branch = { line, below: [] };
    while (open.at(-1)!.depth >= depth && open.length > 1) open.pop();
    open.at(-1)!.branch.below.push(branch);
    open.push({ depth, branch });
  }
  return root.below;
}

/** The tree as text. It has the work of several nodes once, if enough of them did what the example says. */
function textOf(branches: readonly Branch[], expected: readonly Branch[], lead = ""): string {
  return branches
    .map(({ line, below }, index) => {
      const wanted = expected[index]?.below ?? [];
      const shared = SHARED.find((each) => each.line.test(line));
      const once = shared === undefined ? below : onceOf(below, wanted[0], shared);
      return `${lead}${line}\n${textOf(once, wanted, `${lead}  `)}`;
    })
    .join("");
}

function onceOf(
  branches: readonly Branch[],
  wanted: Branch | undefined,
  { wholeCount, branchesMax }: { readonly wholeCount: number; readonly branchesMax: number },
): readonly Branch[] {
  const text = JSON.stringify(wanted);
  const whole = branches.filter((branch) => JSON.stringify(branch) === text);
  const others = branches.filter((branch) => !whole.includes(branch));
  const isSameWork = others.every(
    ({ line }) => line.split(" ").slice(0, 2).join() === wanted?.line.split(" ").slice(0, 2).join(),
  );
  return whole.length >= wholeCount && branches.length <= branchesMax && isSameWork ? whole.slice(0, 1) : branches;
}

test("tracing prints the trees that its README shows", { timeout: 300_000 }, async () => {
  const { commands, outputs } = readExampleReadme("tracing");
  const { exitCode, stdout, output } = await runExample(commands[0]!).ended;
  expect(exitCode, output).toBe(0);
  const shown = branchesOf(outputs[0]!);
  expect(textOf(branchesOf(stdout), shown)).toBe(textOf(shown, shown));
});
