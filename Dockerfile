# Serin's image: `make image`, or `docker build .`
#
# BUILDER has Go, and what its module cache lacks comes from GOPROXY. BASE has
# sh, curl, watch and CA certificates, and nothing is run on it: so one machine
# builds for all, and where no registry is reachable both can be images of one's
# own. `make image-check` sees whether BASE has all that.
ARG BUILDER=golang:1.26-alpine
ARG BASE=curlimages/curl:8.16.0

FROM --platform=$BUILDPLATFORM ${BUILDER} AS build
ARG TARGETOS
ARG TARGETARCH
ARG GOPROXY
ARG VERSION
ENV CGO_ENABLED=0 GOOS=${TARGETOS} GOARCH=${TARGETARCH} GOTOOLCHAIN=local
WORKDIR /src
COPY . .
# The same sources give the same bytes: no paths, no build numbers, no time.
# hey is the one of go.mod's tool directive.
RUN go build -trimpath -buildvcs=false -tags grpcnotrace -ldflags "-s -w -X main.release=${VERSION}" -o /out/serin ./cmd/serin \
 && go build -trimpath -buildvcs=false -ldflags "-s -w" -o /out/hey github.com/rakyll/hey

FROM ${BASE}
ARG VERSION
ARG REVISION
LABEL org.opencontainers.image.title="Serin" \
      org.opencontainers.image.description="Progressive delivery for Knative that brings its own traffic" \
      org.opencontainers.image.source="https://github.com/serin-dev/serin" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /out/serin /usr/local/bin/
COPY --from=build /out/hey /usr/local/libexec/
COPY tools/image/hey /usr/local/bin/
# What is sent from a shell, or by `kubectl exec`, goes through the daemon's
# proxy and is measured. The daemon does not use it for its own requests.
# HOME is the only place that may be written to, where the root is read-only.
ENV http_proxy=http://127.0.0.1:8081 no_proxy=localhost,127.0.0.1,::1 HOME=/tmp
USER 65532:65532
WORKDIR /tmp
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/serin"]
CMD ["daemon", "--listen=:8080"]
