/** Code as a web app would have it; the tests bundle it with the packed packages. */
import { createClient, direct, gateway } from "@ashlar/sdk";
import { connectTransport } from "@ashlar/sdk/transport/connect";
import { grpcWebTransport } from "@ashlar/sdk/transport/grpc-web";

/** Puts and gets in both seats over the transports that browsers have. @returns the digests that the store gave. */
export async function putAndGet(options: { readonly url: string; readonly apiKey: string }): Promise<string[]> {
  const seats = {
    http: gateway(options),
    connect: gateway({ ...options, transport: connectTransport() }),
    "grpc-web": gateway({ ...options, transport: grpcWebTransport() }),
    direct: direct(options),
  };
  const digests: string[] = [];
  for (const [name, seat] of Object.entries(seats)) {
    const client = createClient(seat);
    await client.createBucket({ bucket: `box-${name}` });
    const body = new Uint8Array(3_000_000).fill(7);
    const put = await client.putObject({ bucket: `box-${name}`, key: "a", body });
    const got = await (await client.getObject({ bucket: `box-${name}`, key: "a" })).bytes();
    if (got.byteLength !== body.byteLength || got.some((byte) => byte !== 7))
      throw new Error(`${name} read other bytes`);
    digests.push(put.sha256 ?? "none");
    await client.close();
  }
  return digests;
}
