import { AshlarError } from "@ashlar/sdk/errors";
import { systemClock } from "@ashlar/sdk/ports";
import { type CommandCall, defineCommand, optionalArgument } from "../command.ts";
import { EXIT_CODES } from "../exit-codes.ts";
import {
  type Finding,
  findClusterProblems,
  findFolderProblems,
  findNodeProblems,
  findServerProblems,
} from "../health/index.ts";
import { CLUSTER_SETTINGS, openCluster } from "../open-cluster.ts";
import { openTransport } from "../open-transport.ts";
import { isUrl } from "../settings.ts";

const SETTINGS = [...CLUSTER_SETTINGS, "json", "debug"] as const;

type Call = CommandCall<(typeof SETTINGS)[number]>;

export const healthCommand = defineCommand({
  name: "health",
  summary:
    "what is wrong with a gateway, a node, a cluster or a folder, and what to do; exit code 5 if anything is broken",
  arguments: [{ name: "[url]", help: "a gateway or a storage node; default: --gateway, --path or DATABASE_URL" }],
  settings: SETTINGS,
  examples: ["health http://127.0.0.1:9000", "health --path .ashlar"],
  async run(call: Call) {
    const findings = await examine(call, optionalArgument(call, 0) ?? call.settings.gateway);
    for (const finding of findings) {
      await call.output.result(finding, lines(finding, call.program));
    }
    const isBroken = findings.some((finding) => finding.level === "broken");
    return isBroken ? EXIT_CODES.UNAVAILABLE.value : EXIT_CODES.OK.value;
  },
});

/** What was found, why it matters, and what to do. */
function lines({ level, what, why, action }: Finding, program: string): string {
  const more = [
    ...(why === undefined ? [] : [`why: ${why}`]),
    ...(action === undefined ? [] : [`do:  ${action.replaceAll(/\bashlar (?=[a-z])/g, `${program} `)}`]),
  ];
  return [`${level.padEnd(8)}${what}`, ...more.map((line) => `        ${line}`)].join("\n");
}

async function examine(call: Call, url: string | undefined): Promise<readonly Finding[]> {
  const { settings, signal } = call;
  if (url !== undefined) {
    if (!isUrl(url)) {
      throw new AshlarError("INVALID_ARGUMENT", `a URL such as http://127.0.0.1:9000 is wanted, not "${url}"`);
    }
    const transport = await openTransport(settings.transport);
    try {
      const findings = await findServerProblems({ url: url.replace(/\/+$/, ""), transport, signal });
      if (findings.some((finding) => finding.level === "broken")) return findings;
      return [...findings, ...(await examineCluster({ ...call, settings: { ...settings, gateway: url } }))];
    } finally {
      await transport.close();
    }
  }
  if (settings.path !== undefined) return await findFolderProblems(settings.path, signal);
  return await examineCluster(call);
}

/** The cluster behind a gateway, as far as the API key lets us see it; nothing behind a storage node. */
async function examineCluster(call: Call): Promise<readonly Finding[]> {
  try {
    await using cluster = await openCluster(call.settings);
    const snapshot = await cluster.registry.clusterSnapshot({ signal: call.signal });
    const nodes = await findNodeProblems(snapshot.servers, { signal: call.signal, nowMs: systemClock.nowMs });
    return [...findClusterProblems(snapshot), ...nodes];
  } catch (error) {
    // A storage node has no such service.
    if (AshlarError.is(error, "UNSUPPORTED") || AshlarError.is(error, "OBJECT_NOT_FOUND")) return [];
    if (!AshlarError.is(error, "UNAUTHENTICATED") && !AshlarError.is(error, "PERMISSION_DENIED")) throw error;
    return [
      {
        level: "note",
        what: "the cluster was not examined",
        action: "give an API key with ASHLAR_API_KEY or --api-key",
      },
    ];
  }
}
