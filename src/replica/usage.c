#include "replica/usage.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "replica/handle.h"
#include "replica/proc.h"

#define PERCENT 100.0

/* One run of one replica, and what was found of it so far. */
struct usage_target {
    pid_t pid;
    uint32_t seat;
    uint32_t incarnation;
    uint64_t cpu_ticks;
    uint64_t memory_pages;
    bool is_found;
    bool is_another; /* its pid is another process's by now */
};

/* The replica of a target, or NULL where that run is over. */
static struct replica *replica_of(const struct usage *usage, const struct usage_target *target)
{
    struct replica *replica = usage->supervisor->seats[target->seat];

    return replica && replica->incarnation == target->incarnation ? replica : NULL;
}

static void note(struct replica *replica, uint64_t cpu_us, uint64_t memory_bytes, uint64_t now_us)
{
    struct replica_usage *usage = &replica->usage;
    bool has_earlier = usage->read_us && now_us > usage->read_us;
    uint64_t used_us = cpu_us > usage->cpu_us ? cpu_us - usage->cpu_us : 0;

    if (has_earlier) {
        usage->cpu_percent = PERCENT * (double)used_us / (double)(now_us - usage->read_us);
        usage->has_percent = true;
    }
    usage->cpu_us = cpu_us;
    usage->memory_bytes = memory_bytes;
    usage->read_us = now_us;
}

/* ---- processes ---- */

static int compare_pids(const void *a, const void *b)
{
    pid_t one = ((const struct usage_target *)a)->pid;
    pid_t two = ((const struct usage_target *)b)->pid;

    return (one > two) - (one < two);
}

static bool is_the_same(const struct replica *replica, const struct proc_stat *stat)
{
    struct handle handle;

    return handle_from_text(replica->handle, &handle) == 0 &&
           handle.start_ticks == stat->start_ticks;
}

static void count_process(struct usage *usage, pid_t pid)
{
    struct usage_target *target;
    const struct replica *replica;
    struct usage_target key;
    struct proc_stat stat;

    if (proc_read_stat(pid, &stat) < 0)
        return;
    key = (struct usage_target){.pid = stat.session};
    target = bsearch(&key, usage->targets, usage->process_count, sizeof(key), compare_pids);
    replica = target ? replica_of(usage, target) : NULL;
    if (!replica)
        return;
    if (pid == target->pid && !is_the_same(replica, &stat))
        target->is_another = true;
    target->is_found = true;
    target->cpu_ticks += stat.cpu_ticks;
    target->memory_pages += stat.memory_pages;
}

/* False once all were seen. */
static bool read_processes(struct usage *usage)
{
    for (unsigned i = 0; i < USAGE_PIECE_PROCESSES; i++) {
        const struct dirent *entry = readdir(usage->processes);
        uint64_t pid;

        if (!entry)
            return false;
        if (view_to_number(view_of(entry->d_name), INT32_MAX, &pid) == 0)
            count_process(usage, (pid_t)pid);
    }
    return true;
}

static void note_processes(struct usage *usage)
{
    uint64_t tick_us = CLOCK_US_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

    for (unsigned i = 0; i < usage->process_count; i++) {
        const struct usage_target *target = &usage->targets[i];
        struct replica *replica = replica_of(usage, target);

        if (replica && target->is_found && !target->is_another)
            note(replica, target->cpu_ticks * tick_us, target->memory_pages * page_bytes,
                 usage->supervisor->loop->now_us);
    }
}

/* ---- containers ---- */

static void read_container(const struct usage *usage, const struct usage_target *target)
{
    struct replica *replica = replica_of(usage, target);
    struct proc_group_usage used;
    struct proc_group group;

    if (!replica || proc_find_group(target->pid, replica->handle, &group) < 0 ||
        proc_read_group(NULL, &group, &used) < 0)
        return;
    note(replica, used.cpu_us, used.memory_bytes, usage->supervisor->loop->now_us);
}

/* False once all were read. */
static bool read_containers(struct usage *usage)
{
    for (unsigned i = 0; i < USAGE_PIECE_CONTAINERS && usage->next < usage->target_count; i++)
        read_container(usage, &usage->targets[usage->next++]);
    return usage->next < usage->target_count;
}

/* ---- a reading, in pieces ---- */

static void collect_targets(struct usage *usage, bool has_containers)
{
    LIST_FOR_EACH (at, &usage->supervisor->all) {
        const struct replica *replica = CONTAINER_OF(at, struct replica, list);
        pid_t pid = has_containers ? replica->container_pid : replica->pid;

        if (pid > 0)
            usage->targets[usage->target_count++] = (struct usage_target){
                .pid = pid, .seat = replica->seat, .incarnation = replica->incarnation};
    }
}

static void end_reading(struct usage *usage)
{
    if (usage->processes)
        closedir(usage->processes);
    usage->processes = NULL;
    free(usage->targets);
    usage->targets = NULL;
}

static void begin_reading(struct usage *usage)
{
    /* A replica is a process or a container. */
    usage->targets = memory_allocate((usage->supervisor->count + 1) * sizeof(*usage->targets));
    usage->target_count = 0;
    collect_targets(usage, false);
    usage->process_count = usage->target_count;
    usage->next = usage->process_count;
    qsort(usage->targets, usage->process_count, sizeof(*usage->targets), compare_pids);
    collect_targets(usage, true);
    usage->processes = usage->process_count ? opendir("/proc") : NULL;
    usage->read_us = usage->supervisor->loop->now_us;
}

static uint64_t rest_us(const struct usage *usage)
{
    uint64_t now_us = usage->supervisor->loop->now_us;

    if (usage->looked_us && now_us - usage->looked_us < USAGE_WATCH_US)
        return USAGE_LOOKED_US;
    return USAGE_REST_US;
}

/* False once nothing is left to be read. */
static bool read_piece(struct usage *usage)
{
    if (!usage->processes)
        return read_containers(usage);
    if (read_processes(usage))
        return true;
    note_processes(usage);
    closedir(usage->processes);
    usage->processes = NULL;
    return usage->next < usage->target_count;
}

static void on_timer(struct timer *timer)
{
    struct usage *usage = CONTAINER_OF(timer, struct usage, timer);

    if (!usage->targets)
        begin_reading(usage);
    if (read_piece(usage)) {
        loop_start_timer(usage->supervisor->loop, timer, USAGE_PIECE_US);
        return;
    }
    end_reading(usage);
    loop_start_timer(usage->supervisor->loop, timer, rest_us(usage));
}

void usage_init(struct usage *usage, const struct supervisor *supervisor)
{
    *usage = (struct usage){.supervisor = supervisor};
    timer_init(&usage->timer, on_timer);
    loop_start_timer(supervisor->loop, &usage->timer, USAGE_LOOKED_US);
}

void usage_finish(struct usage *usage)
{
    timer_stop(&usage->timer);
    end_reading(usage);
}

void usage_look(struct usage *usage)
{
    struct loop *loop = usage->supervisor->loop;
    uint64_t since_us = loop->now_us - usage->read_us;

    usage->looked_us = loop->now_us;
    if (!usage->targets)
        loop_start_timer(loop, &usage->timer,
                         since_us < USAGE_LOOKED_US ? USAGE_LOOKED_US - since_us : 0);
}
