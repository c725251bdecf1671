# The server and command line in one image: `docker build -t ashlar .`, then `docker run -p 9000:9000 -v ashlar:/data ashlar`.
# docs/operations.md tells how it is run, docker-compose.yml is a cluster of it, containers/try-image.sh builds it without Docker.
#
# Versions: the same as package.json ("node") and tools/bootstrap.mjs (pnpm); tests/containers compares them.
ARG NODE_VERSION=24.21.0

# --- manifests: the part of the source on which installing depends, so that a change of the source installs nothing again
FROM node:${NODE_VERSION}-bookworm-slim AS manifests
ARG PNPM_VERSION=12.21.0
ENV CI=true npm_config_store_dir=/pnpm/store
WORKDIR /src
# The optional secret is for registries that need an .npmrc: docker build --secret id=npmrc,src=$HOME/.npmrc
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc \
    npm install --global --no-fund --no-audit "pnpm@${PNPM_VERSION}"
COPY package.json pnpm-lock.yaml pnpm-workspace.yaml ./
COPY packages/sdk/package.json packages/sdk/
COPY packages/adapters/package.json packages/adapters/
COPY packages/server/package.json packages/server/

# --- build: bundles, without declarations, which only compilers read
FROM manifests AS build
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=cache,target=/pnpm/store \
    pnpm install --frozen-lockfile --filter "@ashlar/server..."
COPY tsconfig.base.json tsup.base.ts ./
COPY packages packages
RUN ASHLAR_BUILD_DTS=0 pnpm --recursive --filter "@ashlar/server..." run build

# --- production: what the server needs at run time and no more, in the versions of the lockfile; hoisted, so that the adapters find the
# drivers that they name as optional peers and the server brings
FROM manifests AS production
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=cache,target=/pnpm/store \
    pnpm install --frozen-lockfile --prod --config.node-linker=hoisted --filter "@ashlar/server..." \
    && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -name '*.md' \) -delete \
    && rm -rf pnpm-lock.yaml pnpm-workspace.yaml node_modules/.pnpm node_modules/.modules.yaml node_modules/.pnpm-workspace-state*.json
COPY --from=build /src/packages/sdk/dist packages/sdk/dist
COPY --from=build /src/packages/adapters/dist packages/adapters/dist
COPY --from=build /src/packages/server/dist packages/server/dist
RUN find packages/*/dist -name '*.map' -delete && chmod 755 packages/server/dist/cli/main.js
COPY LICENSE ./
COPY containers/healthcheck.mjs ./

# --- tests: the whole repository with its tools, for docker-compose.test.yml; no part of the image
FROM manifests AS tests
COPY . .
RUN --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=cache,target=/pnpm/store \
    pnpm install --frozen-lockfile

# --- the image: Node alone, without npm and what else comes with it
FROM debian:bookworm-slim
COPY --from=manifests /usr/local/bin/node /usr/local/bin/node
COPY --from=production /src /opt/ashlar
RUN ln -s /opt/ashlar/packages/server/dist/cli/main.js /usr/local/bin/ashlar \
    && groupadd --gid 10001 ashlar \
    && useradd --uid 10001 --gid ashlar --home-dir /data --no-create-home --shell /usr/sbin/nologin ashlar \
    && install --directory --owner=ashlar --group=ashlar --mode=750 /data
# A container's loopback interface is of no use to anybody else. Everything else is as docs/configuration.md says.
ENV NODE_ENV=production LISTEN_HOST=0.0.0.0
USER ashlar
# `serve` keeps its store in .ashlar below; nodes of docker-compose.yml set DATA_DIR.
WORKDIR /data
VOLUME /data
# serve and gateway; a storage node
EXPOSE 9000 50051
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["node", "/opt/ashlar/healthcheck.mjs"]
ENTRYPOINT ["ashlar"]
CMD ["serve"]
