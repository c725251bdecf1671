/** First release of Node that runs the program; `engines` of the package says the same. */
export const NODE_MIN = { major: 22, minor: 20 } as const;

/** Why this Node is too old; `undefined` if it is not. Imports nothing, because it runs before any other import. @param version such as `22.20.1`. */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > NODE_MIN.major || (major === NODE_MIN.major && minor >= NODE_MIN.minor)) return undefined;
  return `needs Node ${NODE_MIN.major}.${NODE_MIN.minor} or later, this is ${version}`;
}
