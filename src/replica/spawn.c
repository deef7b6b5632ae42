#include "replica/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "replica/handle.h"

void spawn_file_name(const char *name, pid_t pid, char file[SPAWN_FILE_BYTES])
{
    snprintf(file, SPAWN_FILE_BYTES, "%.64s@%d.run", name, (int)pid);
}

/* ---- in the new process ---- */

/* The kernel's own call: the library keeps two signals to itself, which may have been inherited as
 * ignored all the same. All zeroes is SIG_DFL. */
static void reset_signals(void)
{
    const unsigned long default_action[4] = {0};
    sigset_t none;

    for (int signal_number = 1; signal_number < NSIG; signal_number++)
        syscall(SYS_rt_sigaction, signal_number, default_action, NULL, NSIG / 8);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int set_files(const struct spawn_order *order)
{
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
        dup2(order->output_fd, STDOUT_FILENO) < 0 || dup2(order->output_fd, STDERR_FILENO) < 0)
        return -errno;
    if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return -errno;
    return 0;
}

/* Under another name first, so that no half of it is ever read. */
static int write_handle(const struct spawn_order *order)
{
    char file[SPAWN_FILE_BYTES];
    char half[SPAWN_FILE_BYTES + 8];
    char text[HANDLE_TEXT_BYTES];
    struct handle handle;
    int result = handle_of_pid(getpid(), order->port, &handle);
    int fd;

    if (result < 0)
        return result;
    handle_to_text(&handle, text);
    spawn_file_name(order->name, handle.pid, file);
    snprintf(half, sizeof(half), "%s.half", file);
    fd =
        openat(order->folder_fd, half, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        result = errno ? -errno : -ENOSPC;
    close(fd);
    if (result == 0 && renameat(order->folder_fd, half, order->folder_fd, file) < 0)
        result = -errno;
    if (result < 0)
        unlinkat(order->folder_fd, half, 0);
    return result;
}

static void become_command(const struct spawn_order *order, struct spawn_failure *failure)
{
    char file[SPAWN_FILE_BYTES];

    reset_signals();
    failure->step = SPAWN_SESSION;
    failure->error = setsid() < 0 ? -errno : 0;
    if (failure->error)
        return;
    failure->step = SPAWN_FILES;
    failure->error = set_files(order);
    if (failure->error)
        return;
    failure->step = SPAWN_HANDLE;
    failure->error = write_handle(order);
    if (failure->error)
        return;
    execvpe(order->argv[0], order->argv, order->environment);
    failure->step = SPAWN_EXEC;
    failure->error = -errno;
    spawn_file_name(order->name, getpid(), file);
    unlinkat(order->folder_fd, file, 0);
}

static _Noreturn void run_child(const struct spawn_order *order, int error_fd)
{
    struct spawn_failure failure = {0};

    become_command(order, &failure);
    if (write(error_fd, &failure, sizeof(failure)) < 0)
        _exit(126);
    _exit(127);
}

/* ---- in ours ---- */

static int open_pid(pid_t pid, struct spawned *spawned, struct error *why)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (fd < 0) {
        int code = -errno;

        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return error_set(why, code, "pidfd_open: %s", strerror(-code));
    }
    spawned->pid = pid;
    spawned->pid_fd = fd;
    return 0;
}

int spawn_start(const struct spawn_order *order, struct spawned *spawned, struct error *why)
{
    int pipe_fds[2];
    pid_t pid;
    int result;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return error_set(why, -errno, "pipe: %s", strerror(errno));
    pid = fork();
    if (pid < 0) {
        result = error_set(why, -errno, "fork: %s", strerror(errno));
    } else if (pid == 0) {
        run_child(order, pipe_fds[1]);
    } else {
        result = open_pid(pid, spawned, why);
    }
    close(pipe_fds[1]);
    if (result == 0)
        result = descriptor_set_nonblocking(pipe_fds[0], true);
    if (result < 0) {
        close(pipe_fds[0]);
        return result;
    }
    spawned->error_fd = pipe_fds[0];
    return 0;
}

void spawn_explain(const struct spawn_failure *failure, const char *command, struct error *why)
{
    const char *reason = strerror(-failure->error);

    switch (failure->step) {
    case SPAWN_EXEC:
        error_set(why, 0, "cannot run '%s': %s", command, reason);
        return;
    case SPAWN_HANDLE:
        error_set(why, 0, "cannot write the file with the pid: %s", reason);
        return;
    case SPAWN_FILES:
        error_set(why, 0, "cannot set up its standard files: %s", reason);
        return;
    default:
        error_set(why, 0, "cannot make a session for it: %s", reason);
        return;
    }
}
