import { createHash } from "node:crypto";
import { Agent } from "undici";
import { uniqueSlices } from "../load/unique-body.ts";
import { startServer } from "../servers/child-process.ts";
import { megabytesPerSecond } from "../statistics.ts";

const PIECE_BYTES = 4 * 1024 * 1024;
const IN_FLIGHT = 4;

/** Bodies of 4 MiB between this process and a bare server, 4 at once, in MB/s. */
export async function measureLoopback(options: {
  readonly sizeBytes: number;
  readonly hashes: boolean;
}): Promise<{ readonly put: number; readonly get: number }> {
  const { sizeBytes, hashes } = options;
  const mode = hashes ? "sha256" : "discard";
  const server = await startServer({ file: "limits/bare-server.ts", args: [mode, String(PIECE_BYTES)] });
  const agent = new Agent({ allowH2: false, connections: IN_FLIGHT, pipelining: 1 });
  const request = { origin: String(server.ready.url), path: "/" };
  const put = async (bytes: Uint8Array): Promise<void> => {
    const digest = hashes ? createHash("sha256").update(bytes).digest("hex") : "";
    const answer = await agent.request({ ...request, method: "PUT", body: bytes });
    if ((await answer.body.text()) !== digest) throw new Error("the bare server got other bytes");
  };
  const get = async (): Promise<void> => {
    const { body } = await agent.request({ ...request, method: "GET" });
    const bytes = Buffer.from(await body.arrayBuffer());
    if (bytes.byteLength !== PIECE_BYTES) throw new Error("the bare server sent fewer bytes");
    if (hashes) createHash("sha256").update(bytes).digest();
  };
  try {
    await inLanes(PIECE_BYTES * IN_FLIGHT, put);
    return { put: await inLanes(sizeBytes, put), get: await inLanes(sizeBytes, get) };
  } finally {
    await agent.close();
    await server.stop();
  }
}

/** Moves `sizeBytes` in pieces, each lane with bytes of its own. @returns MB/s. */
async function inLanes(sizeBytes: number, move: (bytes: Uint8Array) => Promise<void>): Promise<number> {
  const startedAtMs = performance.now();
  const lane = async (): Promise<void> => {
    for await (const bytes of uniqueSlices(sizeBytes / IN_FLIGHT, PIECE_BYTES)) await move(bytes);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return megabytesPerSecond(sizeBytes, performance.now() - startedAtMs);
}
