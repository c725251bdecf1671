/** What the commands to try are made of. */
export interface TryOptions {
  readonly url: string;
  /** Absent: the commands take it from ASHLAR_API_KEY, or none on an insecure server. */
  readonly apiKey: string | undefined;
  readonly insecure: boolean;
  /** How the command line is called here. */
  readonly program: string;
}

/** A command to paste. */
export interface TryCommand {
  readonly label: string;
  readonly command: string;
}

/** Three ways in: curl, the command line, and a Node program. Each works as it is, in any order, again and again. */
export function tryCommands(options: TryOptions): readonly TryCommand[] {
  const { url, apiKey, insecure, program } = options;
  const bearer = insecure ? "" : `-H "authorization: Bearer ${apiKey ?? "$ASHLAR_API_KEY"}" `;
  const environment = apiKey === undefined ? "" : `ASHLAR_API_KEY=${apiKey} `;
  const keyExpression = apiKey === undefined ? "process.env.ASHLAR_API_KEY" : `"${apiKey}"`;
  const keyOption = insecure ? "" : `, apiKey: ${keyExpression}`;
  const script = [
    'import { createClient, gateway } from "@ashlar/sdk";',
    `const client = createClient(gateway({ url: "${url}"${keyOption} }));`,
    "for (const { bucket } of await client.listBuckets()) console.log(bucket);",
    "await client.close();",
  ].join(" ");
  return [
    { label: "curl", command: `curl ${bearer}${url}/objects` },
    {
      label: "command line",
      command: `echo "hello" | ${environment}${program} put - first/hello.txt --create-bucket --gateway ${url}`,
    },
    { label: "Node", command: `node --input-type=module -e '${script}'` },
  ];
}
