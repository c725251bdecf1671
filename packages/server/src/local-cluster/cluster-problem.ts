import { AshlarError, type ErrorCode } from "@ashlar/sdk/errors";

/**
 * Problems that prevent the start of a cluster, and that other options solve.
 *
 * `details.problem` of the error is one of them. The caller, for instance the command line, tells its user how to choose otherwise.
 */
export const CLUSTER_PROBLEMS = [
  "OTHER_FILES",
  "RUNS_ALREADY",
  "FEWER_NODES",
  "OWN_DATABASE",
  "OTHER_DATABASE",
  "PORT_WANTED_TWICE",
  "PORT_TAKEN",
] as const;

/** One of {@link CLUSTER_PROBLEMS}. */
export type ClusterProblem = (typeof CLUSTER_PROBLEMS)[number];

/** @param details `options`: names of the options that would change it, separated by commas. */
export function clusterError(
  problem: ClusterProblem,
  message: string,
  { options, code = "INVALID_ARGUMENT" }: { readonly options?: readonly string[]; readonly code?: ErrorCode } = {},
): AshlarError {
  return new AshlarError(code, message, {
    details: { problem, ...(options === undefined ? {} : { options: options.join(",") }) },
  });
}

/** The problem that an error is about, and the options that would change it; `undefined` for every other error. */
export function clusterProblemOf(
  error: unknown,
): { readonly problem: ClusterProblem; readonly options: readonly string[] } | undefined {
  if (!AshlarError.is(error)) return undefined;
  const { problem: told, options = "" } = error.details;
  const problem = CLUSTER_PROBLEMS.find((known) => known === told);
  return problem === undefined ? undefined : { problem, options: options.split(",").filter((name) => name !== "") };
}
