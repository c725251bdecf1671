/** Reads figures without labels by name. @returns `undefined` for one that the server does not have. */
export type Figures = (name: string) => number | undefined;

/** Reads a server's `/metrics`. Needs no credentials. @throws what fetch throws if it does not answer. */
export async function readFigures(url: string, signal: AbortSignal): Promise<Figures> {
  const response = await fetch(`${url}/metrics`, { signal });
  // On a port of its own, which others may not reach.
  if (!response.ok) throw new Error(`no figures: status ${response.status}`);
  const lines = (await response.text()).split("\n").map((line) => line.split(" "));
  return (name) => {
    const value = lines.find(([found]) => found === name)?.[1];
    return value === undefined ? undefined : Number(value);
  };
}
