/** Rows that are drawn before the user scrolls on: more than any screen shows. */
const ROWS_AT_ONCE = 100;
/** More rows are drawn when the end of the drawn ones is this near. */
const NEAR_PIXELS = 800;

/** Rows of a long list, drawn as the user scrolls to them: with ten thousand rows at once the page would not react for seconds. */
export interface DrawnRows<Item> {
  /** Shows other rows; as many are drawn as before. */
  show(items: readonly Item[]): void;
  /** Moves the focus to what `button` finds in the row at an index, or in the last row. @returns false if there is none. */
  focus(index: number): boolean;
}

/** @param end the element below the rows; when it comes near, more rows are drawn. */
export function createDrawnRows<Item>(options: {
  readonly body: HTMLElement;
  readonly end: HTMLElement;
  readonly rowOf: (item: Item, index: number) => HTMLElement;
}): DrawnRows<Item> {
  const { body, end, rowOf } = options;
  let items: readonly Item[] = [];
  const draw = (count: number): void => {
    const from = body.childElementCount;
    body.append(...items.slice(from, count).map((item, index) => rowOf(item, from + index)));
    // Observed again, because the observer reports only changes, and the end may still be near.
    nearEnd.unobserve(end);
    if (count < items.length) nearEnd.observe(end);
  };
  const nearEnd = new IntersectionObserver(
    (seen) => seen.some(({ isIntersecting }) => isIntersecting) && draw(body.childElementCount + ROWS_AT_ONCE),
    { rootMargin: `${NEAR_PIXELS}px` },
  );
  return {
    show(next) {
      const drawnCount = Math.max(ROWS_AT_ONCE, body.childElementCount);
      const label = body.contains(document.activeElement) ? document.activeElement?.getAttribute("aria-label") : null;
      items = next;
      body.replaceChildren();
      draw(drawnCount);
      // The keyboard focus stays where it was.
      if (label) body.querySelector<HTMLElement>(`[aria-label="${CSS.escape(label)}"]`)?.focus({ preventScroll: true });
    },
    focus(index) {
      const row = body.children[Math.min(index, body.childElementCount - 1)];
      const target = row?.querySelector("button");
      target?.focus();
      return target !== undefined && target !== null;
    },
  };
}
