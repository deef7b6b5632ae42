#include "control/recruit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "replica/driver_process.h"
#include "replica/driver_static.h"

#define SELF "/proc/self/exe"

static int recruit_static(struct loop *loop, const struct config_service *service,
                          struct driver **driver, struct error *why)
{
    const struct config_pairs *pairs = &service->replicas.addresses;
    struct driver_static_place *places = memory_allocate((pairs->count + 1) * sizeof(*places));
    int result = 0;

    for (unsigned i = 0; result == 0 && i < pairs->count; i++) {
        snprintf(places[i].name, sizeof(places[i].name), "%s", pairs->items[i].name);
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

static int make_folder(const struct folder *folder, const char *service, char *path, size_t size,
                       struct error *why)
{
    int length = snprintf(path, size, "%s/replicas", folder->run);

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
    int result = make_folder(folder, service->name, path, sizeof(path), why);

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

int recruit_driver(struct loop *loop, const struct folder *folder,
                   const struct config_service *service, struct driver **driver, struct error *why)
{
    switch (service->replicas.driver) {
    case CONFIG_DRIVER_STATIC:
        return recruit_static(loop, service, driver, why);
    case CONFIG_DRIVER_PROCESS:
        return recruit_process(loop, folder, service, driver, why);
    default:
        return error_set(why, -ENOTSUP, "service %s: the driver '%s' is not there yet",
                         service->name, config_driver_name(service->replicas.driver));
    }
}
