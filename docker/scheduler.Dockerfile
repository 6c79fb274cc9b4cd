# tminus-scheduler as an image for pipelines.
#
#   docker build --file docker/scheduler.Dockerfile --tag tminus-scheduler:1 .
#
# from the project's folder, or the same with any other builder of OCI images.

# Alpine, because a program built there is linked statically against musl and so runs on any base below.
ARG RUST_IMAGE=rust:1.95-alpine
# Pipelines run their lines in a shell of the image, and a kubeconfig may call a cloud's program for its credentials:
# give an image that has it. The program itself needs nothing, not even a file system (`scratch`).
ARG BASE_IMAGE=alpine:3.22

FROM ${RUST_IMAGE} AS build
RUN ["apk", "add", "--no-cache", "musl-dev"]
WORKDIR /src
COPY . .
RUN ["cargo", "build", "--release", "--locked", "--package", "tminus-scheduler"]

FROM ${BASE_IMAGE}
COPY --from=build /src/target/release/tminus-scheduler /usr/local/bin/tminus-scheduler
# Nobody in particular, and not root.
USER 12345:12345
ENTRYPOINT ["/usr/local/bin/tminus-scheduler"]
