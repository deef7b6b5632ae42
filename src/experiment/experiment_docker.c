#include "experiment/experiment_docker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "replica/dockhand_charter.h"

#define ASK_MS      10000u
#define REMOVE_MS   30000u
#define SWEEP_TRIES 40
#define SWEEP_US    (250 * CLOCK_US_PER_MS) /* before what would not go is tried again */
#define TURN_US     (100 * CLOCK_US_PER_MS)

/* ---- calls ---- */

static void on_done(void *owner, const struct engine_answer *answer)
{
    struct experiment_docker_call *call = owner;

    call->call = NULL;
    call->status = answer->status;
    if (answer->body.size)
        call->body = json_loadb(answer->body.data, answer->body.size, 0, NULL);
    if (answer->status < 0)
        snprintf(call->why, sizeof(call->why), "%s", answer->why);
}

static void begin(struct experiment_docker *docker, struct experiment_docker_call *call,
                  enum method method, const char *path, uint32_t timeout_ms)
{
    const struct engine_request request = {
        .method = method,
        .path = path,
        .timeout_ms = timeout_ms,
        .done = on_done,
        .owner = call,
    };

    *call = (struct experiment_docker_call){0};
    docker->engine.loop->now_us = clock_now_us();
    call->call = engine_ask(&docker->engine, &request);
}

static void forget(struct experiment_docker_call *call)
{
    json_decref(call->body);
    *call = (struct experiment_docker_call){0};
}

/* The Engine ends each call within its time, so that this ends. */
static void wait_for(struct experiment_docker *docker, const struct experiment_docker_call *call)
{
    while (call->call)
        loop_turn(docker->engine.loop, TURN_US);
}

static int check(const struct experiment_docker_call *call, struct error *why)
{
    const char *message = json_string_value(json_object_get(call->body, "message"));

    if (call->status < 0)
        return error_set(why, call->status, "%s", call->why);
    if (call->status && call->status / 100 != 2)
        return error_set(why, call->status == 404 ? -ENOENT : -EPROTO,
                         "the Docker Engine answers %d: %s", call->status,
                         message ? message : "without a reason");
    return 0;
}

int experiment_docker_await(struct experiment_docker *docker, struct experiment_docker_call *call,
                            struct error *why)
{
    int result;

    wait_for(docker, call);
    result = check(call, why);
    forget(call);
    return result;
}

/* Asks and waits; `body` (may be NULL) is the caller's. */
static int ask(struct experiment_docker *docker, enum method method, const char *path,
               uint32_t timeout_ms, json_t **body, struct error *why)
{
    struct experiment_docker_call call;
    int result;

    begin(docker, &call, method, path, timeout_ms);
    wait_for(docker, &call);
    result = check(&call, why);
    if (body && result == 0)
        *body = json_incref(call.body);
    forget(&call);
    return result;
}

/* ---- is it there? ---- */

static int check_engine(struct experiment_docker *docker, struct error *why)
{
    struct error reason;
    json_t *body = NULL;
    const char *version;
    int result = ask(docker, METHOD_GET, "/version", ASK_MS, &body, &reason);

    if (result < 0)
        return error_set(why, result,
                         "--driver docker: %s. Start Docker or set DOCKER_HOST; --driver process "
                         "needs none",
                         reason.text);
    version = json_string_value(json_object_get(body, "Version"));
    snprintf(docker->version, sizeof(docker->version), "%s", version ? version : "unknown");
    json_decref(body);
    return 0;
}

static int check_image(struct experiment_docker *docker, struct error *why)
{
    char path[ENGINE_PATH_BYTES] = "/images/";
    struct error reason;
    int result = -ENOENT;

    if (strlen(docker->image) < DOCKHAND_CHARTER_IMAGE_BYTES &&
        engine_escape(path, docker->image) == 0) {
        snprintf(path + strlen(path), sizeof(path) - strlen(path), "/json");
        result = ask(docker, METHOD_GET, path, ASK_MS, NULL, &reason);
    }
    if (result == -ENOENT)
        return error_set(why, result,
                         "there is no image '%.100s' here: make image builds 'roost', --image says "
                         "another",
                         docker->image);
    if (result < 0)
        return error_set(why, result, "the image '%.100s': %s", docker->image, reason.text);
    return 0;
}

