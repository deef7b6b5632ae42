#include "replica/driver_process.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/memory.h"
#include "replica/command.h"
#include "replica/handle.h"
#include "replica/output.h"
#include "replica/spawn.h"

/* Of the files with handles in one folder, read by list(). */
#define FOUND_MAX 8192

struct driver_process {
    struct driver driver;
    struct loop *loop;
    struct command command;
    int folder_fd;
    uint64_t output_bytes_max;
    struct list runs;
    struct timer check; /* of the output files, while there are runs */
    unsigned starts;
    struct ready listing;
    driver_found_fn on_found; /* of the listing that is asked for, or NULL */
    void *found_owner;
};

struct process_run {
    struct driver_run run;
    struct list list;
    struct watch exit;
    struct watch error; /* fd -1 once the command runs */
    struct ready ready; /* an adoption that is to be told */
    struct timer grace;
    uint64_t kill_at_us; /* 0: not asked to stop */
    struct garbage garbage;
    struct handle handle;
    char name[DRIVER_NAME_BYTES];
    bool is_child; /* else it was adopted */
    bool is_started;
};

static struct driver_process *process_of(struct driver *driver)
{
    return CONTAINER_OF(driver, struct driver_process, driver);
}

static struct driver_process *driver_of(const struct process_run *run)
{
    return process_of(run->run.driver);
}

/* ---- the end of a run ---- */

static void free_run(struct garbage *garbage)
{
    free(CONTAINER_OF(garbage, struct process_run, garbage));
}

/* Nothing more is heard of it. */
static void release(struct process_run *run)
{
    struct driver_process *self = driver_of(run);

    loop_remove(self->loop, &run->exit);
    loop_remove(self->loop, &run->error);
    descriptor_close(&run->exit.fd);
    descriptor_close(&run->error.fd);
    timer_stop(&run->grace);
    ready_cancel(&run->ready);
    list_remove(&run->list);
    if (list_is_empty(&self->runs))
        timer_stop(&self->check);
    loop_dispose(self->loop, &run->garbage, free_run);
}

static void remove_file(const struct process_run *run)
{
    char file[SPAWN_FILE_BYTES];

    spawn_file_name(run->name, run->handle.pid, file);
    unlinkat(driver_of(run)->folder_fd, file, 0);
}

static enum driver_end explain_exit(const struct process_run *run, const siginfo_t *status,
                                    char *text, size_t capacity)
{
    char line[OUTPUT_LINE_BYTES] = "";
    int value = status->si_status;
    const char *signal_name;

    if (status->si_pid == 0) {
        snprintf(text, capacity, "ended");
        return DRIVER_LOST;
    }
    if (status->si_code != CLD_EXITED) {
        signal_name = sigabbrev_np(value);
        snprintf(text, capacity, "killed by SIG%s", signal_name ? signal_name : "?");
        return value == SIGKILL || value == SIGTERM || value == SIGINT ? DRIVER_KILLED
                                                                       : DRIVER_EXITED;
    }
    if (!run->kill_at_us)
        output_last_line(driver_of(run)->folder_fd, run->name, line);
    if (line[0])
        snprintf(text, capacity, "exit status %d: %s", value, line);
    else
        snprintf(text, capacity, "exit status %d", value);
    return DRIVER_EXITED;
}

/* Its status, and with that its pid is free. The rest of its group is ended before: as long as the
 * process is not waited for, nobody else can have its pid. Of an adopted one, which is nobody's
 * child here, the kernel may have forgotten it already; pids are given in turn, so what has this
 * group's number a moment later is still this group. */
static void collect(struct process_run *run, siginfo_t *status)
{
    *status = (siginfo_t){0};
    kill(-run->handle.pid, SIGKILL);
    if (run->is_child && waitid(P_PIDFD, (id_t)run->exit.fd, status, WEXITED | WNOHANG) < 0)
        *status = (siginfo_t){0};
}

static void tell_started(struct process_run *run)
{
    struct driver_started started = {.pid = run->handle.pid};
    int result = address_from_ip(VIEW("127.0.0.1"), run->handle.port, &started.address);

    assert(result == 0);
    handle_to_text(&run->handle, started.handle);
    run->is_started = true;
    run->run.events->on_started(&run->run, &started);
}

