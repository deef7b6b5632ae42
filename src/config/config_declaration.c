#include "config/config_declaration.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static json_t *texts_of(const struct config_texts *texts)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < texts->count; i++)
        json_array_append_new(list, json_string(texts->items[i]));
    return list;
}

static json_t *pairs_of(const struct config_pairs *pairs)
{
    json_t *map = json_object();

    for (unsigned i = 0; i < pairs->count; i++)
        json_object_set_new(map, pairs->items[i].name, json_string(pairs->items[i].value));
    return map;
}

char *config_declaration_text(const struct config_service *service)
{
    const struct config_replicas *replicas = &service->replicas;
    json_t *declaration =
        json_pack("{s:s, s:i, s:o}", "driver", config_driver_name(replicas->driver), "count",
                  (int)replicas->count, "names", texts_of(&replicas->names));
    char *text;

    if (replicas->driver == CONFIG_DRIVER_PROCESS)
        json_object_set_new(declaration, "command", texts_of(&replicas->command));
    if (replicas->driver == CONFIG_DRIVER_DOCKER)
        json_object_set_new(declaration, "image", json_string(replicas->image));
    if (replicas->driver == CONFIG_DRIVER_STATIC)
        json_object_set_new(declaration, "addresses", pairs_of(&replicas->addresses));
    text = json_dumps(declaration, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(declaration);
    return text;
}

void config_declaration_digest(const struct config *config,
                               char digest[CONFIG_DECLARATION_DIGEST_BYTES])
{
    XXH3_state_t *state = XXH3_createState();
    XXH128_hash_t hash;

    XXH3_128bits_reset(state);
    for (unsigned i = 0; i < config->service_count; i++) {
        const struct config_service *service = &config->services[i];
        char *text = config_declaration_text(service);

        /* With its final zero each text ends where it ends. */
        XXH3_128bits_update(state, service->name, strlen(service->name) + 1);
        XXH3_128bits_update(state, text, strlen(text) + 1);
        free(text);
    }
    hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    snprintf(digest, CONFIG_DECLARATION_DIGEST_BYTES, "%016llx%016llx",
             (unsigned long long)hash.high64, (unsigned long long)hash.low64);
}
