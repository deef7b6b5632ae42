#include "replica/dockhand_charter.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attribute.h"
#include "replica/driver.h"

/* The least the Engine takes. */
#define MEMORY_BYTES_LEAST (6u << 20)

/* ---- what is refused ---- */

static bool is_word(const char *text, const char *more, size_t capacity)
{
    size_t size = strlen(text);

    if (size == 0 || size >= capacity || !isalnum((unsigned char)text[0]))
        return false;
    for (; *text; text++) {
        if (!isalnum((unsigned char)*text) && !strchr(more, *text))
            return false;
    }
    return true;
}

/* Networks that are none: those of the host, of another container, or of nobody. */
static bool is_network(const char *name)
{
    static const char *const refused[] = {"host", "none", "default"};

    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        if (strcasecmp(name, refused[i]) == 0)
            return false;
    }
    return is_word(name, "_.-", DOCKHAND_CHARTER_NETWORK_BYTES);
}

static bool is_env(const char *text)
{
    if (!isalpha((unsigned char)*text) && *text != '_')
        return false;
    while (isalnum((unsigned char)*text) || (*text && strchr("_.-", *text)))
        text++;
    return *text == '=';
}

static int check_env(const json_t *env, struct error *why)
{
    size_t bytes = 0;
    const json_t *item;
    size_t i;

    if (!json_is_array(env) || json_array_size(env) > DOCKHAND_CHARTER_ENV_MAX)
        return error_set(why, -EINVAL, "the environment of a container has at most %d variables",
                         DOCKHAND_CHARTER_ENV_MAX);
    json_array_foreach(env, i, item)
    {
        if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item) ||
            !is_env(json_string_value(item)))
            return error_set(why, -EINVAL, "a variable of the environment is no NAME=value");
        bytes += json_string_length(item) + 1;
    }
    if (bytes > DOCKHAND_CHARTER_ENV_BYTES_MAX)
        return error_set(why, -EINVAL, "the environment of a container has at most %u bytes",
                         DOCKHAND_CHARTER_ENV_BYTES_MAX);
    return 0;
}

struct raw {
    const char *node;
    const char *service;
    const char *image;
    const char *network;
    json_int_t port;
    json_int_t memory;
    json_int_t cpus;
    json_int_t pids;
    json_t *env;
};

static int check(const struct raw *raw, struct error *why)
{
    if (!is_word(raw->node, "_.-", DOCKHAND_CHARTER_NODE_BYTES))
        return error_set(why, -EINVAL, "'%.40s' names no node", raw->node);
    if (!is_word(raw->service, "_.- ", DOCKHAND_CHARTER_SERVICE_BYTES))
        return error_set(why, -EINVAL, "'%.100s' names no service", raw->service);
    if (!is_word(raw->image, "_.-/:@", DOCKHAND_CHARTER_IMAGE_BYTES))
        return error_set(why, -EINVAL, "'%.100s' names no image", raw->image);
    if (!is_network(raw->network))
        return error_set(why, -EINVAL,
                         "'%.64s' is no network for replicas: a name of its own, not host or none",
                         raw->network);
    if (raw->port < 1 || raw->port > UINT16_MAX)
        return error_set(why, -EINVAL, "%lld is no port", (long long)raw->port);
    if (raw->memory < 0 || (raw->memory && raw->memory < (json_int_t)MEMORY_BYTES_LEAST))
        return error_set(why, -EINVAL, "a container cannot live in %lld bytes of memory",
                         (long long)raw->memory);
    if (raw->cpus < 0 || raw->pids < 0 || raw->pids > INT32_MAX)
        return error_set(why, -EINVAL, "a limit of a container is out of range");
    return check_env(raw->env, why);
}

/* ---- text ---- */

#define FORMAT "{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:o}"

static int read_root(struct dockhand_charter *charter, json_t *root, struct error *why)
{
    struct raw raw;
    json_error_t wrong;
    int result;

    if (json_unpack_ex(root, &wrong, JSON_STRICT, FORMAT, "node", &raw.node, "service",
                       &raw.service, "image", &raw.image, "network", &raw.network, "port",
                       &raw.port, "memory", &raw.memory, "cpus", &raw.cpus, "pids", &raw.pids,
                       "env", &raw.env) < 0)
        return error_set(why, -EINVAL, "this is no charter: %.150s", wrong.text);
    result = check(&raw, why);
    if (result < 0)
        return result;
    *charter = (struct dockhand_charter){
        .port = (uint16_t)raw.port,
        .memory_bytes = (uint64_t)raw.memory,
        .nano_cpus = (uint64_t)raw.cpus,
        .pids = (uint32_t)raw.pids,
        .env = json_incref(raw.env),
    };
    snprintf(charter->node, sizeof(charter->node), "%s", raw.node);
    snprintf(charter->service, sizeof(charter->service), "%s", raw.service);
    snprintf(charter->image, sizeof(charter->image), "%s", raw.image);
    snprintf(charter->network, sizeof(charter->network), "%s", raw.network);
    return 0;
}

