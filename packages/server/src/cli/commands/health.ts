import { existsSync } from "node:fs";
import { AshlarError } from "@ashlar/sdk/errors";
import { checkedUrl, systemClock } from "@ashlar/sdk/ports";
import { visibleText } from "../../observability/control-characters.ts";
import { type CommandCall, defineCommand, optionalArgument } from "../command.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import { askNodes, findClockProblems } from "../health/ask-nodes.ts";
import { findClusterProblems } from "../health/cluster-problems.ts";
import type { Finding } from "../health/finding.ts";
import { findFolderProblems } from "../health/folder-problems.ts";
import { type Losses, lossesOf } from "../health/losses.ts";
import { type Redundancy, redundancyFindings } from "../health/redundancy.ts";
import { findServerProblems } from "../health/server-problems.ts";
import { CLUSTER_SETTINGS, openCluster, openTransport } from "../open-client.ts";
import { shellWord } from "../shown-command.ts";

const SETTINGS = [...CLUSTER_SETTINGS, "json", "debug"] as const;

type Call = CommandCall<(typeof SETTINGS)[number]>;

export const healthCommand = defineCommand({
  name: "health",
  summary:
    "show what is wrong with a gateway, a node, a cluster or a folder, and what to do; exit code 5 if anything is broken",
  arguments: [{ name: "[url]", help: "a gateway or a storage node; default: --gateway, --path or DATABASE_URL" }],
  settings: SETTINGS,
  examples: ["health http://127.0.0.1:9000", "health --path .ashlar"],
  async run(call: Call) {
    const { findings, isKeyRefused = false } = await examine(call, optionalArgument(call, 0) ?? call.settings.gateway);
    for (const finding of findings) {
      await call.output.result(finding, findingLines(finding, call.program));
    }
    if (isKeyRefused) return EXIT_CODES.DENIED.value;
    const isBroken = findings.some((finding) => finding.level === "broken");
    return isBroken ? EXIT_CODES.UNAVAILABLE.value : EXIT_CODES.OK.value;
  },
});

/** What was found, why it matters, and what to do. */
export function findingLines({ level, what, why, action }: Finding, program: string): string {
  const more = [
    ...(why === undefined ? [] : [`why: ${visibleText(why)}`]),
    ...(action === undefined ? [] : [`do:  ${visibleText(action).replaceAll(/\bashlar (?=[a-z])/g, `${program} `)}`]),
  ];
  return [`${level.padEnd(8)}${visibleText(what)}`, ...more.map((line) => `        ${line}`)].join("\n");
}

/** What was found. */
interface Examination {
  readonly findings: readonly Finding[];
  /** The cluster refused the given API key. */
  readonly isKeyRefused?: boolean;
  /** Nodes of the cluster whose copies are missing; `undefined` if there are none, or it was not examined. */
  readonly losses?: Losses | undefined;
}

async function examine(call: Call, named: string | undefined): Promise<Examination> {
  const { settings, signal } = call;
  if (named !== undefined) {
    const url = serverUrl(named);
    const transport = await openTransport(settings.transport);
    try {
      const { findings, isReady, redundancy } = await findServerProblems({ url, transport, signal });
      const nowMs = systemClock.nowMs();
      if (!isReady) return { findings: [...findings, ...redundancyFindings(redundancy ?? {}, nowMs)] };
      const { losses, ...cluster } = await examineCluster(
        { ...call, settings: { ...settings, gateway: url } },
        redundancy,
      );
      const ofCopies = redundancyFindings(redundancy ?? {}, nowMs, losses);
      return { ...cluster, findings: [...findings, ...ofCopies, ...cluster.findings] };
    } finally {
      await transport.close();
    }
  }
  if (settings.path !== undefined) return { findings: await findFolderProblems(settings.path, signal) };
  return await examineCluster(call);
}

function serverUrl(text: string): string {
  if (!/^[.~/]/.test(text) && !existsSync(text)) return checkedUrl(text);
  const hint = `for a folder: health --path ${shellWord(text)}`;
  throw new AshlarError("INVALID_ARGUMENT", `give a URL such as http://127.0.0.1:9000, not "${text}"; ${hint}`);
}

/** Examines the cluster behind a gateway, as far as the API key allows. Finds nothing for a storage node. */
async function examineCluster(call: Call, redundancy?: Redundancy): Promise<Examination> {
  const { settings, signal } = call;
  try {
    await using cluster = await openCluster(settings);
    const snapshot = await cluster.registry.clusterSnapshot({ signal });
    const answers = await askNodes(snapshot.nodes, signal);
    const nowMs = systemClock.nowMs();
    const findings = findClusterProblems(snapshot, { answers, nowMs, redundancy });
    return { findings: [...findings, ...findClockProblems(answers, nowMs)], losses: lossesOf(snapshot, answers) };
  } catch (error) {
    // A storage node does not offer this service.
    if (AshlarError.is(error, "UNSUPPORTED") || AshlarError.is(error, "OBJECT_NOT_FOUND")) return { findings: [] };
    if (AshlarError.is(error, "UNAUTHENTICATED") && settings.apiKey !== undefined) {
      return { findings: [keyRefused], isKeyRefused: true };
    }
    if (!AshlarError.is(error, "UNAUTHENTICATED") && !AshlarError.is(error, "PERMISSION_DENIED")) throw error;
    return {
      findings: [
        {
          level: "note",
          what: "the cluster was not examined",
          action: "give an API key with ASHLAR_API_KEY or --api-key",
        },
      ],
    };
  }
}

const keyRefused: Finding = {
  level: "broken",
  what: "the API key is refused: it is unknown here, was deleted, or has expired",
  why: "nothing can be done with it, and the cluster behind the gateway was not examined",
  action: "give another one with ASHLAR_API_KEY or --api-key; make one with: ashlar key create",
};
