# syntax=docker/dockerfile:1

# The full image, not the slim one: it has the C compiler, perl and make with which libpq and OpenSSL are built.
FROM rust:1.95-bookworm AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --locked --release --bin waybill \
    && cp target/release/waybill /usr/local/bin/waybill \
    && mkdir /data

# The C library, the certificate roots, and nothing else: no shell, no package manager. The same Debian as above.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="Waybill" \
      org.opencontainers.image.description="Inbound webhook gateway for SMS and e-mail delivery callbacks" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /usr/local/bin/waybill /usr/local/bin/waybill
# The only folder that is written to: SQLite's file, if that is the database, and the ops token, if none is configured.
COPY --from=build --chown=65532:65532 /data /var/lib/waybill
WORKDIR /var/lib/waybill
VOLUME /var/lib/waybill
USER 65532:65532
# The operations listener stays on the container's own loopback until OPS_LISTEN says otherwise; then it demands an OPS_TOKEN.
ENV LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM
# No HEALTHCHECK: it would have to be a program in the image. /readyz and /livez of the operations listener are asked from outside.
ENTRYPOINT ["/usr/local/bin/waybill"]
CMD ["serve"]
