/** The slices of a web stream, which is not async iterable everywhere (Safari). Leaving the loop early cancels the stream. */
export async function* slicesOf(
  stream: ReadableStream<Uint8Array> | null,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (stream === null) return;
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    // At the end of the stream this does nothing; otherwise it ends the connection, without waiting for that.
    reader.cancel().catch(() => {});
  }
}
