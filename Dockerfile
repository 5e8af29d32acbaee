# The image: `docker build -t crs .`, or with buildx for several machines at once.
#
# Only the C library of Debian is used beside the binary. Certificates of authorities are built into it.

# --- builds the web page, the same for every machine ---
FROM --platform=$BUILDPLATFORM node:22-bookworm-slim AS page
WORKDIR /build/web
COPY web/package.json web/package-lock.json web/.npmrc ./
RUN --mount=type=cache,target=/npm npm ci --cache /npm
COPY web ./
RUN npm run build

# --- builds the binary that is shipped ---
FROM rust:1.95-slim-bookworm AS builder
ARG TARGETARCH
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY crates crates
COPY --from=page /build/web/dist web/dist
ENV WEBUI=skip
# Crates and what is built of them stay in caches, so that an edit builds little anew.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,id=crs-target-${TARGETARCH},target=/build/target \
    cargo build --profile dist --locked --bin crs && cp target/dist/crs /crs

# --- the binary alone: `docker build --target binary --output out .` ---
FROM scratch AS binary
COPY --from=builder /crs /crs

# --- what runs ---
FROM debian:bookworm-slim
ARG VERSION=dev
LABEL org.opencontainers.image.title="crs" \
      org.opencontainers.image.description="A self-hosted relay: your AI accounts behind one address" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}"
# tzdata for TIMEZONE; curl because the health checks of existing compose files call it.
RUN apt-get update \
    && apt-get install -y --no-install-recommends curl tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 1000 crs \
    && useradd --uid 1000 --gid 1000 --home-dir /app --no-create-home --shell /usr/sbin/nologin crs \
    && install -d -o crs -g crs -m 0700 /app/data
COPY deploy/docker/entrypoint.sh /usr/local/bin/entrypoint
COPY --from=builder /crs /usr/local/bin/crs
WORKDIR /app
# An engine kills 10 s after it asked a container to stop. With this grace, all is over within 8 s.
ENV HOST=0.0.0.0 PORT=3000 DATA_DIR=/app/data SHUTDOWN_GRACE=5
VOLUME ["/app/data"]
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 CMD ["crs", "health"]
# Begins as root only to give the data to a user who is not; see the script.
ENTRYPOINT ["entrypoint"]
CMD ["serve"]