static void fail(struct process_run *run, const char *why)
{
    siginfo_t status;

    collect(run, &status);
    if (run->is_child && status.si_pid == 0)
        waitid(P_PID, (id_t)run->handle.pid, &status, WEXITED);
    remove_file(run);
    run->run.events->on_failed(&run->run, -ENOEXEC, why);
    release(run);
}

/* Has the new process become the command? 1 yes, 0 not yet; -1 it has not and that was told. */
static int read_error(struct process_run *run)
{
    struct driver_process *self = driver_of(run);
    struct spawn_failure failure;
    struct error why;
    ssize_t size = read(run->error.fd, &failure, sizeof(failure));

    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (size == (ssize_t)sizeof(failure)) {
        spawn_explain(&failure, command_program(&self->command), &why);
        fail(run, why.text);
        return -1;
    }
    loop_remove(self->loop, &run->error);
    descriptor_close(&run->error.fd);
    return 1;
}

/* False where it was let go meanwhile, or nothing is known of it any more. */
static bool start_told(struct process_run *run)
{
    if (handle_of_pid(run->handle.pid, run->handle.port, &run->handle) < 0)
        return false;
    tell_started(run);
    return run->exit.fd >= 0;
}

static void on_error_pipe(struct watch *watch, uint32_t events)
{
    struct process_run *run = CONTAINER_OF(watch, struct process_run, error);

    (void)events;
    if (read_error(run) == 1)
        (void)start_told(run);
}

static void on_exit_news(struct watch *watch, uint32_t events)
{
    struct process_run *run = CONTAINER_OF(watch, struct process_run, exit);
    char text[DRIVER_WHY_BYTES];
    enum driver_end end;
    siginfo_t status;

    (void)events;
    if (run->error.fd >= 0 && (read_error(run) < 0 || !start_told(run)))
        return;
    collect(run, &status);
    end = explain_exit(run, &status, text, sizeof(text));
    remove_file(run);
    if (run->is_started)
        run->run.events->on_ended(&run->run, end, text);
    else
        run->run.events->on_failed(&run->run, -ENOEXEC, text);
    release(run);
}

/* ---- stop ---- */

static void send_signal(const struct process_run *run, int signal_number)
{
    /* Before it has made its session there is no group of its own. */
    if (kill(-run->handle.pid, signal_number) < 0 && errno == ESRCH)
        syscall(SYS_pidfd_send_signal, run->exit.fd, signal_number, NULL, 0);
}

static void on_grace(struct timer *timer)
{
    send_signal(CONTAINER_OF(timer, struct process_run, grace), SIGKILL);
}

static void stop(struct driver_run *driver_run, uint32_t grace_ms)
{
    struct process_run *run = CONTAINER_OF(driver_run, struct process_run, run);
    struct loop *loop = driver_of(run)->loop;
    uint64_t kill_at_us = loop->now_us + grace_ms * CLOCK_US_PER_MS;

    if (grace_ms == 0) {
        run->kill_at_us = kill_at_us;
        send_signal(run, SIGKILL);
        return;
    }
    /* One SIGTERM is enough: to many programs the second one means "without delay". */
    if (!run->kill_at_us)
        send_signal(run, SIGTERM);
    if (run->kill_at_us && run->kill_at_us <= kill_at_us)
        return;
    run->kill_at_us = kill_at_us;
    timer_start(&loop->wheel, &run->grace, kill_at_us);
}

static void let_go(struct driver_run *driver_run)
{
    release(CONTAINER_OF(driver_run, struct process_run, run));
}

/* ---- start and adopt ---- */

static bool is_used(void *owner, const char *name)
{
    struct driver_process *self = owner;

    LIST_FOR_EACH (at, &self->runs) {
        if (strcmp(CONTAINER_OF(at, struct process_run, list)->name, name) == 0)
            return true;
    }
    return false;
}

static void on_check(struct timer *timer)
{
    struct driver_process *self = CONTAINER_OF(timer, struct driver_process, check);

    LIST_FOR_EACH (at, &self->runs)
        output_limit(self->folder_fd, CONTAINER_OF(at, struct process_run, list)->name,
                     self->output_bytes_max);
    loop_start_timer(self->loop, timer, DRIVER_PROCESS_CHECK_US);
}

static void on_adopted(struct ready *ready)
{
    tell_started(CONTAINER_OF(ready, struct process_run, ready));
}

