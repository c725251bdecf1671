import { connect } from "node:net";

/** Sends bytes unchanged on a new connection. Returns what came back, and whether the server closed the connection within `waitMs`. */
export function rawTalk(
  port: number,
  pieces: readonly (string | Uint8Array)[],
  { waitMs = 10_000 }: { readonly waitMs?: number } = {},
): Promise<{ readonly text: string; readonly closed: boolean; readonly statuses: readonly number[] }> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    let timer: NodeJS.Timeout | undefined;
    const finish = (closed: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
      resolve({ text, closed, statuses });
    };
    timer = setTimeout(() => finish(false), waitMs);
    socket.on("data", (bytes) => {
      text += bytes.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => finish(true));
    for (const piece of pieces) socket.write(piece);
  });
}
