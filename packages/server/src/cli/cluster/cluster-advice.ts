import { AshlarError } from "@ashlar/sdk/errors";
import { type ClusterProblem, clusterProblemOf } from "../../local-cluster/index.ts";
import type { CommandCall } from "../command.ts";
import { SETTINGS, type Setting } from "../config.ts";
import { pathFlag } from "../shown-command.ts";

interface AdviceOptions {
  /** How the program is called. */
  readonly program: string;
  /** `--path` of the cluster, where it is not the default. */
  readonly path: string;
  /** Flags of the options that the problem is about. */
  readonly flags: readonly string[];
}

/** Which flag or command solves the problem; appended to the message. */
const ADVICE: Readonly<Record<ClusterProblem, (options: AdviceOptions) => string>> = {
  OTHER_FILES: () => "; give a --path that does not exist yet, is empty, or holds a cluster",
  RUNS_ALREADY: ({ program, path }) =>
    `; see it with ${program} cluster status${path}, stop it with ${program} cluster down${path}, or take another --path`,
  FEWER_NODES: ({ program }) => `: start it without --nodes, and take nodes out with ${program} layout --remove <id>`,
  OWN_DATABASE: () => ": unset DATABASE_URL, or take another --path",
  OTHER_DATABASE: () => ": set DATABASE_URL to it again, or take another --path",
  PORT_WANTED_TWICE: ({ flags }) => `; set ${flags.join(" or ")} to another one`,
  PORT_TAKEN: ({ flags: [flag] }) =>
    `; stop that program, or take another port: ${flag} <port>, or ${flag} 0 for any free one`,
};

/** Runs a command on a cluster. Adds advice to errors about problems of clusters ({@link withAdvice}); other errors stay unchanged. */
export async function advised<Value>(
  { settings, program }: Pick<CommandCall<"clusterPath">, "settings" | "program">,
  run: () => Promise<Value>,
): Promise<Value> {
  try {
    return await run();
  } catch (error) {
    throw withAdvice(error, { program, path: pathFlag(settings.clusterPath) });
  }
}

/** Adds to an error which flags or commands solve the problem. @returns the same error if it is not about a problem of clusters. */
export function withAdvice(error: unknown, options: Omit<AdviceOptions, "flags">): unknown {
  const found = clusterProblemOf(error);
  if (found === undefined || !AshlarError.is(error)) return error;
  const flags = found.options.map(flagOf);
  const { problem: _, options: __, ...details } = error.details;
  const [setting] = flags;
  return new AshlarError(error.code, `${error.message}${ADVICE[found.problem]({ ...options, flags })}`, {
    cause: error,
    details: flags.length === 1 && setting !== undefined ? { ...details, setting } : details,
  });
}

/** The flag of a cluster option. An option has the name of its setting. */
function flagOf(option: string): string {
  const setting: Setting | undefined = Object.hasOwn(SETTINGS, option)
    ? SETTINGS[option as keyof typeof SETTINGS]
    : undefined;
  return setting?.flag?.match(/--[a-z-]+/)?.[0] ?? option;
}