static struct process_run *create_run(struct driver_process *self, const char *name,
                                      const struct driver_events *events, void *holder)
{
    struct process_run *run = memory_allocate(sizeof(*run));

    run->run = (struct driver_run){.driver = &self->driver, .events = events, .holder = holder};
    run->exit.fd = -1;
    run->error.fd = -1;
    snprintf(run->name, sizeof(run->name), "%s", name);
    ready_init(&run->ready, on_adopted);
    timer_init(&run->grace, on_grace);
    list_init(&run->list);
    list_append(&self->runs, &run->list);
    if (!timer_is_running(&self->check))
        loop_start_timer(self->loop, &self->check, DRIVER_PROCESS_CHECK_US);
    return run;
}

static int watch_run(struct driver_process *self, struct process_run *run, struct error *why)
{
    int result = loop_add(self->loop, &run->exit, EPOLLIN, on_exit_news);

    if (result == 0 && run->error.fd >= 0)
        result = loop_add(self->loop, &run->error, EPOLLIN, on_error_pipe);
    if (result < 0)
        return error_set(why, result, "epoll: %s", strerror(-result));
    return 0;
}

static int spawn(struct driver_process *self, const struct driver_order *order, int port,
                 struct spawned *spawned, struct error *why)
{
    struct spawn_order spawn_order = {
        .folder_fd = self->folder_fd, .name = order->name, .port = (uint16_t)port};
    struct command_words words;
    int result = command_fill(&self->command, order->name, (uint16_t)port, &words, why);

    if (result < 0)
        return result;
    spawn_order.argv = words.argv;
    spawn_order.environment = words.environment;
    spawn_order.output_fd = output_open(self->folder_fd, order->name);
    if (spawn_order.output_fd < 0)
        result = error_set(why, spawn_order.output_fd, "cannot open its output file: %s",
                           strerror(-spawn_order.output_fd));
    else
        result = spawn_start(&spawn_order, spawned, why);
    descriptor_close(&spawn_order.output_fd);
    command_words_finish(&words);
    return result;
}

static int start(struct driver *driver, const struct driver_order *order,
                 const struct driver_events *events, void *holder, struct driver_run **run,
                 struct error *why)
{
    struct driver_process *self = process_of(driver);
    uint16_t wanted = order->previous ? address_port(order->previous) : 0;
    struct spawned spawned;
    struct process_run *started;
    int port;
    int result;

    if (strchr(order->name, '/') || order->name[0] == '.')
        return error_set(why, -EINVAL, "'%s' is no name for a process", order->name);
    if (self->starts++ % OUTPUT_FILES_MAX == 0)
        output_prune(self->folder_fd, is_used, self);
    port = ports_choose(order->ports, order->id, wanted);
    if (port < 0)
        return error_set(why, port, "no free port: %s", strerror(-port));
    ports_release(order->ports, order->id, (uint16_t)port);
    result = spawn(self, order, port, &spawned, why);
    if (result < 0)
        return result;
    started = create_run(self, order->name, events, holder);
    started->is_child = true;
    started->handle = (struct handle){.pid = spawned.pid, .port = (uint16_t)port};
    started->exit.fd = spawned.pid_fd;
    started->error.fd = spawned.error_fd;
    result = watch_run(self, started, why);
    if (result < 0) {
        kill(spawned.pid, SIGKILL);
        waitid(P_PID, (id_t)spawned.pid, &(siginfo_t){0}, WEXITED);
        remove_file(started);
        release(started);
        return result;
    }
    *run = &started->run;
    return 0;
}

static int adopt(struct driver *driver, const struct driver_order *order, const char *text,
                 const struct driver_events *events, void *holder, struct driver_run **run,
                 struct error *why)
{
    struct driver_process *self = process_of(driver);
    struct process_run *adopted;
    struct handle handle;
    int result = handle_from_text(text, &handle);
    int fd;

    if (result < 0)
        return error_set(why, result, "'%s' is no handle of a process", text);
    fd = handle_open(&handle);
    if (fd < 0)
        return error_set(why, fd, "pid %d is gone or is another process by now", (int)handle.pid);
    adopted = create_run(self, order->name, events, holder);
    adopted->handle = handle;
    adopted->exit.fd = fd;
    result = watch_run(self, adopted, why);
    if (result < 0) {
        release(adopted);
        return result;
    }
    ports_claim(order->ports, order->id, handle.port);
    loop_make_ready(self->loop, &adopted->ready);
    *run = &adopted->run;
    return 0;
}

