#include "control/workers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "base/memory.h"

#define WATCHDOG_US UINT64_C(500000)

static void look_after(struct timer *timer);
static void on_restart(struct timer *timer);
static void on_look(struct ready *ready);

static struct workers_post *make_posts(struct workers *workers, unsigned count)
{
    struct workers_post *posts = memory_allocate(count * sizeof(*posts));

    for (unsigned i = 0; i < count; i++) {
        posts[i].workers = workers;
        timer_init(&posts[i].restart, on_restart);
    }
    return posts;
}

void workers_init(struct workers *workers, const struct workers_settings *settings)
{
    *workers = (struct workers){
        .loop = settings->loop,
        .folder = settings->folder,
        .listeners = settings->listeners,
        .events = settings->events,
        .owner = settings->owner,
        .count = settings->count,
        .gone = memory_allocate(sizeof(struct counts)),
        .generation = clock_wall_ms(),
        .generations = 1,
        .table_fd = -1,
        .states_fd = settings->states_fd,
        .guests_fd = settings->guests_fd,
        .guests = settings->guests,
        .access_fd = settings->access_fd,
    };
    list_init(&workers->all);
    timer_init(&workers->watchdog, look_after);
    ready_init(&workers->look, on_look);
    workers->posts = make_posts(workers, workers->count);
}

void workers_finish(struct workers *workers)
{
    timer_stop(&workers->watchdog);
    ready_cancel(&workers->look);
    for (unsigned i = 0; i < workers->count; i++)
        timer_stop(&workers->posts[i].restart);
    descriptor_close(&workers->table_fd);
    free(workers->posts);
    free(workers->former);
    free(workers->gone);
    workers->posts = NULL;
    workers->former = NULL;
    workers->gone = NULL;
    workers->count = 0;
}

/* ---- one is gone ---- */

static void destroy_one(struct garbage *garbage)
{
    free(CONTAINER_OF(garbage, struct workers_one, garbage));
}

/* Takes a worker that has ended, or never was, out of everything. */
static void dismiss(struct workers_one *one)
{
    struct workers *workers = one->workers;

    link_stop(&one->link);
    if (one->exit.on_events)
        loop_remove(workers->loop, &one->exit);
    descriptor_close(&one->exit.fd);
    if (one->counts) {
        counts_fold(workers->gone, one->counts);
        guests_give_back(workers->guests, one->counts->guests);
    }
    segments_unmap_counts(one->counts);
    folder_forget(workers->folder, one->name);
    list_remove(&one->list);
    if (one->post && one->post->one == one)
        one->post->one = NULL;
    loop_dispose(workers->loop, &one->garbage, destroy_one);
}

static void pause_post(struct workers_post *post, const struct workers_one *one)
{
    struct workers *workers = post->workers;
    bool is_soon = workers->loop->now_us < one->started_us + WORKERS_SOON_US;

    loop_start_timer(workers->loop, &post->restart, post->pause_us);
    if (!is_soon)
        post->pause_us = 0;
    else if (post->pause_us == 0)
        post->pause_us = WORKERS_PAUSE_US;
    else if (post->pause_us < WORKERS_PAUSE_MOST_US)
        post->pause_us *= 2;
}

static void say_how_it_ended(const struct workers_one *one, const siginfo_t *info)
{
    enum log_level level = one->workers->is_stopping || !one->post ? LOG_INFO : LOG_ERROR;

    if (info->si_code == CLD_EXITED)
        log_event(level, "worker.ended", LOG_NUMBER("worker", one->number),
                  LOG_NUMBER("pid", one->pid), LOG_NUMBER("status", info->si_status));
    else
        log_event(level, "worker.ended", LOG_NUMBER("worker", one->number),
                  LOG_NUMBER("pid", one->pid), LOG_TEXT("signal", strsignal(info->si_status)));
}

/* ---- generations ---- */

/* Those of these posts are on their own from now on. */
static void leave_posts(struct workers *workers, struct workers_post *posts, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        timer_stop(&posts[i].restart);
        if (posts[i].one)
            posts[i].one->post = NULL;
    }
    workers->former = NULL;
    free(posts);
}

