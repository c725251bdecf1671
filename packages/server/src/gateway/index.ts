export { createApiKey } from "./auth/api-key.ts";
export { createGateway, type Gateway, type GatewayOptions } from "./create-gateway.ts";
