#include "experiment/experiment_pool.h"

#include <errno.h>

#include "experiment/experiment_call.h"

#define PATH_BYTES 256
#define BODY_BYTES 256

static int change(struct experiment_rig *rig, const char *method, const char *path,
                  const char *name, uint64_t *took_us, struct error *why)
{
    struct experiment_answer answer;
    char body[BODY_BYTES];
    int result;

    snprintf(body, sizeof(body), "{\"n\":1,\"hostnames\":[\"%s\"]}", name);
    result = experiment_call(rig, EXPERIMENT_CONTROL, method, path, body, &answer, why);
    if (result < 0)
        return result;
    *took_us = answer.took_us;
    if (answer.status != 200)
        result = error_set(why, -EPROTO, "%s %s: %u %s", path, name, answer.status, answer.body);
    experiment_call_finish(&answer);
    return result;
}

int experiment_pool_add(struct experiment_rig *rig, const char *name, uint64_t *took_us,
                        struct error *why)
{
    return change(rig, "POST", "/add", name, took_us, why);
}

int experiment_pool_remove(struct experiment_rig *rig, const char *name, uint64_t *took_us,
                           struct error *why)
{
    return change(rig, "DELETE", "/rm", name, took_us, why);
}

/* "Server 1" -> "/v1/replicas/Server%201": names have no other byte that needs it. */
static void make_path(const char *name, char path[PATH_BYTES])
{
    char *at = path + snprintf(path, PATH_BYTES, "/v1/replicas/");

    for (; *name && at < path + PATH_BYTES - 4; name++) {
        if (*name == ' ')
            at += sprintf(at, "%%20");
        else
            *at++ = *name;
    }
    *at = '\0';
}

int experiment_pool_look(struct experiment_rig *rig, const char *name,
                         struct experiment_replica *replica, struct error *why)
{
    struct experiment_answer answer;
    char path[PATH_BYTES];
    const char *state;
    int result;

    make_path(name, path);
    result = experiment_call(rig, EXPERIMENT_CONTROL, "GET", path, NULL, &answer, why);
    if (result < 0)
        return result;
    state = json_string_value(json_object_get(answer.json, "state"));
    *replica = (struct experiment_replica){
        .pid = (pid_t)json_integer_value(json_object_get(answer.json, "pid")),
        .incarnation = (unsigned)json_integer_value(json_object_get(answer.json, "incarnation")),
        .is_up = state && strcmp(state, "up") == 0,
    };
    snprintf(replica->state, sizeof(replica->state), "%s", state ? state : "");
    if (!state)
        result = error_set(why, -EPROTO, "%s: %u %s", path, answer.status, answer.body);
    experiment_call_finish(&answer);
    return result;
}

int experiment_pool_digest(struct experiment_rig *rig, char digest[BALANCE_DIGEST_TEXT_BYTES],
                           struct error *why)
{
    struct experiment_answer answer;
    const char *text;
    int result = experiment_call(rig, EXPERIMENT_CONTROL, "GET", "/stats", NULL, &answer, why);

    if (result < 0)
        return result;
    text = json_string_value(json_object_get(json_object_get(answer.json, "ring"), "digest"));
    snprintf(digest, BALANCE_DIGEST_TEXT_BYTES, "%s", text ? text : "");
    experiment_call_finish(&answer);
    return 0;
}