/* Is there any that was retired and has not ended? */
static bool has_retired(const struct workers *workers)
{
    LIST_FOR_EACH (at, &workers->all) {
        if (!CONTAINER_OF(at, struct workers_one, list)->post)
            return true;
    }
    return false;
}

/* The new generation accepts: the one before need not. */
static void complete_renewal(struct workers *workers)
{
    for (unsigned i = 0; i < workers->former_count; i++) {
        struct workers_one *one = workers->former[i].one;

        if (one && link_send(&one->link, LINK_RETIRE, workers->retire_ms, -1) < 0)
            kill(one->pid, SIGKILL);
    }
    leave_posts(workers, workers->former, workers->former_count);
    workers->events->on_renewed(workers->owner, 0);
    if (!has_retired(workers))
        workers->events->on_retired(workers->owner);
}

/* It cannot be started: all is as before. */
static void give_up_renewal(struct workers *workers)
{
    struct workers_post *posts = workers->posts;
    unsigned count = workers->count;

    for (unsigned i = 0; i < count; i++) {
        if (posts[i].one && posts[i].one->exit.on_events)
            kill(posts[i].one->pid, SIGKILL);
    }
    workers->posts = workers->former;
    workers->count = workers->former_count;
    leave_posts(workers, posts, count);
    for (unsigned i = 0; i < workers->count; i++) {
        workers->posts[i].is_former = false;
        if (!workers->posts[i].one)
            loop_start_timer(workers->loop, &workers->posts[i].restart, 0);
    }
}

static bool has_failed(const struct workers *workers)
{
    return (workers->former || !workers->was_ready) && workers->failures == WORKERS_FAILURES_MAX;
}

static void fail(struct workers *workers)
{
    if (!workers->former) {
        workers->events->on_failed(workers->owner, "the workers end before they are ready");
        return;
    }
    give_up_renewal(workers);
    workers->events->on_renewed(workers->owner, -ECHILD);
}

