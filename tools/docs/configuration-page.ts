import { COMMANDS, defaultText, SETTING_GROUPS, type Setting } from "@ashlar/server/cli";
import { code, GENERATED_NOTE, markdownTable } from "./markdown.ts";

const HEADINGS: Readonly<Record<keyof typeof SETTING_GROUPS, string>> = {
  everywhere: "Every command",
  client: "Commands that use a store",
  upload: "`put`",
  listing: "`get`, `ls`, `du`, `rm`, `rb`, `uploads`",
  server: "Servers: `serve`, `gateway`, `node`",
  allInOne: "`serve`",
  storageNode: "`node`",
  localCluster: "`cluster`",
  administration: "`key`, `layout`, `collect`, `fsck`",
  backup: "`backup`, `restore`",
};

/** docs/configuration.md: the commands, and every setting with flag, variable, unit, default and reason. */
export function configurationPage(): string {
  const commands = COMMANDS.map((command) => [
    code(["ashlar", command.name, ...command.arguments.map(({ name }) => name)].join(" ")),
    command.summary,
  ]);
  const groups = Object.entries(SETTING_GROUPS).map(([group, settings]) => {
    const more = group === "localCluster" ? `\n\n${clusterText()}` : "";
    return `## ${HEADINGS[group as keyof typeof SETTING_GROUPS]}\n\n${table(settings)}${more}`;
  });
  return `${GENERATED_NOTE}

# Configuration

The command line \`ashlar\` is configured by flags and environment variables; a flag wins over its variable, an empty variable counts as not set.
Libraries never read the environment: \`createGateway\`, \`createStorageNode\` and the seats take options.

A size is written \`64KiB\`, \`4MiB\`, \`1.5GiB\`, \`2TiB\` or as a number of bytes; a duration \`500ms\`, \`30s\`, \`5m\`, \`1h\`, \`7d\`, \`1h 30m\` or as a number of
milliseconds. Messages write them in the same way. \`MB\` is refused: it means two things.

${markdownTable([["command", "what it does"], ...commands])}

\`ashlar help <command>\` lists the settings that a command takes. Exit codes: [errors](errors.md#exit-codes-of-the-command-line).

${groups.join("\n\n")}
`;
}

/** Which settings of servers `cluster up` takes, and which it refuses. */
function clusterText(): string {
  const { settings = [], refuses = {} } = COMMANDS.find(({ name }) => name === "cluster up") ?? {};
  const all: Readonly<Record<string, Setting>> = Object.assign({}, ...Object.values(SETTING_GROUPS));
  const ofServers = { ...SETTING_GROUPS.upload, ...SETTING_GROUPS.server, ...SETTING_GROUPS.storageNode };
  const passed = settings.filter((name) => name in ofServers).map((name) => all[name]);
  const rows = Object.entries(refuses).map(([name, instead]) => [code(all[name]?.env), instead ?? ""]);
  return `\`ashlar cluster up\` takes these settings of servers, as flags and as variables, and passes them on to its gateway and nodes:
${passed.map((setting) => code(setting?.flag?.match(/--[a-z-]+/)?.[0] ?? setting?.env)).join(", ")}.

Variables that make no sense for a whole cluster are refused, so that nobody believes that they work:

${markdownTable([["variable", "instead"], ...rows])}`;
}

function table(settings: Readonly<Record<string, Setting>>): string {
  const rows = Object.values(settings).map((setting) => [
    code(setting.flag),
    code(setting.env),
    unitOf(setting),
    code(defaultText(setting)),
    setting.reason,
  ]);
  return markdownTable([["flag", "variable", "value", "default", "what for"], ...rows]);
}

function unitOf({ unit, choices }: Setting): string {
  if (choices !== undefined) return choices.map((choice) => code(choice)).join(", ");
  if (unit === "bytes") return "size";
  return unit === "flag" ? "" : unit;
}
