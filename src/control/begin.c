#include "control/begin.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "control/leftover.h"
#include "control/remember.h"

static int begin_pool(struct state *state, const struct config_service *service, bool *is_usable,
                      struct state_pool *pool, struct error *why)
{
    struct state_pool known;
    enum remember_result remembered;
    int result = state_load(state, service->name, &known, why);

    if (result < 0)
        return result;
    remembered = remember_pool(service, &known, pool);
    *is_usable = service->replicas.driver != CONFIG_DRIVER_STATIC &&
                 !remember_is_other_kind(service, &known);
    pool->is_redeclared = remembered == REMEMBER_CHANGED;
    if (pool->is_redeclared)
        log_event(LOG_WARN, "pool.redeclared", LOG_TEXT("service", service->name),
                  LOG_NUMBER("replicas_before", known.count), LOG_NUMBER("replicas", pool->count),
                  LOG_TEXT("reason", "the declaration has changed: the difference is applied"));
    state_forget_pool(&known);
    if (remembered == REMEMBER_SAME)
        return 0;
    return state_replace(state, service->name, pool, why);
}

int begin_pools(struct state *state, struct folder *folder, const struct config *config,
                struct state_pool *pools, struct error *why)
{
    const char **names = memory_allocate(config->service_count * sizeof(*names));
    const char **kept = memory_allocate(config->service_count * sizeof(*kept));
    unsigned kept_count = 0;
    int result = 0;

    for (unsigned i = 0; result == 0 && i < config->service_count; i++) {
        bool is_usable = false;

        names[i] = config->services[i].name;
        result = begin_pool(state, &config->services[i], &is_usable, &pools[i], why);
        if (is_usable)
            kept[kept_count++] = names[i];
    }
    if (result == 0)
        result = state_keep_services(state, names, config->service_count, why);
    if (result == 0)
        result = leftover_end_replicas(folder, kept, kept_count, why);
    free(names);
    free(kept);
    return result;
}
