import type { Reporter, TestModule } from "vitest/node";

/** Ends the output of a run with one plain line, `12 passed, 0 failed`, for people and scripts to read. */
export default class TotalsReporter implements Reporter {
  onTestRunEnd(testModules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const testModule of testModules) {
      for (const test of testModule.children.allTests()) {
        const state = test.result().state;
        counts[state === "pending" ? "failed" : state] += 1;
      }
      // A file that does not load has no tests to count, but it is a failure.
      counts.failed += testModule.errors().length;
    }
    counts.failed += unhandledErrors.length;
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
    // On exit, so that the coverage summary cannot come after it.
    process.once("exit", () => {
      process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
      // A library may have set another exit code; this one counts.
      if (counts.failed > 0) process.exitCode = 1;
    });
  }
}
