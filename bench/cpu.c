#include "cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_BYTES 1024
#define KILOBYTE   1024
#define NS_PER_S   UINT64_C(1000000000)

/* Fields of /proc/PID/stat behind the name. */
#define FIELD_USER   11
#define FIELD_SYSTEM 12

typedef void (*process_fn)(int pid, void *sum);

static void for_each(const char *pids, process_fn call, void *sum)
{
    while (*pids) {
        char *end;
        long pid = strtol(pids, &end, 10);

        if (end == pids)
            return;
        call((int)pid, sum);
        pids = *end == ',' ? end + 1 : end;
    }
}

static void add_ticks(int pid, struct cpu *sum)
{
    char line[LINE_BYTES];
    char path[64];
    char *at;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    file = fopen(path, "r");
    if (!file)
        return;
    if (!fgets(line, sizeof(line), file))
        line[0] = 0;
    fclose(file);
    at = strrchr(line, ')');
    for (int field = 0; at && field <= FIELD_SYSTEM; field++) {
        at = strchr(at + 1, ' ');
        if (at && field == FIELD_USER)
            sum->user_ticks += strtoull(at, NULL, 10);
        if (at && field == FIELD_SYSTEM)
            sum->system_ticks += strtoull(at, NULL, 10);
    }
}

/* Adds the number behind each line "NAME:" of the process's status. */
static void add_status(int pid, const char *name, uint64_t *sum)
{
    size_t size = strlen(name);
    char line[LINE_BYTES];
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    file = fopen(path, "r");
    if (!file)
        return;
    while (fgets(line, sizeof(line), file)) {
        if (strncmp(line, name, size) == 0 && line[size] == ':')
            *sum += strtoull(line + size + 1, NULL, 10);
    }
    fclose(file);
}

static void add_cpu(int pid, void *sum)
{
    struct cpu *cpu = sum;
    struct timespec time;
    clockid_t clock;

    add_ticks(pid, cpu);
    add_status(pid, "voluntary_ctxt_switches", &cpu->sleeps);
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) < 0)
        return;
    cpu->ns += (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

struct cpu cpu_read(const char *pids)
{
    struct cpu sum = {0};

    for_each(pids, add_cpu, &sum);
    return sum;
}

static void add_memory(int pid, void *sum)
{
    add_status(pid, "RssAnon", sum);
}

uint64_t cpu_anonymous_bytes(const char *pids)
{
    uint64_t sum = 0;

    for_each(pids, add_memory, &sum);
    return sum * KILOBYTE;
}
