/** Web streams are not async iterable everywhere (Safari). Leaving early gives the stream up. */
export async function* slicesOf(
  stream: ReadableStream<Uint8Array> | null,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (stream === null) return;
  const reader = stream.getReader();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
  } finally {
    // Nothing happens where the stream is at its end; otherwise the connection is given up without waiting for it.
    reader.cancel().catch(() => {});
  }
}
