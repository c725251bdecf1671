import type { DescService } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../gen/grpc/health/v1/health_pb.js";
import type { ServingState, ServingStatus } from "../serving-state.ts";
import type { RpcRoutes } from "./rpc-handlers.ts";

const ON_WIRE: Readonly<Record<ServingStatus, Status>> = {
  serving: Status.SERVING,
  "not-serving": Status.NOT_SERVING,
};

/**
 * The standard health service, for gRPC load balancers and probes. Open to everybody.
 *
 * @param services all have the server's own status; the empty name means the server.
 */
export function healthRoutes(state: ServingState, services: readonly DescService[]): RpcRoutes {
  const names = new Set(["", ...services.map((service) => service.typeName)]);
  return (router, options) => {
    router.service(
      Health,
      {
        check({ service }) {
          if (!names.has(service)) throw new ConnectError(`no service ${service} here`, Code.NotFound);
          return { status: ON_WIRE[state.get()] };
        },
        list() {
          const status = ON_WIRE[state.get()];
          return { statuses: Object.fromEntries([...names].map((name) => [name, { status }])) };
        },
        async *watch({ service }, { signal }) {
          // The specification wants the call to stay open for a service that may become known.
          const known = names.has(service);
          if (!known) yield { status: Status.SERVICE_UNKNOWN };
          let wasServing = false;
          for await (const status of state.watch(signal)) {
            if (known) yield { status: ON_WIRE[status] };
            // A server that stops serving shuts down, and must not wait for its watchers; they call again, and find its successor.
            if (wasServing && status === "not-serving") return;
            wasServing = status === "serving";
          }
        },
      },
      options.control(),
    );
  };
}
