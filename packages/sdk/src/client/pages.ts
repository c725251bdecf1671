/** Walks pages as one sequence; the next page is asked for when the one before is used up. */
export async function* walkPages<Page, Item, Cursor>(
  ask: (cursor: Cursor | undefined) => Promise<Page>,
  itemsOf: (page: Page) => Iterable<Item>,
  nextOf: (page: Page) => Cursor | undefined,
): AsyncGenerator<Item> {
  let cursor: Cursor | undefined;
  do {
    const page = await ask(cursor);
    yield* itemsOf(page);
    cursor = nextOf(page);
  } while (cursor !== undefined);
}
