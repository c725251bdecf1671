import { expect, test } from "vitest";
import { SETTING_GROUPS, SETTINGS, type Setting } from "./config.ts";
import { defaultText, flagName, parseBytes, parseDuration, resolveSettings } from "./settings.ts";

const refusal = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
  return "nothing was refused";
};

test("a flag wins over its variable, the variable over the default, and an empty variable counts as not set", () => {
  const read = (flags: Record<string, unknown>, env: Record<string, string>): number =>
    resolveSettings(["port"], flags, env).values.port;
  expect(read({ port: "1" }, { PORT: "2" })).toBe(1);
  expect(read({}, { PORT: "2" })).toBe(2);
  expect(read({}, { PORT: "" })).toBe(9000);
  expect(resolveSettings(["port"], {}, { PORT: "" }).given.has("port")).toBe(false);
  expect(resolveSettings(["port"], {}, { PORT: "2" }).given.has("port")).toBe(true);
});

test("values are read in their units", () => {
  const { values } = resolveSettings(
    ["chunkBytes", "timeoutMs", "downForMs", "metadata", "weight", "gateway", "json", "quiet"],
    {
      chunkBytes: "4MiB",
      timeout: "1500",
      for: "2m",
      metadata: "a=1, b=2,",
      weight: "0.5",
      gateway: "http://host:1/",
      json: true,
    },
    {},
  );
  expect(values).toEqual({
    chunkBytes: 4 * 1024 * 1024,
    timeoutMs: 1500,
    downForMs: 120_000,
    metadata: ["a=1", "b=2"],
    weight: 0.5,
    gateway: "http://host:1",
    json: true,
    quiet: false,
  });
});

test("durations and sizes have one notation, and plain numbers are ms and bytes", () => {
  const read = <Name extends "timeoutMs" | "shutdownGraceMs" | "claimTtlMs" | "bytesInFlightMax">(
    name: Name,
    text: string,
  ): unknown => resolveSettings([name], { [flagName(SETTINGS[name]) ?? ""]: text }, {}).values[name];
  expect(
    ["1500", "500ms", "30s", "5m", "1h", "7d", "1.5h", "1m 15s", "1h30m"].map((text) => read("timeoutMs", text)),
  ).toEqual([1500, 500, 30_000, 300_000, 3_600_000, 604_800_000, 5_400_000, 75_000, 5_400_000]);
  expect(read("shutdownGraceMs", "0s")).toBe(0);
  expect(read("claimTtlMs", "7d")).toBe(604_800_000);
  expect(["65536", "64KiB", "1.5 MiB", "1GiB", "2 TiB", "10B"].map((text) => read("bytesInFlightMax", text))).toEqual([
    65_536,
    65_536,
    1_572_864,
    1024 ** 3,
    2 * 1024 ** 4,
    10,
  ]);
});

test("defaults are shown as they are written", () => {
  expect([SETTINGS.chunkBytes, SETTINGS.shutdownGraceMs, SETTINGS.port, SETTINGS.host].map(defaultText)).toEqual([
    "4MiB",
    "10s",
    "9000",
    "127.0.0.1",
  ]);
  for (const setting of Object.values<Setting>(SETTINGS)) {
    if (setting.unit === "duration" && setting.default !== undefined)
      expect(parseDuration(defaultText(setting) ?? "")).toBe(setting.default);
    if (setting.unit === "bytes" && setting.default !== undefined)
      expect(parseBytes(defaultText(setting) ?? "")).toBe(setting.default);
  }
});

test.each([
  ["timeoutMs", "1.5"],
  ["timeoutMs", "5s 1m"],
  ["timeoutMs", "1m, 5s"],
  ["timeoutMs", "1mm"],
  ["timeoutMs", "-5s"],
  ["timeoutMs", ""],
  ["chunkBytes", "64K"],
  ["chunkBytes", "1.5"],
  ["chunkBytes", "4mib"],
  ["port", "65536"],
  ["downForMs", "5 weeks"],
  ["port", "-1"],
  ["port", "1.5"],
  ["concurrency", "0"],
  ["concurrency", "1e3"],
  ["timeoutMs", "soon"],
  ["timeoutMs", "0"],
  ["replicationFactor", "17"],
  ["layoutReplicationFactor", "99"],
  ["timeoutMs", "99999999999999999999"],
  ["chunkBytes", "4MB"],
  ["chunkBytes", ""],
  ["weight", "-1"],
  ["gateway", "host:1:2"],
  ["transport", "pigeon"],
] as const)("%s refuses %s, and names the flag", (name, value) => {
  const setting: Setting = SETTINGS[name];
  const key = flagName(setting) ?? "";
  expect(refusal(() => resolveSettings([name], { [key]: value }, {}))).toContain(setting.flag?.split(" ")[0]);
});

