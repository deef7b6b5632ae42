# One image, two commands: `serve`, the balancer, and `replica`, the sample server.
#   docker build -t roost .                               from debian:12-slim
#   docker build -t roost --build-arg BASE=my-debian .    from another Debian 12, 13 or Ubuntu 24.04
ARG BASE=debian:12-slim

FROM ${BASE} AS build
WORKDIR /src
COPY tools/packages.txt tools/deps.sh tools/install_packages.sh tools/
RUN YES=1 tools/deps.sh build
COPY . .
RUN tools/build.sh release && strip build/roost

FROM ${BASE}
LABEL io.roost.image=roost
COPY tools/packages.txt tools/deps.sh tools/install_packages.sh /tmp/roost/
RUN YES=1 /tmp/roost/deps.sh image && rm -rf /tmp/roost /var/lib/apt/lists/* /var/cache/apt/* \
    && mkdir -p /var/lib/roost && chown 10001:10001 /var/lib/roost
COPY --from=build /src/build/roost /usr/local/bin/roost
# A replica listens where the balancer can reach it; the balancer says for itself where it listens.
# Started as root, for the Engine's socket; the balancer becomes that user, a dockhand does not.
ENV ROOST_REPLICA_ADDRESS=0.0.0.0 ROOST_STATE=/var/lib/roost ROOST_UID=10001
EXPOSE 5000
VOLUME /var/lib/roost
ENTRYPOINT ["/usr/local/bin/roost"]
CMD ["replica"]