/* ---- list ---- */

struct found {
    struct handle handle;
    char name[DRIVER_NAME_BYTES];
};

/* "NAME@PID.run" whose process runs; the file of one that does not is removed. */
static bool read_found(const struct driver_process *self, const char *file, struct found *found)
{
    const char *at = strrchr(file, '@');
    char text[HANDLE_TEXT_BYTES];
    ssize_t size;
    int fd;

    if (!at || (size_t)(at - file) >= sizeof(found->name) || !strstr(at, ".run") ||
        strcmp(strstr(at, ".run"), ".run") != 0)
        return false;
    fd = openat(self->folder_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    size = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[size > 0 ? size : 0] = '\0';
    fd = handle_from_text(text, &found->handle) == 0 ? handle_open(&found->handle) : -ESRCH;
    if (fd < 0) {
        unlinkat(self->folder_fd, file, 0);
        return false;
    }
    close(fd);
    memcpy(found->name, file, (size_t)(at - file));
    found->name[at - file] = '\0';
    return true;
}

/* The newest first: of two of one name the older one was on its way out. */
static int compare_newest_first(const void *a, const void *b)
{
    uint64_t one = ((const struct found *)a)->handle.start_ticks;
    uint64_t two = ((const struct found *)b)->handle.start_ticks;

    return one < two ? 1 : one > two ? -1 : 0;
}

static const char *list_folder(struct driver_process *self)
{
    int fd = openat(self->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    struct found *found;
    struct dirent *entry;
    unsigned count = 0;

    if (!folder)
        return "its folder cannot be read";
    found = memory_allocate(FOUND_MAX * sizeof(*found));
    while (count < FOUND_MAX && (entry = readdir(folder)) != NULL) {
        if (read_found(self, entry->d_name, &found[count]))
            count++;
    }
    closedir(folder);
    qsort(found, count, sizeof(*found), compare_newest_first);
    for (unsigned i = 0; i < count; i++) {
        char text[HANDLE_TEXT_BYTES];

        handle_to_text(&found[i].handle, text);
        self->on_found(self->found_owner, found[i].name, text, NULL);
    }
    free(found);
    return NULL;
}

static void on_listing(struct ready *ready)
{
    struct driver_process *self = CONTAINER_OF(ready, struct driver_process, listing);
    const char *why = list_folder(self);
    driver_found_fn on_found = self->on_found;

    self->on_found = NULL;
    on_found(self->found_owner, NULL, NULL, why);
}

static void list(struct driver *driver, driver_found_fn on_found, void *owner)
{
    struct driver_process *self = process_of(driver);

    assert(!self->on_found);
    self->on_found = on_found;
    self->found_owner = owner;
    loop_make_ready(self->loop, &self->listing);
}

/* ---- birth and end of the driver ---- */

static void destroy(struct driver *driver)
{
    struct driver_process *self = process_of(driver);

    assert(list_is_empty(&self->runs));
    ready_cancel(&self->listing);
    timer_stop(&self->check);
    descriptor_close(&self->folder_fd);
    command_finish(&self->command);
    free(self);
}

static const struct driver_calls calls = {
    .name = "process",
    .start = start,
    .adopt = adopt,
    .list = list,
    .stop = stop,
    .let_go = let_go,
    .destroy = destroy,
};

int driver_process_create(struct loop *loop, const struct driver_process_settings *settings,
                          struct driver **driver, struct error *why)
{
    struct driver_process *self;
    struct command command;
    int folder_fd;
    int result = command_init(&command, settings->command, settings->env, why);

    if (result < 0)
        return result;
    folder_fd = open(settings->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0) {
        result = error_set(why, -errno, "%s: %s", settings->folder, strerror(errno));
        command_finish(&command);
        return result;
    }
    self = memory_allocate(sizeof(*self));
    self->driver = (struct driver){.calls = &calls, .can_restart = true};
    self->loop = loop;
    self->command = command;
    self->folder_fd = folder_fd;
    self->output_bytes_max =
        settings->output_bytes_max ? settings->output_bytes_max : DRIVER_PROCESS_OUTPUT_BYTES;
    list_init(&self->runs);
    timer_init(&self->check, on_check);
    ready_init(&self->listing, on_listing);
    *driver = &self->driver;
    return 0;
}
