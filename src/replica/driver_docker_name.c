#include "replica/driver_docker_name.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The least Docker takes. */
#define BYTES_LEAST 2

/* FNV-1a, 32 bits (Fowler, Noll, Vo); the zero at the end keeps the parts apart. */
static uint32_t add_to_hash(uint32_t hash, const char *text)
{
    do {
        hash ^= (unsigned char)*text;
        hash *= 16777619u;
    } while (*text++);
    return hash;
}

void driver_docker_name_make(const char *node, const char *service, const char *replica,
                             bool with_hash, char name[DRIVER_DOCKER_NAME_BYTES])
{
    uint32_t hash = add_to_hash(add_to_hash(add_to_hash(2166136261u, node), service), replica);
    size_t size;

    snprintf(name, DRIVER_DOCKER_NAME_BYTES, "%.*s", DRIVER_NAME_BYTES - 1, replica);
    for (char *at = name; *at; at++) {
        if (*at == ' ')
            *at = '-';
    }
    size = strlen(name);
    if (with_hash || size < BYTES_LEAST)
        snprintf(name + size, DRIVER_DOCKER_NAME_BYTES - size, "-%06x", hash & 0xffffffu);
}