int experiment_docker_init(struct experiment_docker *docker, struct sock_group *socks,
                           const char *image, struct error *why)
{
    int result;

    *docker = (struct experiment_docker){.image = image};
    snprintf(docker->node, sizeof(docker->node), "roost-experiment-%012" PRIx64,
             random_next() & UINT64_C(0xffffffffffff));
    result = engine_init(&docker->engine, socks, getenv("DOCKER_HOST"), why);
    if (result < 0)
        return result;
    result = check_engine(docker, why);
    if (result == 0)
        result = check_image(docker, why);
    if (result < 0)
        engine_finish(&docker->engine);
    return result;
}

/* ---- containers ---- */

/* `filters` is the callee's. */
static void append_filters(json_t *filters, char *path)
{
    char *text = json_dumps(filters, JSON_COMPACT);

    if (engine_escape(path, text) < 0)
        abort(); /* names of ours are short */
    free(text);
    json_decref(filters);
}

static json_t *node_label(const struct experiment_docker *docker)
{
    return json_sprintf("%s=%s", DOCKHAND_LABEL_NODE, docker->node);
}

int experiment_docker_find(struct experiment_docker *docker, const char *replica,
                           char container[DOCKHAND_ORDER_ID_BYTES], struct error *why)
{
    char path[ENGINE_PATH_BYTES] = "/containers/json?filters=";
    json_t *body = NULL;
    const char *id;
    int result;

    append_filters(json_pack("{s:[o,o]}", "label", node_label(docker),
                             json_sprintf("%s=%s", DOCKHAND_LABEL_REPLICA, replica)),
                   path);
    result = ask(docker, METHOD_GET, path, ASK_MS, &body, why);
    if (result < 0)
        return result;
    id = json_string_value(json_object_get(json_array_get(body, 0), "Id"));
    if (id && dockhand_order_is_container(id))
        snprintf(container, DOCKHAND_ORDER_ID_BYTES, "%s", id);
    else
        result = error_set(why, -ENOENT, "%s has no running container", replica);
    json_decref(body);
    return result;
}

void experiment_docker_signal(struct experiment_docker *docker, const char *container, int signal,
                              struct experiment_docker_call *call)
{
    char path[ENGINE_PATH_BYTES];

    snprintf(path, sizeof(path), "/containers/%s/kill?signal=%d", container, signal);
    begin(docker, call, METHOD_POST, path, ASK_MS);
}

/* ---- nothing is left ---- */

/* Deletes what the list at `path` names; how many are still there, or -errno. */
static int remove_listed(struct experiment_docker *docker, const char *list, const char *item,
                         const char *flags, struct error *why)
{
    char path[ENGINE_PATH_BYTES];
    json_t *body = NULL;
    const json_t *one;
    int left = 0;
    int result;
    size_t i;

    snprintf(path, sizeof(path), "%s", list);
    append_filters(json_pack("{s:[o]}", "label", node_label(docker)), path);
    result = ask(docker, METHOD_GET, path, ASK_MS, &body, why);
    if (result < 0)
        return result;
    json_array_foreach(body, i, one)
    {
        const char *id = json_string_value(json_object_get(one, "Id"));

        snprintf(path, sizeof(path), "%s%.*s%s", item, DOCKHAND_ORDER_ID_BYTES, id ? id : "",
                 flags);
        result = ask(docker, METHOD_DELETE, path, REMOVE_MS, NULL, why);
        left += result < 0 && result != -ENOENT;
    }
    json_decref(body);
    return left;
}

static int remove_all(struct experiment_docker *docker, struct error *why)
{
    int left = remove_listed(docker, "/containers/json?all=1&filters=", "/containers/",
                             "?force=1&v=1", why);

    return left ? left : remove_listed(docker, "/networks?filters=", "/networks/", "", why);
}

void experiment_docker_finish(struct experiment_docker *docker)
{
    struct error why;
    int left = -EAGAIN;

    for (int i = 0; i < SWEEP_TRIES && left; i++) {
        uint64_t end_us = clock_now_us() + SWEEP_US;

        left = remove_all(docker, &why);
        while (left && clock_now_us() < end_us)
            loop_turn(docker->engine.loop, SWEEP_US);
    }
    if (left)
        fprintf(stderr,
                "roost experiment: something is left of it: %s. Look for the label %s=%s with "
                "docker ps -a and docker network ls\n",
                why.text, DOCKHAND_LABEL_NODE, docker->node);
    engine_finish(&docker->engine);
}
