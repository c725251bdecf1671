import { connect, constants } from "node:http2";
import { setTimeout as sleep } from "node:timers/promises";
import { AshlarError } from "@ashlar/sdk/errors";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHttpListener, type HttpListener } from "../connection/listener.ts";

const CASES = ["whole", "cancel", "no-error", "destroy", "session"] as const;

describe("an HTTP/2 request", () => {
  let listener: HttpListener;
  let url = "";
  const outcomes = new Map<string, string>();

  beforeAll(async () => {
    listener = createHttpListener({
      handler: async ({ path, body }) => {
        let length = 0;
        try {
          for await (const piece of body) length += piece.byteLength;
          outcomes.set(path.slice(1), `ended after ${length}`);
        } catch (error) {
          outcomes.set(path.slice(1), AshlarError.from(error).code);
        }
        return { status: 204 };
      },
    });
    ({ url } = await listener.listen());
  });

  afterAll(async () => {
    await listener.close({ graceMs: 0 });
  });

  it.each(CASES)("that ends with %s is told apart from a whole one", async (how) => {
    const session = connect(url);
    session.on("error", () => {});
    const stream = session.request({ ":method": "POST", ":path": `/${how}` });
    stream.on("error", () => {});
    stream.write(new Uint8Array(100_000));
    await sleep(50);
    if (how === "whole") stream.end();
    if (how === "cancel") stream.close(constants.NGHTTP2_CANCEL);
    if (how === "no-error") stream.close(constants.NGHTTP2_NO_ERROR);
    if (how === "destroy") stream.destroy();
    if (how === "session") session.destroy();
    await expect
      .poll(() => outcomes.get(how), { timeout: 20_000 })
      .toBe(how === "whole" ? "ended after 100000" : "CANCELED");
    session.destroy();
  });
});
