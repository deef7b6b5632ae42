#include "replica/dockhand_nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "replica/dockhand.h"

/* This process's end, or -1. */
static int nursery_fd = -1;

void dockhand_nursery_become(int fd)
{
    char name[] = "roost";
    char word[] = "dockhand";
    char *arguments[] = {name, word, NULL};
    sigset_t none;
    int null;

    setsid();
    /* Its parent is whoever looks after orphans: nobody here waits for children of this kind. */
    if (fork() != 0)
        _exit(0);
    null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    if (fd == DOCKHAND_FD)
        fcntl(fd, F_SETFD, 0);
    else if (dup2(fd, DOCKHAND_FD) < 0)
        _exit(126);
    close_range(DOCKHAND_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    execv("/proc/self/exe", arguments);
    _exit(127);
}

/* The descriptor that came with the next byte; -1 without one, -2 at the end. */
static int take(int from)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    const struct cmsghdr *found;
    ssize_t size = recvmsg(from, &message, MSG_CMSG_CLOEXEC);
    int fd;

    if (size <= 0)
        return size < 0 && errno == EINTR ? -1 : -2;
    found = CMSG_FIRSTHDR(&message);
    if (!found || found->cmsg_type != SCM_RIGHTS || found->cmsg_len != CMSG_LEN(sizeof(int)))
        return -1;
    memcpy(&fd, CMSG_DATA(found), sizeof(fd));
    return fd;
}

static void nurse(int from)
{
    int fd;

    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    setsid();
    while ((fd = take(from)) != -2) {
        pid_t pid;

        if (fd < 0)
            continue;
        pid = fork();
        if (pid == 0)
            dockhand_nursery_become(fd);
        close(fd);
        while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    _exit(0);
}

int dockhand_nursery_start(struct error *why)
{
    int ends[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_set(why, -errno, "socketpair: %s", strerror(errno));
    pid = fork();
    if (pid == 0) {
        close(ends[0]);
        /* In two steps, so that the keeper has no child it does not wait for. */
        if (fork() == 0)
            nurse(ends[1]);
        _exit(0);
    }
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return error_set(why, -errno, "fork: %s", strerror(errno));
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    nursery_fd = ends[0];
    return 0;
}

bool dockhand_nursery_is_there(void)
{
    return nursery_fd >= 0;
}

int dockhand_nursery_ask(int fd, struct error *why)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char byte = 0;
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &fd, sizeof(fd));
    if (sendmsg(nursery_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return error_set(why, -errno, "no dockhand can be started any more: %s", strerror(errno));
    return 0;
}
