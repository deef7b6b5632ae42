#include "control/leftover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/log.h"
#include "base/memory.h"
#include "control/node.h"
#include "control/recruit.h"
#include "control/takeover.h"
#include "replica/driver_docker.h"
#include "replica/driver_process.h"
#include "replica/supervisor.h"

#define SERVICES_MAX 256
#define DRAIN_MS     10000
#define GRACE_MS     5000
#define QUEUED_BYTES (1u << 20)

/* ---- workers ---- */

static void on_workers_gone(void *owner)
{
    loop_stop(owner);
}

static int end_workers(struct folder *folder, struct error *why)
{
    struct takeover takeover = {.on_gone = on_workers_gone};
    struct loop loop;
    int result = loop_init(&loop, why);

    if (result < 0)
        return result;
    takeover.owner = &loop;
    takeover_begin(&takeover, &loop, folder);
    if (!takeover_is_over(&takeover)) {
        takeover_drain(&takeover, DRAIN_MS);
        loop_run(&loop);
    }
    takeover_finish(&takeover);
    loop_finish(&loop);
    return 0;
}

/* ---- replicas ---- */

/* A supervisor that wants nothing. */
struct sweep {
    struct loop loop;
    struct sock_group socks;
    struct supervisor supervisor;
    struct replica_plan plans[SERVICES_MAX];
    char services[SERVICES_MAX][FOLDER_NAME_BYTES];
    unsigned count;
};

/* What an earlier keeper ran, and how that is found again. */
struct kind {
    const char *folder;
    int (*find)(struct sweep *sweep, const struct folder *folder, const char *service,
                struct driver **driver, struct error *why);
};

static void on_gone(void *owner, struct replica *replica)
{
    (void)owner;
    (void)replica;
}

static const struct supervisor_events sweep_events = {.on_gone = on_gone};

static void on_stopped(void *owner)
{
    struct sweep *sweep = owner;

    loop_stop(&sweep->loop);
}

/* One that can find and end processes, and start none. */
static int find_processes(struct sweep *sweep, const struct folder *folder, const char *service,
                          struct driver **driver, struct error *why)
{
    static const char *const nothing[] = {"false", NULL};
    char path[FOLDER_PATH_BYTES + FOLDER_NAME_BYTES + 16];
    struct driver_process_settings settings = {.folder = path, .command = nothing};

    snprintf(path, sizeof(path), "%s/%s/%s", folder->run, RECRUIT_PROCESSES, service);
    return driver_process_create(&sweep->loop, &settings, driver, why);
}

/* The same for containers. */
static int find_containers(struct sweep *sweep, const struct folder *folder, const char *service,
                           struct driver **driver, struct error *why)
{
    struct dockhand_charter charter = {.image = "none", .network = "roost", .port = 1};
    int result = node_name(folder, charter.node, why);

    if (result < 0)
        return result;
    snprintf(charter.service, sizeof(charter.service), "%s", service);
    charter.env = json_array();
    result = driver_docker_create(&sweep->loop, &charter, NULL, NULL, driver, why);
    dockhand_charter_finish(&charter);
    return result;
}

static int add_service(struct sweep *sweep, const struct folder *folder, const struct kind *kind,
                       const char *service, struct error *why)
{
    struct replica_plan *plan = &sweep->plans[sweep->count];
    char *name = sweep->services[sweep->count];
    int result = view_to_text(view_of(service), name, FOLDER_NAME_BYTES);

    if (result < 0)
        return 0; /* no folder of ours */
    *plan = (struct replica_plan){.service = name, .grace_ms = GRACE_MS};
    result = kind->find(sweep, folder, service, &plan->driver, why);
    if (result < 0)
        return result;
    sweep->count++;
    supervisor_sweep(&sweep->supervisor, plan);
    return 0;
}

static const struct kind processes = {RECRUIT_PROCESSES, find_processes};
static const struct kind containers = {RECRUIT_CONTAINERS, find_containers};

static bool is_kept(const char *const *kept, unsigned count, const char *service)
{
    for (unsigned i = 0; i < count; i++) {
        if (strcmp(kept[i], service) == 0)
            return true;
    }
    return false;
}

static int add_services(struct sweep *sweep, struct folder *folder, const struct kind *kind,
                        const char *const *kept, unsigned kept_count, struct error *why)
{
    int fd = openat(folder->run_fd, kind->folder, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    DIR *files = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *file;
    int result = 0;

    if (!files) {
        descriptor_close(&fd);
        return 0;
    }
    while (result == 0 && sweep->count < SERVICES_MAX && (file = readdir(files))) {
        if (file->d_name[0] != '.' && !is_kept(kept, kept_count, file->d_name))
            result = add_service(sweep, folder, kind, file->d_name, why);
    }
    closedir(files);
    return result;
}

static int run_sweep(struct sweep *sweep, struct folder *folder, const char *const *kept,
                     unsigned kept_count, struct error *why)
{
    int result;

    sock_group_init(&sweep->socks, &sweep->loop, QUEUED_BYTES);
    supervisor_init(&sweep->supervisor, &sweep->socks, &sweep_events, sweep);
    result = add_services(sweep, folder, &processes, kept, kept_count, why);
    if (result == 0)
        result = add_services(sweep, folder, &containers, kept, kept_count, why);
    if (result == 0 && sweep->count) {
        supervisor_stop(&sweep->supervisor, 0, on_stopped, sweep);
        loop_run(&sweep->loop);
    }
    supervisor_finish(&sweep->supervisor);
    for (unsigned i = 0; i < sweep->count; i++)
        driver_destroy(sweep->plans[i].driver);
    loop_finish(&sweep->loop);
    sock_group_finish(&sweep->socks);
    return result;
}

int leftover_end_replicas(struct folder *folder, const char *const *kept, unsigned count,
                          struct error *why)
{
    struct sweep *sweep = memory_allocate(sizeof(*sweep));
    int result = loop_init(&sweep->loop, why);

    if (result == 0)
        result = run_sweep(sweep, folder, kept, count, why);
    free(sweep);
    return result;
}

int leftover_end(struct folder *folder, struct error *why)
{
    int result = end_workers(folder, why);

    return result < 0 ? result : leftover_end_replicas(folder, NULL, 0, why);
}
