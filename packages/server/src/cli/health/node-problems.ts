import type { ServerRecord } from "@ashlar/sdk/ports";
import { askReadiness } from "./ask-readiness.ts";
import { checkFinding, clockFinding } from "./check-finding.ts";
import type { Finding } from "./finding.ts";

const ANSWER_MS = 4000;

/**
 * Asks every node that the registry takes for up how it is, all at once: whether it can be reached from here, what it says of its own disk and
 * registration, and what time it has. Tells only what is wrong. Needs no credentials.
 */
export async function findNodeProblems(
  servers: readonly ServerRecord[],
  options: { readonly signal: AbortSignal; readonly nowMs: () => number },
): Promise<readonly Finding[]> {
  const up = servers.filter((server) => server.state === "up");
  const found = await Promise.all(up.map((server) => examine(server, options)));
  return found.flat();
}

async function examine(
  { serverId, url }: ServerRecord,
  { signal, nowMs }: { readonly signal: AbortSignal; readonly nowMs: () => number },
): Promise<readonly Finding[]> {
  const answer = await askReadiness(url, { signal, limitMs: ANSWER_MS });
  if (typeof answer === "string") {
    return [
      {
        level: "warning",
        what: `${serverId} does not answer at ${url}: ${answer}`,
        why: "it died less than half a minute ago, or gateways reach it and this machine does not; direct clients here then fail to write to it",
        action:
          "see whether it runs; else let PUBLIC_URL name an address that every client reaches, and open the firewall",
      },
    ];
  }
  const checks = Object.entries(answer.checks).map(([name, state]) => checkFinding(`${serverId}: ${name}`, state));
  return [...checks, ...clockFinding(serverId, answer.dateMs, nowMs())].filter(({ level }) => level !== "ok");
}
