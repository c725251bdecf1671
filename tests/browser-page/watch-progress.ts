/** Runs in the page: notes every value that the bar of the first transfer takes, 0 to 1. */
export function watchProgress(): void {
  const seen: number[] = [];
  Object.assign(globalThis, { seen });
  const look = (): void => {
    const bar = document.querySelector<HTMLProgressElement>("#transfers li progress");
    if (bar !== null && bar.value !== seen.at(-1)) seen.push(bar.value);
    requestAnimationFrame(look);
  };
  look();
}

/** Runs in the page: what {@link watchProgress} has noted. */
export function seenProgress(): number[] {
  return (globalThis as unknown as { seen: number[] }).seen;
}
