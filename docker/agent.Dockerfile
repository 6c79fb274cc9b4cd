# k6 with tminus-agent in front of it. It takes the arguments that the plain k6 image takes, such as `run script.js`.
#
#   docker build --file docker/agent.Dockerfile --tag tminus-k6:1 .
#
# from the project's folder, or the same with any other builder of OCI images.

# Alpine, because a program built there is linked statically against musl and so runs on any base below.
ARG RUST_IMAGE=rust:1.95-alpine
# Any image with `k6` on its PATH, such as one of your own with extensions.
ARG K6_IMAGE=grafana/k6:2.2.0

FROM ${RUST_IMAGE} AS build
RUN ["apk", "add", "--no-cache", "musl-dev"]
WORKDIR /src
COPY . .
RUN ["cargo", "build", "--release", "--locked", "--package", "tminus-agent"]

FROM ${K6_IMAGE}
COPY --from=build /src/target/release/tminus-agent /usr/local/bin/tminus-agent
# The k6 image's own user, by number: `runAsNonRoot` cannot check a name.
USER 12345:12345
ENTRYPOINT ["/usr/local/bin/tminus-agent", "--", "k6"]
