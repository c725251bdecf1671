import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { silentLogger } from "@ashlar/sdk/ports";
import { afterEach, describe, expect, it } from "vitest";
import type { TlsOptions } from "./connection/tls.ts";
import { createServerPorts, type ServerAddress, type ServerPorts } from "./server-ports.ts";
import { thingsHandlers } from "./testing/things-handlers.ts";

const folder = mkdtempSync(join(tmpdir(), "ashlar-ports-"));
const open: ServerPorts[] = [];
afterEach(async () => {
  for (const ports of open.splice(0)) await ports.close({ graceMs: 0 });
});
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

function certificate(name: string): TlsOptions {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const subject = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"];
  execFileSync("openssl", ["req", "-x509", ...curve, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
  return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
}

async function start(
  options: { readonly operationsPort?: number; readonly tls?: TlsOptions } = {},
): Promise<{ readonly ports: ServerPorts; readonly address: ServerAddress }> {
  const operationsApart = options.operationsPort !== undefined;
  const handlers = thingsHandlers(async () => ({ status: 200 }), { operationsApart });
  const ports = createServerPorts({ ...options, handlers, logger: silentLogger });
  open.push(ports);
  return { ports, address: await ports.listen() };
}

const HEALTH = "/grpc.health.v1.Health/Check";
const PATHS = ["/healthz", "/readyz", "/metrics", HEALTH, "/things/1"] as const;

async function statuses(url: string): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (const path of PATHS) {
    const json = { method: "POST", headers: { "content-type": "application/json" }, body: "{}" };
    seen[path] = (await fetch(url + path, path === HEALTH ? json : {})).status;
  }
  return seen;
}

describe("operations", () => {
  it("are on the server's port by default", async () => {
    const { address } = await start();
    expect(address.operationsUrl).toBeUndefined();
    expect(Object.values(await statuses(address.url))).toEqual([200, 200, 200, 200, 200]);
  });

  it("move to a port of their own, which has nothing else", async () => {
    const { address } = await start({ operationsPort: 0 });
    expect(await statuses(address.url)).toEqual({
      ...{ "/healthz": 404, "/readyz": 404, "/metrics": 404, [HEALTH]: 404, "/things/1": 200 },
    });
    expect(await statuses(address.operationsUrl ?? "")).toEqual({
      ...{ "/healthz": 200, "/readyz": 200, "/metrics": 200, [HEALTH]: 200, "/things/1": 404 },
    });
  });

  it("leave no port open if the other cannot be opened", async () => {
    const taken = await start();
    const ports = createServerPorts({
      handlers: { handler: async () => ({ status: 200 }), operations: async () => ({ status: 200 }) },
      ...{ port: taken.address.port, operationsPort: 0, logger: silentLogger },
    });
    await expect(ports.listen()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await ports.close({ graceMs: 0 });
  });
});

describe("TLS", () => {
  /** The name in the certificate that a new connection gets, and what browsers are told. */
  const look = (url: string): Promise<{ readonly name: string; readonly hsts: string | undefined }> =>
    new Promise((resolve, reject) => {
      const asked = request(`${url}/things/1`, { rejectUnauthorized: false, agent: false }, (response) => {
        const { subject } = (response.socket as TLSSocket).getPeerCertificate();
        const hsts = response.headers["strict-transport-security"];
        response.resume().once("end", () => resolve({ name: String(subject.CN), hsts }));
      });
      asked.once("error", reject).end();
    });

  it("takes a renewed certificate without a restart, on both ports, and keeps the old one if the new one cannot be used", async () => {
    const [first, second] = [certificate("first"), certificate("second")];
    const { ports, address } = await start({ operationsPort: 0, tls: first });
    for (const url of [address.url, address.operationsUrl ?? ""]) expect((await look(url)).name).toBe("first");
    expect(() => ports.setTls({ cert: second.cert, key: first.key })).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    expect(() => ports.setTls({ cert: "no PEM", key: second.key })).toThrow();
    expect((await look(address.url)).name).toBe("first");
    ports.setTls(second);
    for (const url of [address.url, address.operationsUrl ?? ""]) expect((await look(url)).name).toBe("second");
  });

  it("tells browsers to come back over TLS, unless told not to, and never over cleartext", async () => {
    const tls = certificate("hsts");
    expect((await look((await start({ tls })).address.url)).hsts).toBe("max-age=2592000");
    expect((await look((await start({ tls: { ...tls, hstsMaxAgeMs: 0 } })).address.url)).hsts).toBeUndefined();
    const plain = await fetch(`${(await start()).address.url}/things/1`);
    expect(plain.headers.get("strict-transport-security")).toBeNull();
  });

  it("cannot be changed on a port without it", async () => {
    const { ports } = await start();
    expect(() => ports.setTls(certificate("none"))).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
