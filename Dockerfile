# The images, for a machine that reaches a registry:
#   docker build --target divisi -t divisi .
#   docker build --target echo -t divisi-echo .
# Without a registry ./quickstart builds the binary outside, and uses this file from "FROM scratch" on.

FROM rust:1.95 AS build
WORKDIR /source
COPY . .
ARG REVISION=""
RUN DIVISI_COMMIT="$REVISION" cargo build --locked --profile shipping -p divisi \
 && cp target/*/shipping/divisi /divisi

FROM scratch AS program
COPY --from=build /divisi /divisi
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.source="https://github.com/divisi/divisi" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.vendor="The divisi authors" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

FROM program AS echo
LABEL org.opencontainers.image.title="divisi-echo" \
      org.opencontainers.image.description="A small HTTP replica that answers with what it was asked, to try divisi with"
EXPOSE 9090
ENTRYPOINT ["/divisi", "echo"]

# The user is root, because the engine's socket belongs to root and its group. Where that group is known:
# `user: "65534:<its number>"` in the Compose file, and nothing here needs more.
FROM program AS divisi
LABEL org.opencontainers.image.title="divisi" \
      org.opencontainers.image.description="A reverse proxy and load balancer for scaled Docker Compose services"
EXPOSE 8080 8443
ENTRYPOINT ["/divisi"]
