import type { BenchmarkResults } from "../results.ts";
import { limitsTable, type Table, targetsTable, wholeTable } from "./tables.ts";

/** What a run prints: the table, the machine's limits, the targets. */
export function textReport(results: BenchmarkResults): string {
  const { machine, rounds, quick } = results;
  const heading = [
    `${machine.cpu}, ${machine.cores} cores, ${machine.kernel}, Node ${machine.node}, ${machine.fileSystem}; rounds: ${rounds}`,
    ...(quick ? ["QUICK RUN: it shows that the rows work; the figures say nothing"] : []),
  ];
  return [heading.join("\n"), ...[wholeTable, limitsTable, targetsTable].map((table) => aligned(table(results)))].join(
    "\n\n",
  );
}

/** Columns side by side: text to the left, figures to the right. */
function aligned(table: Table): string {
  const [heading = [], ...body] = table;
  const columns = heading.map((_, column) => ({
    width: Math.max(...table.map((row) => (row[column] ?? "").length)),
    isFigures: body.every((row) => /^[\d-]/.test(row[column] ?? "")),
  }));
  const cell = (text: string, column: number): string => {
    const { width = 0, isFigures = false } = columns[column] ?? {};
    return isFigures ? text.padStart(width) : text.padEnd(width);
  };
  return table.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}
