#include "control/memory_limit.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES_MAX 4096

/* "max", a missing or an unreadable file limit nothing. */
static uint64_t limit_in(const char *path)
{
    FILE *file = fopen(path, "re");
    unsigned long long limit;

    if (!file)
        return UINT64_MAX;
    if (fscanf(file, "%llu", &limit) != 1)
        limit = UINT64_MAX;
    fclose(file);
    return limit;
}

/* From that group upwards. In a container the path may be one of the machine: only its root is
 * there. */
static uint64_t least_above(const char *mount, char *group, const char *name)
{
    uint64_t least = UINT64_MAX;

    for (;;) {
        char path[PATH_MAX];
        char *last = strrchr(group, '/');

        if (snprintf(path, sizeof(path), "%s%s/%s", mount, group, name) < (int)sizeof(path)) {
            uint64_t limit = limit_in(path);

            least = limit < least ? limit : least;
        }
        if (!last)
            return least;
        *last = '\0';
    }
}

static bool names_memory(char *controllers)
{
    char *name;

    while ((name = strsep(&controllers, ",")))
        if (strcmp(name, "memory") == 0)
            return true;
    return false;
}

/* A line is "0::/path" in version 2 and "4:cpu,memory:/path" in version 1. */
static uint64_t limit_of_line(char *line, const char *mount)
{
    char *number = strsep(&line, ":");
    char *controllers = strsep(&line, ":");
    char root[PATH_MAX];

    if (!number || !controllers || !line)
        return UINT64_MAX;
    if (!*controllers)
        return least_above(mount, line, "memory.max");
    if (!names_memory(controllers) ||
        snprintf(root, sizeof(root), "%s/memory", mount) >= (int)sizeof(root))
        return UINT64_MAX;
    return least_above(root, line, "memory.limit_in_bytes");
}

uint64_t memory_limit_of(const char *groups, const char *mount)
{
    FILE *file = fopen(groups, "re");
    uint64_t least = UINT64_MAX;
    char line[LINE_BYTES_MAX];

    if (!file)
        return least;
    while (fgets(line, sizeof(line), file)) {
        uint64_t limit;

        line[strcspn(line, "\n")] = '\0';
        limit = limit_of_line(line, mount);
        least = limit < least ? limit : least;
    }
    fclose(file);
    return least;
}

uint64_t memory_limit_bytes(void)
{
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t limit = memory_limit_of("/proc/self/cgroup", "/sys/fs/cgroup");

    return limit && limit < machine ? limit : machine;
}