test("bounds are shown in the notation of the command line", () => {
  const refused = (name: "timeoutMs" | "keyLifeMs" | "tokenLifeMs" | "chunkBytes", text: string): string =>
    refusal(() => resolveSettings([name], { [flagName(SETTINGS[name]) ?? ""]: text }, {}));
  expect(refused("timeoutMs", "0")).toMatch(/at least 1ms, not "0"/);
  expect(refused("keyLifeMs", "0s")).toMatch(/at least 1s, not "0s"/);
  expect(refused("tokenLifeMs", "13h")).toMatch(/from 1s to 12h, not "13h"/);
  expect(refused("chunkBytes", "1KiB")).toMatch(/from 64KiB to 1GiB, not "1KiB"/);
  expect(refused("chunkBytes", "2GiB")).toMatch(/from 64KiB to 1GiB, not "2GiB"/);
});

test("every number, size and duration that is refused is told with its setting, the value, and the range", () => {
  const numeric = Object.entries<Setting>(SETTINGS).filter(
    ([, { unit }]) =>
      unit === "count" || unit === "duration" || unit === "bytes" || unit === "weight" || unit === "port",
  );
  expect(numeric.length).toBeGreaterThan(20);
  const tooMuch = "99999999999999999999";
  for (const [name, setting] of numeric) {
    const flag = setting.flag?.match(/--[a-z-]+/)?.[0] ?? "";
    for (const text of ["many", "-1", ...(setting.max === undefined ? [] : [tooMuch])]) {
      const read = () => resolveSettings([name as keyof typeof SETTINGS], { [flagName(setting) ?? ""]: text }, {});
      expect(refusal(read), name).toMatch(
        new RegExp(`^${flag} must be .*(at least \\d\\S*|from \\d\\S* to \\d\\S*)(, such as .*)?, not "${text}"$`),
      );
    }
  }
});

test.each(["gateway", "direct", "publicUrl", "nodeGateway"] as const)(
  "%s takes no password, and shows none",
  (name) => {
    for (const text of ["http://user:pa55word@h", "user:pa55word@h", "ftp://user:pa55word@h", "http://h?pa55word"]) {
      const message = refusal(() => resolveSettings([name], { [flagName(SETTINGS[name]) ?? ""]: text }, {}));
      expect(message).toMatch(/without user, password or query/);
      expect(message).not.toContain("pa55word");
    }
  },
);

test("a database of another kind is refused before anything connects to it", () => {
  const read = (url: string): unknown => resolveSettings(["databaseUrl"], {}, { DATABASE_URL: url }).values.databaseUrl;
  expect(refusal(() => read("mysql://host/x"))).toMatch(/^DATABASE_URL must be a URL such as postgres:/);
  expect(read("postgresql://host/x")).toBe("postgresql://host/x");
  expect(read("postgres://host/x")).toBe("postgres://host/x");
});

test("a secret's value is never in the message", () => {
  expect(refusal(() => resolveSettings(["databaseUrl"], {}, { DATABASE_URL: "my password" }))).toMatch(
    /^DATABASE_URL must be a URL/,
  );
  expect(refusal(() => resolveSettings(["databaseUrl"], {}, { DATABASE_URL: "my password" }))).not.toContain(
    "password,",
  );
  expect(refusal(() => resolveSettings(["databaseUrl"], {}, { DATABASE_URL: "my pass" }))).not.toContain("my pass");
});

test("a flag of a group hides the variables of the others", () => {
  const env = { ASHLAR_GATEWAY: "http://a", ASHLAR_DIRECT: "http://b" };
  expect(resolveSettings(["path", "gateway", "direct"], { path: "x" }, env).values).toEqual({
    path: "x",
    gateway: undefined,
    direct: undefined,
  });
  expect(resolveSettings(["path", "gateway"], {}, env).values.gateway).toBe("http://a");
});

test("every setting can be set, says why it exists, and keeps secrets out of flags", () => {
  for (const [name, setting] of Object.entries<Setting>(SETTINGS)) {
    expect(setting.flag ?? setting.env, name).toBeDefined();
    expect(setting.reason.length, name).toBeGreaterThan(10);
    if (setting.secret && name !== "apiKey") expect(setting.flag, name).toBeUndefined();
  }
  const grouped = Object.values(SETTING_GROUPS).flatMap((group) => Object.keys(group));
  expect(new Set(grouped).size).toBe(grouped.length);
  expect(grouped.sort()).toEqual(Object.keys(SETTINGS).sort());
});

test("a flag that begins with no- is true only where the command line has it", () => {
  const read = (flags: Record<string, unknown>) => {
    const { values, given } = resolveSettings(["noWait"], flags, {});
    return [values.noWait, given.has("noWait")];
  };
  // What commander makes of a command line without and with --no-wait.
  expect(read({ wait: true })).toEqual([false, false]);
  expect(read({ wait: false })).toEqual([true, true]);
  expect(read({})).toEqual([false, false]);
});

test("the variable of a flag turns it on and off, and anything else is refused", () => {
  const read = (text: string): boolean =>
    resolveSettings(["refuseLostDisk"], {}, { REFUSE_LOST_DISK: text }).values.refuseLostDisk;
  expect(["1", "true", "0", "false", ""].map(read)).toEqual([true, true, false, false, false]);
  expect(refusal(() => read("yes"))).toBe('REFUSE_LOST_DISK must be 1, true, 0 or false, not "yes"');
  expect(resolveSettings(["refuseLostDisk"], { refuseLostDisk: true }, {}).values.refuseLostDisk).toBe(true);
});
