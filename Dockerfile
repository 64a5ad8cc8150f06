# syntax=docker/dockerfile:1

# The full image, not the slim one: it has the C compiler, perl and make that libpq and OpenSSL need.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --locked --profile dist --features postgres-tls --bin waybill \
    && cp target/dist/waybill /usr/local/bin/waybill \
    && mkdir /data

# The C library and the certificate roots: no shell, no package manager. Same Debian release as above.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="Waybill" \
      org.opencontainers.image.description="Inbound webhook gateway for SMS and e-mail delivery callbacks" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /usr/local/bin/waybill /usr/local/bin/waybill
# The only writable folder: it holds the SQLite database and the generated ops token, if they are used.
COPY --from=build --chown=65532:65532 /data /var/lib/waybill
WORKDIR /var/lib/waybill
VOLUME /var/lib/waybill
USER 65532:65532
# Without OPS_LISTEN the operations listener is on the container's loopback. Any other address requires an OPS_TOKEN.
ENV LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
# No HEALTHCHECK, because it would need another program in the image. Probe /readyz and /livez of the operations listener from outside.
ENTRYPOINT ["/usr/local/bin/waybill"]
CMD ["serve"]
