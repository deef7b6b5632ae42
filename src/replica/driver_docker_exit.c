#include "replica/driver_docker_exit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One line for each hierarchy, with the whole path. */
#define CGROUP_TEXT_BYTES 8192
#define CGROUP_PATH_BYTES 64

static bool is_in_cgroup(pid_t pid, const char *container)
{
    char path[CGROUP_PATH_BYTES];
    char text[CGROUP_TEXT_BYTES];
    ssize_t size = -1;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (size < 0)
        return false;
    text[size] = '\0';
    return strstr(text, container) != NULL;
}

int driver_docker_exit_open(pid_t pid, const char *container)
{
    /* First the descriptor, then the look: what it refers to cannot change any more. */
    int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

    if (fd < 0)
        return -ESRCH;
    if (is_in_cgroup(pid, container))
        return fd;
    close(fd);
    return -ESRCH;
}
