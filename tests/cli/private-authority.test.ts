import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ASHLAR_COMMAND } from "../support/ashlar-program.ts";
import { type RunningCli, startCli } from "../support/cli.ts";
import { createTempFolder, type TempFolder } from "../support/temp-folder.ts";

const run = promisify(execFile);

let folder: TempFolder;
let server: RunningCli;
let url = "";
let apiKey = "";

/** An authority, or a certificate of `localhost` that one has signed. */
async function certify(name: string, signer?: string): Promise<void> {
  const kind = ["-nodes", "-days", "1", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  const files = ["-keyout", folder.at(`${name}.key`), "-out", folder.at(`${name}.pem`)];
  const signed =
    signer === undefined
      ? ["-subj", `/CN=${name}`]
      : [
          ...["-CA", folder.at(`${signer}.pem`), "-CAkey", folder.at(`${signer}.key`), "-subj", "/CN=localhost"],
          ...["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"],
        ];
  await run("openssl", ["req", "-x509", ...kind, ...files, ...signed]);
}

beforeAll(async () => {
  folder = await createTempFolder();
  await certify("authority");
  await certify("another authority");
  await certify("server", "authority");
  const tls = ["--tls-cert", folder.at("server.pem"), "--tls-key", folder.at("server.key")];
  server = startCli(["serve", "--path", folder.at("store"), "--port", "0", "--json", "--log-level", "silent", ...tls]);
  const [line] = await server.until(/.*\n/);
  const facts = JSON.parse(line) as { readonly url: string; readonly apiKey: string };
  // By name: the certificate is for localhost, not for an address.
  url = `https://localhost:${new URL(facts.url).port}`;
  apiKey = facts.apiKey;
});

afterAll(async () => {
  await server.stop();
  await folder.remove();
});

/** A process of its own: Node reads its authorities once. */
async function makeBucket(transport: string, authority: string): Promise<string> {
  const [command, ...args] = ASHLAR_COMMAND;
  const mb = ["mb", `by-${transport}`, "--gateway", url, "--transport", transport, "--retry-for", "0s"];
  const env = {
    ...{ PATH: process.env.PATH, ASHLAR_API_KEY: apiKey, NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE },
    NODE_EXTRA_CA_CERTS: folder.at(`${authority}.pem`),
    // One library reads this variable; no transport may follow it.
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH: folder.at("another authority.pem"),
  };
  return await run(command, [...args, ...mb], { env }).then(
    () => "made",
    ({ stderr }: { stderr: string }) => stderr,
  );
}

describe.each(["undici", "http", "connect", "grpc-web", "grpc", "grpc-js"])("over %s", (transport) => {
  test("a server's certificate is that of an authority in NODE_EXTRA_CA_CERTS, or refused", async () => {
    expect(await makeBucket(transport, "another authority")).toContain("NODE_EXTRA_CA_CERTS");
    expect(await makeBucket(transport, "authority")).toBe("made");
  });
});
