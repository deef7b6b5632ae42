#!/bin/sh
# roost in containers: the image, the compose file. Plain sh, also for macOS.
# usage: tools/docker.sh is-wanted | is-up | image | up | restart | logs | down | clean
#   is-wanted: exit status 0 where DRIVER=docker; is-up: also where it was started from here
#   restart: stops what runs first; the pool stays as it was
set -eu
cd "$(dirname "$0")/.."
. ./tools/environment.sh

project=roost
node=compose # as docker-compose.yml has it
wait_s=60
marker=run/compose
port=${PORT:-5000}

has_docker() {
    command -v docker >/dev/null 2>&1 && docker version >/dev/null 2>&1
}

need_docker() {
    command -v docker >/dev/null 2>&1 || {
        echo 'There is no docker here: install Docker, or leave DRIVER=docker away.' >&2
        exit 1
    }
    docker version >/dev/null || exit 1 # it has said why
}

compose() {
    if docker compose version >/dev/null 2>&1; then
        docker compose -p "$project" "$@"
    elif command -v docker-compose >/dev/null 2>&1; then
        docker-compose -p "$project" "$@"
    else
        echo 'There is no docker compose here: apt-get install docker-compose, or Docker'"'"'s own.' >&2
        exit 1
    fi
}

make_image() {
    docker build -t "${ROOST_IMAGE:-roost}" ${BASE:+--build-arg "BASE=$BASE"} .
}

# The networks of that name that roost has made, outside of compose: compose wants its own.
remove_networks() {
    for network in $(docker network ls -q --filter "label=io.roost.node$1" --filter name=^roost$); do
        docker network rm "$network" >/dev/null 2>&1 || true
    done
}

remove_replicas() {
    containers=$(docker ps -aq --filter "label=io.roost.node=$node")
    # shellcheck disable=SC2086 # ids are words
    [ -z "$containers" ] || docker rm -f -v $containers >/dev/null
}

balancer() {
    compose ps -q roost 2>/dev/null
}

# At the published port, as a user would ask; without curl from inside.
serves() {
    if command -v curl >/dev/null 2>&1; then
        curl -fs -m 2 -o /dev/null "http://127.0.0.1:$port/home"
        return
    fi
    docker exec "$1" roost load http://127.0.0.1:5000/home -n 1 -q --timeout 2s --json 2>/dev/null |
        grep -q '"200"'
}

# What was there before stays, for its pool.
give_up() {
    echo "$1" >&2
    compose logs --tail 20 >&2 || true
    [ -n "$was_there" ] || down
    exit 1
}

up() {
    make_image
    remove_networks ''
    mkdir -p run
    was_there=$([ ! -e "$marker" ] || echo yes)
    : >"$marker"
    compose up -d --no-build "$@" ||
        give_up "roost did not start. If port $port is taken, try: make up DRIVER=docker PORT=$((port + 2))"
    waited=0
    until serves "$(balancer)"; do
        [ "$waited" -lt "$wait_s" ] || give_up "roost does not serve after $wait_s s:"
        waited=$((waited + 1))
        sleep 1
    done
    cat <<END
roost serves (container $(docker ps --format '{{.Names}}' --filter "id=$(balancer)"))
  traffic    http://127.0.0.1:$port
  control    docker exec $(docker ps --format '{{.Names}}' --filter "id=$(balancer)") roost ctl status
  try        curl http://127.0.0.1:$port/home
  log        docker logs $(docker ps --format '{{.Names}}' --filter "id=$(balancer)"); make down ends it
END
}

down() {
    compose stop >/dev/null 2>&1 || true
    remove_replicas
    compose down -v --remove-orphans
    remove_networks "=$node"
    rm -f "$marker"
}

case ${1:-} in
is-wanted) [ "${DRIVER:-}" = docker ] ;;
is-up) [ "${DRIVER:-}" = docker ] || [ -e "$marker" ] ;;
image)
    need_docker
    make_image
    ;;
up)
    need_docker
    up
    ;;
restart)
    need_docker
    up --force-recreate
    ;;
logs)
    need_docker
    compose logs --tail 100 -f roost
    ;;
down)
    # Only what was started from here; nothing where there is no Docker.
    [ -e "$marker" ] || [ "${DRIVER:-}" = docker ] || exit 0
    need_docker
    down
    ;;
clean)
    has_docker || exit 0
    remove_replicas
    remove_networks "=$node"
    docker image prune -af --filter label=io.roost.image=roost >/dev/null
    ;;
*)
    echo "usage: $0 is-wanted | is-up | image | up | restart | logs | down | clean" >&2
    exit 2
    ;;
esac
