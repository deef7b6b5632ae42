#include "replica/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define STAT_BYTES  1024
#define GROUP_BYTES 8192 /* of a file about a group */
#define FILE_BYTES  (PROC_PATH_BYTES + 64)
#define ROOT        "/sys/fs/cgroup"

/* Fields of /proc/PID/stat after the name, proc(5) counts them from 3. */
enum field {
    FIELD_STATE = 3,
    FIELD_SESSION = 6,
    FIELD_CPU_FIRST = 14, /* utime, stime, cutime, cstime */
    FIELD_CPU_LAST = 17,
    FIELD_START = 22,
    FIELD_MEMORY = 24,
};

#define NS_PER_US 1000u

static int read_file(const char *path, char *bytes, size_t capacity, struct view *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    ssize_t more = 0;

    if (fd < 0)
        return -errno;
    while (size < capacity && (more = read(fd, bytes + size, capacity - size)) > 0)
        size += (size_t)more;
    if (more < 0) {
        int result = -errno;

        close(fd);
        return result;
    }
    close(fd);
    *text = (struct view){bytes, size};
    return 0;
}

/* Takes what stands before `end` off the front, and `end`. */
static struct view take_until(struct view *text, char end)
{
    size_t size = view_find(*text, end);
    struct view part = view_first(*text, size);

    *text = view_after(*text, size + 1);
    return part;
}

/* ---- /proc/PID/stat ---- */

/* The name is in parentheses and may hold anything, parentheses, spaces and line breaks too: it
 * ends with the last one. */
static struct view after_name(struct view text)
{
    const char *end = text.size ? memrchr(text.data, ')', text.size) : NULL;

    if (!end)
        return (struct view){NULL, 0};
    return view_after(text, (size_t)(end - text.data) + 2);
}

static int take_field(struct proc_stat *stat, int field, struct view word)
{
    uint64_t number;
    /* Times of children are signed in the kernel and never below zero. */
    int result = view_to_number(word, UINT64_MAX, &number);

    if (field == FIELD_STATE) {
        stat->state = word.size ? word.data[0] : '\0';
        return word.size == 1 ? 0 : -EBADMSG;
    }
    if (field != FIELD_SESSION && field != FIELD_START && field != FIELD_MEMORY &&
        (field < FIELD_CPU_FIRST || field > FIELD_CPU_LAST))
        return 0;
    if (result < 0)
        return -EBADMSG;
    if (field == FIELD_SESSION)
        stat->session = (pid_t)number;
    else if (field == FIELD_START)
        stat->start_ticks = number;
    else if (field == FIELD_MEMORY)
        stat->memory_pages = number;
    else
        stat->cpu_ticks += number;
    return 0;
}

int proc_parse_stat(struct view text, struct proc_stat *stat)
{
    struct view rest = after_name(text);
    struct proc_stat found = {0};

    for (int field = FIELD_STATE; field <= FIELD_MEMORY; field++) {
        struct view word = take_until(&rest, ' ');

        if (word.size == 0 || take_field(&found, field, word) < 0)
            return -EBADMSG;
    }
    *stat = found;
    return 0;
}

int proc_read_stat(pid_t pid, struct proc_stat *stat)
{
    char path[32];
    char bytes[STAT_BYTES];
    struct view text;
    int result;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    result = read_file(path, bytes, sizeof(bytes), &text);
    if (result < 0)
        return result == -ENOENT ? -ESRCH : result;
    return proc_parse_stat(text, stat);
}

/* ---- control groups ---- */

static bool has_word(struct view list, struct view word)
{
    struct view one;

    while (view_next_in_list(&list, &one)) {
        if (view_equals(one, word))
            return true;
    }
    return false;
}

/* A line is "NUMBER:CONTROLLERS:PATH"; version 2 has one with number 0 and no controllers. */
static bool take_line(struct view line, const char *container, struct proc_group *group,
                      bool *is_named)
{
    struct view number = take_until(&line, ':');
    struct view controllers = take_until(&line, ':');
    bool is_unified = controllers.size == 0;
    int path_bytes = (int)line.size;

    if (number.size == 0 || line.size == 0 || line.data[0] != '/')
        return false;
    if (line.size > PROC_PATH_BYTES / 2 ||
        !memmem(line.data, line.size, container, strlen(container)))
        return true;
    *is_named = true;
    if (is_unified && !group->cpu[0] && !group->memory[0]) {
        group->is_unified = true;
        snprintf(group->cpu, sizeof(group->cpu), "%.*s", path_bytes, line.data);
        snprintf(group->memory, sizeof(group->memory), "%.*s", path_bytes, line.data);
        return true;
    }
    /* Where a controller is version 1's, version 2 does not count it. */
    if (has_word(controllers, VIEW("cpuacct"))) {
        group->is_unified = false;
        snprintf(group->cpu, sizeof(group->cpu), "/cpuacct%.*s", path_bytes, line.data);
    }
    if (has_word(controllers, VIEW("memory"))) {
        group->is_unified = false;
        snprintf(group->memory, sizeof(group->memory), "/memory%.*s", path_bytes, line.data);
    }
    return true;
}

int proc_parse_group(struct view text, const char *container, struct proc_group *group)
{
    struct proc_group found = {.is_unified = false};
    bool is_named = false;

    if (text.size == 0)
        return -EBADMSG;
    while (text.size) {
        if (!take_line(take_until(&text, '\n'), container, &found, &is_named))
            return -EBADMSG;
    }
    if (!is_named || !container[0])
        return -ENOENT;
    *group = found;
    return 0;
}

int proc_find_group(pid_t pid, const char *container, struct proc_group *group)
{
    char path[32];
    char bytes[GROUP_BYTES];
    struct view text;
    int result;

    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    result = read_file(path, bytes, sizeof(bytes), &text);
    if (result < 0)
        return result == -ENOENT ? -ESRCH : result;
    return proc_parse_group(text, container, group);
}

/* A file that is one number, or the number that stands after `name` in one of "name number" lines.
 */
static int read_number(const char *root, const char *folder, const char *file, const char *name,
                       uint64_t *number)
{
    char path[FILE_BYTES];
    char bytes[GROUP_BYTES];
    struct view text;
    int result;

    snprintf(path, sizeof(path), "%s%s/%s", root ? root : ROOT, folder, file);
    result = read_file(path, bytes, sizeof(bytes), &text);
    if (result < 0)
        return result;
    while (text.size) {
        struct view line = take_until(&text, '\n');

        if (!name || view_equals(take_until(&line, ' '), view_of(name)))
            return view_to_number(line, UINT64_MAX, number);
    }
    return -EBADMSG;
}

int proc_read_group(const char *root, const struct proc_group *group,
                    struct proc_group_usage *usage)
{
    bool is_unified = group->is_unified;
    uint64_t cpu = 0;
    uint64_t memory = 0;
    uint64_t unused = 0;
    int result = is_unified ? read_number(root, group->cpu, "cpu.stat", "usage_usec", &cpu)
                            : read_number(root, group->cpu, "cpuacct.usage", NULL, &cpu);

    if (result == 0)
        result = is_unified
                     ? read_number(root, group->memory, "memory.current", NULL, &memory)
                     : read_number(root, group->memory, "memory.usage_in_bytes", NULL, &memory);
    if (result == 0)
        result = read_number(root, group->memory, "memory.stat",
                             is_unified ? "inactive_file" : "total_inactive_file", &unused);
    if (result < 0)
        return result;
    usage->cpu_us = is_unified ? cpu : cpu / NS_PER_US;
    usage->memory_bytes = memory > unused ? memory - unused : 0;
    return 0;
}
