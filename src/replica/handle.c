#include "replica/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "replica/proc.h"

static int read_file(const char *path, char *text, size_t capacity)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size;

    if (fd < 0)
        return -errno;
    size = read(fd, text, capacity - 1);
    close(fd);
    if (size <= 0)
        return size < 0 ? -errno : -ESRCH;
    text[size] = '\0';
    return 0;
}

static int read_boot(char boot[HANDLE_BOOT_BYTES])
{
    char text[64];
    int result = read_file("/proc/sys/kernel/random/boot_id", text, sizeof(text));

    if (result < 0)
        return result;
    snprintf(boot, HANDLE_BOOT_BYTES, "%.8s", text);
    return 0;
}

int handle_of_pid(pid_t pid, uint16_t port, struct handle *handle)
{
    struct handle found = {.pid = pid, .port = port};
    struct proc_stat stat;
    int result = proc_read_stat(pid, &stat);

    if (result < 0)
        return result;
    found.start_ticks = stat.start_ticks;
    result = read_boot(found.boot);
    if (result == 0)
        *handle = found;
    return result;
}

void handle_to_text(const struct handle *handle, char text[HANDLE_TEXT_BYTES])
{
    snprintf(text, HANDLE_TEXT_BYTES, "pid=%d start=%llu boot=%s port=%u", (int)handle->pid,
             (unsigned long long)handle->start_ticks, handle->boot, handle->port);
}

int handle_from_text(const char *text, struct handle *handle)
{
    struct handle found = {0};
    unsigned long long start_ticks;
    int used = 0;
    int pid;

    if (sscanf(text, "pid=%9d start=%19llu boot=%8[0-9a-f] port=%5hu%n", &pid, &start_ticks,
               found.boot, &found.port, &used) != 4 ||
        text[used] || pid <= 1)
        return -EINVAL;
    found.pid = pid;
    found.start_ticks = start_ticks;
    *handle = found;
    return 0;
}

/* A dead one that nobody has waited for yet still has its pid. */
static bool has_ended(int pid_fd)
{
    struct pollfd poll_fd = {.fd = pid_fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) > 0;
}

int handle_open(const struct handle *handle)
{
    /* First the descriptor, then the comparison: what it refers to cannot change any more. */
    int fd = (int)syscall(SYS_pidfd_open, handle->pid, 0);
    struct handle now;
    int result;

    if (fd < 0)
        return -errno;
    result = handle_of_pid(handle->pid, handle->port, &now);
    if (result == 0 &&
        (now.start_ticks != handle->start_ticks || strcmp(now.boot, handle->boot) != 0))
        result = -ESRCH;
    if (result == 0 && has_ended(fd))
        result = -ESRCH;
    if (result == 0)
        return fd;
    close(fd);
    return result;
}
