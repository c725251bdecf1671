export { createApiKey } from "./auth/api-key.ts";
export { createGateway, type Gateway, type GatewayOptions } from "./create-gateway.ts";
export { createGatewayCore, type GatewayCore, type GatewayCoreOptions } from "./gateway-core.ts";