static void on_exit_event(struct watch *watch, uint32_t events)
{
    struct workers_one *one = CONTAINER_OF(watch, struct workers_one, exit);
    struct workers *workers = one->workers;
    struct workers_post *post = one->post;
    siginfo_t info = {0};

    (void)events;
    if (waitid(P_PIDFD, (id_t)watch->fd, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
        return;
    say_how_it_ended(one, &info);
    if (!one->is_ready && post)
        workers->failures++;
    if (!workers->is_stopping && post && !post->is_former)
        pause_post(post, one);
    dismiss(one);
    if (has_failed(workers) && !workers->is_stopping)
        fail(workers);
    if (!post && !has_retired(workers))
        workers->events->on_retired(workers->owner);
    workers->events->on_adopted(workers->owner);
    if (workers->is_stopping && list_is_empty(&workers->all))
        workers->events->on_gone(workers->owner);
}

/* ---- one is there ---- */

static void check_ready(struct workers *workers)
{
    if ((workers->was_ready && !workers->former) || workers->is_stopping)
        return;
    for (unsigned i = 0; i < workers->count; i++) {
        if (!workers->posts[i].one || !workers->posts[i].one->is_ready)
            return;
    }
    if (workers->former) {
        complete_renewal(workers);
        return;
    }
    workers->was_ready = true;
    workers->events->on_ready(workers->owner);
}

static void on_message(struct link *link, const struct link_message *message, int fd)
{
    struct workers_one *one = CONTAINER_OF(link, struct workers_one, link);
    struct workers *workers = one->workers;

    descriptor_close(&fd); /* a worker has none to give */
    switch (message->kind) {
    case LINK_READY:
        one->is_ready = true;
        log_event(LOG_INFO, "worker.ready", LOG_NUMBER("worker", one->number),
                  LOG_NUMBER("pid", one->pid));
        check_ready(workers);
        return;
    case LINK_ADOPTED:
        if (message->number <= one->sent && message->number > one->adopted)
            one->adopted = message->number;
        workers->events->on_adopted(workers->owner);
        return;
    case LINK_WANT_STREAM:
        workers->events->on_want_stream(workers->owner, one);
        return;
    default:
        log_event(LOG_ERROR, "worker.nonsense", LOG_NUMBER("worker", one->number),
                  LOG_NUMBER("kind", message->kind));
        kill(one->pid, SIGKILL);
    }
}

static void on_closed(struct link *link)
{
    struct workers_one *one = CONTAINER_OF(link, struct workers_one, link);

    /* A worker without its link hears of no table: it is of no use. Mostly it is dead already. One
     * that was retired may be writing its last lines. */
    if (!one->workers->is_stopping && one->post)
        kill(one->pid, SIGKILL);
}

/* ---- starting one ---- */

static int hand_over(struct workers_one *one, int handover_fd, int counts_fd)
{
    const struct workers *workers = one->workers;
    const struct listeners *listeners = workers->listeners;
    int result = 0;

    for (unsigned i = 0; result == 0 && i < listeners->count; i++) {
        const struct listeners_one *address = &listeners->all[i];

        if (!listeners_is_open(address))
            continue;
        /* Sockets of an earlier, larger generation have to be served by somebody. */
        for (unsigned j = one->number; result == 0 && j < address->count; j += workers->count)
            result = link_send(&one->link, LINK_LISTENER, i, address->sockets[j]);
    }
    if (result == 0)
        result = link_send(&one->link, LINK_HANDOVER, 0, handover_fd);
    if (result == 0)
        result = link_send(&one->link, LINK_STATES, 0, workers->states_fd);
    if (result == 0)
        result = link_send(&one->link, LINK_GUESTS, 0, workers->guests_fd);
    if (result == 0)
        result = link_send(&one->link, LINK_COUNTS, 0, counts_fd);
    if (result == 0 && workers->access_fd >= 0)
        result = link_send(&one->link, LINK_ACCESS_LOG, 0, workers->access_fd);
    if (result == 0)
        result = link_send(&one->link, LINK_TABLE, workers->epoch, workers->table_fd);
    one->sent = workers->epoch;
    if (result == 0)
        result = link_send(&one->link, LINK_START, 0, -1);
    return result;
}

/* In the child: only what a worker is to have, then `roost worker`. */
static void become_worker(int link_fd)
{
    char name[] = "roost";
    char word[] = "worker";
    char *arguments[] = {name, word, NULL};
    sigset_t none;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    /* Out of the terminal's reach: what interrupts the keeper lets the workers finish. */
    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    if (link_fd == LINK_WORKER_FD)
        fcntl(link_fd, F_SETFD, 0);
    if (link_fd != LINK_WORKER_FD && dup2(link_fd, LINK_WORKER_FD) < 0)
        _exit(126);
    close_range(LINK_WORKER_FD + 1, ~0u, CLOSE_RANGE_CLOEXEC);
    execv("/proc/self/exe", arguments);
    _exit(127);
}

/* The process itself. Both ends of the link are the callee's. */
static int launch(struct workers_one *one, int ends[2], struct error *why)
{
    int result;

    one->pid = fork();
    if (one->pid == 0)
        become_worker(ends[1]);
    descriptor_close(&ends[1]);
    if (one->pid < 0) {
        result = error_set(why, -errno, "cannot start a worker: %s", strerror(errno));
        descriptor_close(&ends[0]);
        return result;
    }
    one->exit.fd = (int)syscall(SYS_pidfd_open, one->pid, 0);
    if (one->exit.fd < 0) {
        result = error_set(why, -errno, "cannot watch a worker: %s", strerror(errno));
        kill(one->pid, SIGKILL);
        waitpid(one->pid, NULL, 0);
        descriptor_close(&ends[0]);
        return result;
    }
    result = loop_add(one->workers->loop, &one->exit, EPOLLIN, on_exit_event);
    if (result == 0)
        return link_start(&one->link, one->workers->loop, ends[0], on_message, on_closed, one);
    descriptor_close(&ends[0]);
    return result;
}

/* Starts the worker and gives it everything; on failure nothing of it is left but what
 * on_exit_event() clears away. */
static int employ(struct workers_one *one, struct error *why)
{
    struct workers *workers = one->workers;
    int ends[2] = {-1, -1};
    int handover_fd = -1;
    int counts_fd = -1;
    int result = segments_create_counts(&counts_fd, &one->counts, why);

    if (result == 0)
        result = handover_fd = folder_listen(workers->folder, one->name, why);
    if (result >= 0)
        result = link_pair(ends, why);
    if (result == 0)
        result = launch(one, ends, why);
    if (result == 0)
        result = folder_write_record(workers->folder, one->name, one->pid, why);
    if (result == 0) {
        result = hand_over(one, handover_fd, counts_fd);
        /* It has ended already: its exit says so, as that of one that ends a moment later. */
        if (result == -EPIPE)
            result = 0;
        if (result < 0)
            error_set(why, result, "cannot tell a worker what it needs: %s", strerror(-result));
    }
    descriptor_close(&handover_fd);
    descriptor_close(&counts_fd);
    return result;
}

static int spawn(struct workers *workers, unsigned number, struct error *why)
{
    struct workers_one *one = memory_allocate(sizeof(*one));
    int result;

    *one = (struct workers_one){
        .workers = workers,
        .number = number,
        .post = &workers->posts[number],
        .exit.fd = -1,
        .started_us = workers->loop->now_us,
        .started_wall_ms = clock_wall_ms(),
    };
    list_append(&workers->all, &one->list);
    snprintf(one->name, sizeof(one->name), "worker-%" PRIu64 "-%" PRIu64, workers->generation,
             workers->spawned++);
    workers->posts[number].one = one;
    result = employ(one, why);
    if (result == 0)
        return 0;
    if (one->exit.on_events)
        kill(one->pid, SIGKILL); /* the rest when it has ended */
    else
        dismiss(one);
    return result;
}

static void on_restart(struct timer *timer)
{
    struct workers_post *post = CONTAINER_OF(timer, struct workers_post, restart);
    struct workers *workers = post->workers;
    struct error why = {0};

    if (workers->is_stopping || post->one)
        return;
    if (spawn(workers, (unsigned)(post - workers->posts), &why) == 0)
        return;
    log_event(LOG_ERROR, "worker.failed", LOG_TEXT("reason", why.text));
    if (!post->one)
        loop_start_timer(workers->loop, timer, WORKERS_PAUSE_MOST_US);
}

int workers_start(struct workers *workers, struct error *why)
{
    for (unsigned i = 0; i < workers->count; i++) {
        int result = spawn(workers, i, why);

        if (result < 0)
            return result;
    }
    loop_start_timer(workers->loop, &workers->watchdog, WATCHDOG_US);
    return 0;
}

int workers_renew(struct workers *workers, unsigned count, uint32_t drain_ms, struct error *why)
{
    int result = 0;

    if (workers->former || !workers->was_ready || workers->is_stopping)
        return error_set(why, -EBUSY, "workers are being started or ended");
    workers->former = workers->posts;
    workers->former_count = workers->count;
    workers->retire_ms = drain_ms;
    workers->failures = 0;
    for (unsigned i = 0; i < workers->former_count; i++) {
        timer_stop(&workers->former[i].restart);
        workers->former[i].is_former = true;
    }
    workers->posts = make_posts(workers, count);
    workers->count = count;
    for (unsigned i = 0; result == 0 && i < count; i++)
        result = spawn(workers, i, why);
    if (result < 0)
        give_up_renewal(workers);
    else
        workers->generations++;
    return result;
}

/* ---- telling them ---- */

static void send_table_to(struct workers_one *one)
{
    struct workers *workers = one->workers;

    if (one->sent == workers->epoch)
        return;
    /* Where it does not read, the watchdog tries again. */
    if (link_send(&one->link, LINK_TABLE, workers->epoch, workers->table_fd) == 0)
        one->sent = workers->epoch;
}

void workers_send_table(struct workers *workers, uint64_t epoch, int fd)
{
    descriptor_close(&workers->table_fd);
    workers->table_fd = fd;
    workers->epoch = epoch;
    LIST_FOR_EACH (at, &workers->all) {
        send_table_to(CONTAINER_OF(at, struct workers_one, list));
    }
}

static void on_look(struct ready *ready)
{
    struct workers *workers = CONTAINER_OF(ready, struct workers, look);

    LIST_FOR_EACH (at, &workers->all) {
        /* One that does not read looks by itself when it does. */
        (void)!link_send(&CONTAINER_OF(at, struct workers_one, list)->link, LINK_LOOK, 0, -1);
    }
}

void workers_look(struct workers *workers)
{
    loop_make_ready(workers->loop, &workers->look);
}

void workers_send_access_log(struct workers *workers, int fd)
{
    workers->access_fd = fd;
    LIST_FOR_EACH (at, &workers->all) {
        struct workers_one *one = CONTAINER_OF(at, struct workers_one, list);

        if (link_send(&one->link, LINK_ACCESS_LOG, 0, fd) < 0)
            log_event(LOG_WARN, "worker.deaf", LOG_NUMBER("worker", one->number));
    }
}

uint64_t workers_adopted(const struct workers *workers)
{
    uint64_t least = UINT64_MAX;

    LIST_FOR_EACH (at, &workers->all) {
        const struct workers_one *one = CONTAINER_OF(at, struct workers_one, list);

        least = one->adopted < least ? one->adopted : least;
    }
    return least;
}

/* ---- is it stuck? ---- */

/* It does not turn: it is aborted, so that it can be seen where it was, and if that is not heard
 * either (it may be stopped) ended by force. */
static void end_stuck(struct workers_one *one)
{
    if (one->still_us < WORKERS_STUCK_US)
        return;
    if (one->still_us < WORKERS_STUCK_US + WATCHDOG_US) {
        log_event(LOG_ERROR, "worker.stuck", LOG_NUMBER("worker", one->number),
                  LOG_NUMBER("pid", one->pid));
        kill(one->pid, SIGABRT);
        return;
    }
    if (one->still_us >= WORKERS_STUCK_US + WORKERS_ABORT_US)
        kill(one->pid, SIGKILL);
}

/* The keeper's own pauses do not count: a look is one step, however late it comes. */
static void look_at(struct workers_one *one)
{
    uint64_t turns = SEGMENTS_READ(one->counts->turns);

    send_table_to(one);
    if (turns != one->turns) {
        one->turns = turns;
        one->still_us = 0;
        return;
    }
    /* Perhaps it only has nothing to do: then this gives it something. */
    (void)!link_send(&one->link, LINK_LOOK, 0, -1);
    one->still_us += WATCHDOG_US;
    end_stuck(one);
}

static void look_after(struct timer *timer)
{
    struct workers *workers = CONTAINER_OF(timer, struct workers, watchdog);

    LIST_FOR_EACH (at, &workers->all) {
        look_at(CONTAINER_OF(at, struct workers_one, list));
    }
    loop_start_timer(workers->loop, timer, WATCHDOG_US);
}

/* ---- the end of all ---- */

static void stop_posts(struct workers *workers)
{
    workers->is_stopping = true;
    for (unsigned i = 0; i < workers->count; i++)
        timer_stop(&workers->posts[i].restart);
    if (list_is_empty(&workers->all))
        workers->events->on_gone(workers->owner);
}

void workers_drain(struct workers *workers, uint32_t within_ms)
{
    LIST_FOR_EACH (at, &workers->all) {
        struct workers_one *one = CONTAINER_OF(at, struct workers_one, list);

        if (link_send(&one->link, LINK_DRAIN, within_ms, -1) < 0)
            kill(one->pid, SIGKILL);
    }
    stop_posts(workers);
}

void workers_kill(struct workers *workers)
{
    LIST_FOR_EACH (at, &workers->all) {
        kill(CONTAINER_OF(at, struct workers_one, list)->pid, SIGKILL);
    }
    stop_posts(workers);
}
