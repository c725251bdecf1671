import { randomBytes } from "node:crypto";

/** The two variables without which no container starts, freshly made as .env.example says. */
export function composeSecrets(): Readonly<Record<string, string>> {
  return {
    ASHLAR_CLUSTER_KEY: randomBytes(32).toString("hex"),
    ASHLAR_DB_PASSWORD: randomBytes(24).toString("hex"),
  };
}
