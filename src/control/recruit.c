#include "control/recruit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "control/node.h"
#include "net/resolver_host.h"
#include "replica/driver_docker.h"
#include "replica/driver_process.h"
#include "replica/driver_static.h"

#define SELF "/proc/self/exe"

#define NANO_PER_MILLI UINT64_C(1000000)

static int recruit_static(struct loop *loop, const struct config_service *service,
                          struct driver **driver, struct error *why)
{
    const struct config_pairs *pairs = &service->replicas.addresses;
    struct driver_static_place *places = memory_allocate((pairs->count + 1) * sizeof(*places));
    char host[RESOLVER_HOST_BYTES];
    int result = 0;

    for (unsigned i = 0; result == 0 && i < pairs->count; i++) {
        snprintf(places[i].name, sizeof(places[i].name), "%s", pairs->items[i].name);
        if (resolver_host_from_text(view_of(pairs->items[i].value), host, &places[i].port) < 0)
            result = address_from_text(view_of(pairs->items[i].value), &places[i].address, why);
    }
    if (result == 0)
        *driver = driver_static_create(loop, places, pairs->count);
    free(places);
    return result;
}

/* The command, or this program as a sample replica. `self` is its path. */
static const char **command_of(const struct config_replicas *replicas, const char *self)
{
    const struct config_texts *command = &replicas->command;
    const char **words = memory_allocate((command->count + 3) * sizeof(*words));

    for (unsigned i = 0; i < command->count; i++)
        words[i] = command->items[i];
    if (command->count == 0) {
        words[0] = self;
        words[1] = "replica";
    }
    return words;
}

/* "NAME=value", each allocated. */
static char **environment_of(const struct config_pairs *pairs)
{
    char **words = memory_allocate((pairs->count + 1) * sizeof(*words));

    for (unsigned i = 0; i < pairs->count; i++) {
        const struct config_pair *pair = &pairs->items[i];
        size_t size = strlen(pair->name) + strlen(pair->value) + 2;

        words[i] = memory_allocate(size);
        snprintf(words[i], size, "%s=%s", pair->name, pair->value);
    }
    return words;
}

/* RUN/KIND/SERVICE */
static int make_folder(const struct folder *folder, const char *kind, const char *service,
                       char *path, size_t size, struct error *why)
{
    int length = snprintf(path, size, "%s/%s", folder->run, kind);

    if (length < 0 || (size_t)length >= size)
        return error_set(why, -ENAMETOOLONG, "the path of the state folder is too long");
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set(why, -errno, "cannot make the folder %s: %s", path, strerror(errno));
    length += snprintf(path + length, size - (size_t)length, "/%s", service);
    if ((size_t)length >= size)
        return error_set(why, -ENAMETOOLONG, "the path of the state folder is too long");
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return error_set(why, -errno, "cannot make the folder %s: %s", path, strerror(errno));
    return 0;
}

static int recruit_process(struct loop *loop, const struct folder *folder,
                           const struct config_service *service, struct driver **driver,
                           struct error *why)
{
    char path[FOLDER_PATH_BYTES];
    char self[PATH_MAX] = SELF;
    struct driver_process_settings settings = {.folder = path};
    const char **command;
    char **environment;
    int result = make_folder(folder, RECRUIT_PROCESSES, service->name, path, sizeof(path), why);

    if (result < 0)
        return result;
    /* People see it in lists of processes. */
    if (!realpath(SELF, self))
        snprintf(self, sizeof(self), "%s", SELF);
    command = command_of(&service->replicas, self);
    environment = environment_of(&service->replicas.env);
    settings.command = command;
    settings.env = (const char *const *)environment;
    result = driver_process_create(loop, &settings, driver, why);
    for (unsigned i = 0; environment[i]; i++)
        free(environment[i]);
    free(environment);
    free(command);
    return result;
}

/* ---- docker ---- */

/* "NAME=value", an array. */
static json_t *environment_json(const struct config_pairs *pairs)
{
    json_t *env = json_array();

    for (unsigned i = 0; i < pairs->count; i++)
        json_array_append_new(env,
                              json_sprintf("%s=%s", pairs->items[i].name, pairs->items[i].value));
    return env;
}

static int write_charter(const struct folder *folder, const struct config_service *service,
                         struct dockhand_charter *charter, struct error *why)
{
    const struct config_replicas *replicas = &service->replicas;
    const struct config_resources *most = &replicas->resources;

    *charter = (struct dockhand_charter){
        .port = (uint16_t)replicas->port,
        .memory_bytes = most->memory_bytes == CONFIG_UNLIMITED ? 0 : most->memory_bytes,
        .nano_cpus =
            most->cpus_thousandths == CONFIG_OFF ? 0 : most->cpus_thousandths * NANO_PER_MILLI,
        .pids = most->pids == CONFIG_OFF ? 0 : most->pids,
    };
    if (view_to_text(view_of(service->name), charter->service, sizeof(charter->service)) < 0 ||
        view_to_text(view_of(replicas->image), charter->image, sizeof(charter->image)) < 0 ||
        view_to_text(view_of(replicas->network), charter->network, sizeof(charter->network)) < 0)
        return error_set(why, -ENAMETOOLONG, "service %s: its name, image or network is too long",
                         service->name);
    return node_name(folder, charter->node, why);
}

static int recruit_docker(struct loop *loop, const struct folder *folder,
                          const struct config_service *service, struct driver **driver,
                          struct error *why)
{
    char path[FOLDER_PATH_BYTES];
    struct dockhand_charter charter;
    int result = write_charter(folder, service, &charter, why);

    /* It says, also to `roost stop`, that there are containers. */
    if (result == 0)
        result = make_folder(folder, RECRUIT_CONTAINERS, service->name, path, sizeof(path), why);
    if (result < 0)
        return result;
    charter.env = environment_json(&service->replicas.env);
    result = driver_docker_create(loop, &charter, NULL, NULL, driver, why);
    dockhand_charter_finish(&charter);
    return result < 0 ? error_prefix(why, result, "service %s", service->name) : 0;
}

int recruit_driver(struct loop *loop, const struct folder *folder,
                   const struct config_service *service, struct driver **driver, struct error *why)
{
    switch (service->replicas.driver) {
    case CONFIG_DRIVER_STATIC:
        return recruit_static(loop, service, driver, why);
    case CONFIG_DRIVER_PROCESS:
        return recruit_process(loop, folder, service, driver, why);
    case CONFIG_DRIVER_DOCKER:
        return recruit_docker(loop, folder, service, driver, why);
    }
    return error_set(why, -ENOTSUP, "service %s has no driver", service->name);
}
