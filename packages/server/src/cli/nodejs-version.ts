/** First release of Node that runs the program; `engines` of the package says the same. */
export const NODEJS_MIN = { major: 22, minor: 20 } as const;

/** Why this Node is too old; `undefined` if it is not. Imports nothing, because it runs before any other import. @param version such as `22.20.1`. */
export function nodejsProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > NODEJS_MIN.major || (major === NODEJS_MIN.major && minor >= NODEJS_MIN.minor)) return undefined;
  return `needs Node ${NODEJS_MIN.major}.${NODEJS_MIN.minor} or later, this is ${version}`;
}
