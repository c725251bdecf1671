/** By the system's name: what is used up, and what to set. */
const SHORTAGES: Readonly<Record<string, string>> = {
  EMFILE:
    "this process has no file descriptor left: try again in a moment, and let it have more (ulimit -n, LimitNOFILE= of systemd)",
  ENFILE: "this machine has no file descriptor left: try again in a moment, and let it have more (sysctl fs.file-max)",
};

/**
 * What to do about an error that says nothing about the file or server that was to be opened: this process or its machine has no file descriptor left.
 *
 * @returns `undefined` for any other error. Of several addresses of a name that were tried, each is looked at.
 */
export function descriptorShortage(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error instanceof AggregateError) {
    for (const one of error.errors) {
      const found = descriptorShortage(one);
      if (found !== undefined) return found;
    }
  }
  return "code" in error ? SHORTAGES[String(error.code)] : undefined;
}