int dockhand_charter_read(struct dockhand_charter *charter, struct view text, struct error *why)
{
    json_error_t wrong;
    json_t *root = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, &wrong);
    int result;

    if (!root)
        return error_set(why, -EINVAL, "this is no charter: %.150s", wrong.text);
    result = read_root(charter, root, why);
    json_decref(root);
    return result;
}

char *dockhand_charter_write(const struct dockhand_charter *charter)
{
    json_t *root = json_pack(
        "{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:O}", "node", charter->node, "service", charter->service,
        "image", charter->image, "network", charter->network, "port", (json_int_t)charter->port,
        "memory", (json_int_t)charter->memory_bytes, "cpus", (json_int_t)charter->nano_cpus, "pids",
        (json_int_t)charter->pids, "env", charter->env);
    char *text = json_dumps(root, JSON_COMPACT);

    json_decref(root);
    return text;
}

void dockhand_charter_finish(struct dockhand_charter *charter)
{
    json_decref(charter->env);
    charter->env = NULL;
}

/* ---- containers ---- */

static bool has_env(const json_t *env, const char *name)
{
    size_t size = strlen(name);
    const json_t *item;
    size_t i;

    json_array_foreach(env, i, item)
    {
        const char *text = json_string_value(item);

        if (strncmp(text, name, size) == 0 && text[size] == '=')
            return true;
    }
    return false;
}

static json_t *environment_of(const struct dockhand_charter *charter, const char *replica)
{
    json_t *env = json_copy(charter->env);

    if (!has_env(env, "SERVER_ID"))
        json_array_append_new(env, json_sprintf("SERVER_ID=%s", driver_server_id(replica)));
    if (!has_env(env, "PORT"))
        json_array_append_new(env, json_sprintf("PORT=%u", charter->port));
    return env;
}

/* Not the swap beside the memory: a limit is a limit. */
static void set_limits(json_t *host, const struct dockhand_charter *charter)
{
    if (charter->memory_bytes) {
        json_object_set_new(host, "Memory", json_integer((json_int_t)charter->memory_bytes));
        json_object_set_new(host, "MemorySwap", json_integer((json_int_t)charter->memory_bytes));
    }
    if (charter->nano_cpus)
        json_object_set_new(host, "NanoCpus", json_integer((json_int_t)charter->nano_cpus));
    if (charter->pids)
        json_object_set_new(host, "PidsLimit", json_integer((json_int_t)charter->pids));
}

char *dockhand_charter_body(const struct dockhand_charter *charter, const char *replica)
{
    json_t *host = json_pack("{s:s,s:{s:s},s:{s:s,s:{s:s,s:s}}}", "NetworkMode", charter->network,
                             "RestartPolicy", "Name", "no", "LogConfig", "Type", "json-file",
                             "Config", "max-size", DOCKHAND_CHARTER_OUTPUT_SIZE, "max-file",
                             DOCKHAND_CHARTER_OUTPUT_FILES);
    json_t *root;
    char *text;

    set_limits(host, charter);
    root = json_pack("{s:s,s:o,s:{s:s,s:s,s:s},s:o}", "Image", charter->image, "Env",
                     environment_of(charter, replica), "Labels", DOCKHAND_LABEL_NODE, charter->node,
                     DOCKHAND_LABEL_SERVICE, charter->service, DOCKHAND_LABEL_REPLICA, replica,
                     "HostConfig", host);
    text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static bool is_text(const json_t *value, const char *text)
{
    return json_is_string(value) && strcmp(json_string_value(value), text) == 0;
}

bool dockhand_charter_owns(const struct dockhand_charter *charter, const json_t *labels)
{
    return is_text(json_object_get(labels, DOCKHAND_LABEL_NODE), charter->node) &&
           is_text(json_object_get(labels, DOCKHAND_LABEL_SERVICE), charter->service);
}
