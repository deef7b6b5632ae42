#include "experiment/experiment_plot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "experiment/experiment_script.h"

#define PYTHON          "/usr/bin/python3"
#define NO_MATPLOTLIB   3 /* the script's answer */
#define COULD_NOT_START 127

/* In the child. Debian's Python first: that is where its matplotlib is; a shim may hide it. */
static void become(int script, const char *folder, const char *name)
{
    char *arguments[] = {"python3", "-", (char *)folder, (char *)name, NULL};
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    /* What it says is about the work; standard output is the result's. */
    if (dup2(script, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        _exit(COULD_NOT_START);
    execv(PYTHON, arguments);
    execvp("python3", arguments);
    _exit(COULD_NOT_START);
}

static void write_script(int fd)
{
    size_t done = 0;

    while (done < experiment_script_bytes) {
        ssize_t size = write(fd, experiment_script + done, experiment_script_bytes - done);

        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return;
        done += (size_t)size;
    }
}

/* The exit status of the script, or -errno. */
static int run_script(const char *folder, const char *name)
{
    int ends[2];
    int status = 0;
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    child = fork();
    if (child == 0)
        become(ends[0], folder, name);
    close(ends[0]);
    if (child > 0)
        write_script(ends[1]);
    close(ends[1]);
    if (child < 0)
        return -EAGAIN;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

int experiment_plot(const char *folder, const char *name, struct error *why)
{
    int status = run_script(folder, name);

    if (status == 0)
        return 0;
    if (status == NO_MATPLOTLIB || status == COULD_NOT_START) {
        fprintf(stderr,
                "No pictures: they need Python 3 and matplotlib (Debian, Ubuntu: apt-get install\n"
                "python3-matplotlib). Afterwards: roost experiment plot %s\n",
                folder);
        return 0;
    }
    return error_set(why, status < 0 ? status : -EIO, "the pictures could not be drawn");
}
