import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv, type ValidateFunction } from "ajv";
import { beforeAll, describe, expect, test } from "vitest";
import { type ComposeService, ROOT, readCompose, startOrder } from "./compose-file.ts";
import { composeSecrets } from "./compose-secrets.ts";
import { readDockerfile } from "./dockerfile.ts";

const CLUSTER = ["docker-compose.yml"];
const TEST = ["docker-compose.yml", "docker-compose.test.yml"];
const NODES = ["node-1", "node-2", "node-3", "node-4", "node-5", "node-6"];
const secrets = composeSecrets();

describe("the Compose files", () => {
  let validate: ValidateFunction;
  beforeAll(() => {
    const schema = JSON.parse(readFileSync(new URL("compose-spec.schema.json", import.meta.url), "utf8"));
    // The draft is ajv's default, but ajv does not know it under this address.
    delete schema.$schema;
    const ajv = new Ajv({ strict: false, allErrors: true });
    validate = ajv.compile(schema);
  });

  test.each([[CLUSTER], [TEST]])("%j keep to the specification", (paths) => {
    expect(validate(readCompose(paths, secrets)), JSON.stringify(validate.errors)).toBe(true);
  });

  test("the schema notices what is wrong", () => {
    const file = readCompose(CLUSTER, secrets);
    expect(validate({ ...file, services: { one: { image: "x", helthcheck: {} } } })).toBe(false);
    expect(validate({ ...file, services: { one: { image: "x", healthcheck: { retries: true } } } })).toBe(false);
  });

  test.each(Object.keys(secrets))("have no default for %s, and say how to make one", (name) => {
    const example = readFileSync(join(ROOT, ".env.example"), "utf8");
    expect(example).toMatch(new RegExp(`^${name}=$`, "m"));
    for (const paths of [CLUSTER, TEST]) {
      expect(() => readCompose(paths, { ...secrets, [name]: "" })).toThrow(
        `required variable ${name} is missing a value`,
      );
      expect(() => readCompose(paths, { ...secrets, [name]: "" })).toThrow("openssl rand -hex");
    }
  });

  test("start six nodes and the gateway when PostgreSQL is healthy, and the gateway although a node is away", () => {
    const file = readCompose(CLUSTER, secrets);
    expect(startOrder(file)).toEqual(["postgres", ...NODES, "gateway"]);
    for (const name of [...NODES, "gateway"]) {
      const needs = Object.entries(file.services[name]?.depends_on ?? {});
      const healthy = needs.filter(([, { condition }]) => condition === "service_healthy");
      expect(healthy.map(([needed]) => needed)).toEqual(["postgres"]);
    }
  });

  test("let the tests wait until all are healthy", () => {
    const file = readCompose(TEST, secrets);
    expect(startOrder(file).at(-1)).toBe("tests");
    const needs = file.services.tests?.depends_on;
    expect(needs).toEqual(
      Object.fromEntries(["gateway", ...NODES].map((name) => [name, { condition: "service_healthy" }])),
    );
  });

  test("keep a bounded log of every server", () => {
    for (const [name, { logging }] of Object.entries(readCompose(CLUSTER, secrets).services))
      expect(logging?.options, name).toEqual({ "max-size": "10m", "max-file": "5" });
  });

  test("keep what servers write in volumes, and restart them", () => {
    const { services, volumes = {} } = readCompose(CLUSTER, secrets);
    for (const name of ["postgres", ...NODES]) {
      const [volume = ""] = services[name]?.volumes?.[0]?.split(":") ?? [];
      expect(Object.keys(volumes)).toContain(volume);
    }
    expect(Object.values(services).map((service) => service.restart)).toEqual(Array(8).fill("unless-stopped"));
  });

  test("open ports of this machine only to itself unless asked to", () => {
    const { services } = readCompose(CLUSTER, secrets);
    const published = Object.values(services).flatMap((service) => service.ports ?? []);
    expect(published).toHaveLength(7);
    expect(published.filter((port) => !port.startsWith("127.0.0.1:"))).toEqual([]);
    const open = readCompose(CLUSTER, { ...secrets, ASHLAR_GATEWAY_BIND: "0.0.0.0" });
    expect(open.services.gateway?.ports).toEqual(["0.0.0.0:9000:9000"]);
    // The test cluster keeps to its own network.
    const test = Object.values(readCompose(TEST, secrets).services);
    expect(test.flatMap((service) => service.ports ?? [])).toEqual([]);
  });

  test("let each node tell an address that others can use", () => {
    const urls = (env: Readonly<Record<string, string>>): unknown =>
      NODES.map((name) => (readCompose(CLUSTER, env).services[name] as ComposeService).environment?.PUBLIC_URL);
    expect(urls(secrets)).toEqual(NODES.map((name, index) => `http://${name}:${50051 + index}`));
    expect(urls({ ...secrets, ASHLAR_NODE_HOST: "store.example" })).toContain("http://store.example:50056");
  });
});

describe("the Dockerfile", () => {
  const image = readDockerfile();

  test("takes the versions of Node and pnpm that the workspace is pinned to", () => {
    const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
    const [, pnpm] = readFileSync(join(ROOT, "tools/bootstrap.mjs"), "utf8").match(/"pnpm@([\d.]+)"/) ?? [];
    expect(image.args).toEqual({ NODE_VERSION: devDependencies.node, PNPM_VERSION: pnpm });
  });

  test("begins with images that are named with a tag", () => {
    const stages = ["manifests", "build", "production", "tests"];
    const foreign = image.baseImages.filter((name) => !stages.includes(name));
    expect(foreign).toEqual([`node:${image.args.NODE_VERSION}-bookworm-slim`, "debian:bookworm-slim"]);
  });

  test("runs ashlar as a user of its own, with a health check that needs no other program", () => {
    expect(image.user).toBe("ashlar");
    expect(image.entrypoint).toEqual(["ashlar"]);
    expect(image.healthcheck).toEqual(["node", "/opt/ashlar/healthcheck.mjs"]);
    expect(image.env).toEqual({ NODE_ENV: "production", LISTEN_HOST: "0.0.0.0" });
  });
});
