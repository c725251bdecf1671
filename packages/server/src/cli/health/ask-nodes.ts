import { checkedUrl, type NodeRecord } from "@ashlar/sdk/ports";
import { APART, askReadiness, type NoAnswer, type ReadyAnswer } from "./ask-server.ts";
import { checkFinding, clockFinding, type Finding } from "./finding.ts";

const ANSWER_MS = 4000;

/** What each node that was asked says now, by node id. */
export type NodeAnswers = ReadonlyMap<string, ReadyAnswer | NoAnswer>;

/**
 * Asks all nodes that the registry counts as up how they are, all at once. Needs no credentials. A node that has its health on a separate port gives
 * no answer: its last heartbeat counts.
 */
export async function askNodes(nodes: readonly NodeRecord[], signal: AbortSignal): Promise<NodeAnswers> {
  const up = nodes.filter((node) => node.state === "up" && isUsable(node));
  const answers = await Promise.all(
    up.map(
      async ({ nodeId, url }): Promise<readonly [string, ReadyAnswer | NoAnswer]> => [
        nodeId,
        await askReadiness(url, { signal, limitMs: ANSWER_MS }),
      ],
    ),
  );
  return new Map(answers.filter(([, answer]) => answer !== APART));
}

/** Whether transports can open its URL; a row of an earlier release may hold a URL that they refuse. */
export function isUsable({ url }: Pick<NodeRecord, "url">): boolean {
  try {
    checkedUrl(url);
    return true;
  } catch {
    return false;
  }
}

/** Finds nodes whose clocks differ from this machine's. */
export function findClockProblems(answers: NodeAnswers, nowMs: number): readonly Finding[] {
  return [...answers].flatMap(([nodeId, answer]) =>
    "reason" in answer ? [] : clockFinding(nodeId, answer.dateMs, nowMs),
  );
}

/** What is wrong with a node by its own answer, in one finding; `undefined` if nothing is. */
export function answerFinding({ nodeId, url }: NodeRecord, answer: ReadyAnswer | NoAnswer): Finding | undefined {
  if ("reason" in answer) return noAnswerFinding({ nodeId, url }, answer);
  const bad = Object.entries(answer.checks)
    .map(([name, state]) => ({ ...checkFinding(name, state), name, state }))
    .filter(({ level }) => level !== "ok");
  const worst = bad.find(({ level }) => level === "broken") ?? bad[0];
  if (worst === undefined) return undefined;
  const states = bad.map(({ name, state }) => `${name}: ${state}`).join(", ");
  return { level: worst.level, what: `${nodeId} runs, but ${states}`, why: worst.why, action: worst.action };
}

function noAnswerFinding(
  { nodeId, url }: Pick<NodeRecord, "nodeId" | "url">,
  { reason, isRefused, action }: NoAnswer,
): Finding {
  const what = `${nodeId} does not answer at ${url}: ${reason}`;
  if (isRefused) {
    return {
      level: "broken",
      what,
      why: "nothing listens there, so it does not run; the cluster counts it as down after half a minute without heartbeats",
      action: `start it again; if it is lost for good: ashlar layout --remove ${nodeId}`,
    };
  }
  return {
    level: "warning",
    what,
    why: "its machine died less than half a minute ago, or gateways reach it and this machine does not; then direct clients on this machine cannot write to it",
    action:
      action ??
      "see whether it runs; if it does, set PUBLIC_URL to an address that every client reaches, and open the firewall",
  };
}
