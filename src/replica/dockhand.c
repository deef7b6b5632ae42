#include "replica/dockhand.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/log.h"
#include "base/memory.h"
#include "replica/dockhand_jail.h"
#include "replica/dockhand_order.h"
#include "replica/dockhand_task.h"

#define QUEUED_BYTES   (4u << 20)
#define RESTART_MS     200
#define STATUS_OK      0
#define STATUS_FAILED  1
#define STATUS_REFUSED 2 /* the charter: to start again would not help */

/* ---- the link ---- */

void dockhand_say(struct dockhand *dockhand, json_t *message)
{
    char *text = json_dumps(message, JSON_COMPACT);
    ssize_t sent;

    json_decref(message);
    if (!text)
        return;
    do
        sent = send(dockhand->link.fd, text, strlen(text), MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    free(text);
}

static void leave_when_done(struct dockhand *dockhand)
{
    if (dockhand->is_leaving && dockhand->task_count == 0)
        loop_stop(&dockhand->loop);
}

static void on_last(struct timer *timer)
{
    loop_stop(&CONTAINER_OF(timer, struct dockhand, last)->loop);
}

static void leave(struct dockhand *dockhand)
{
    loop_remove(&dockhand->loop, &dockhand->link);
    dockhand->is_leaving = true;
    dockhand_task_cancel_events(dockhand);
    loop_start_timer(&dockhand->loop, &dockhand->last, DOCKHAND_LAST_US);
    leave_when_done(dockhand);
}

static void on_task_done(struct dockhand *dockhand)
{
    leave_when_done(dockhand);
}

static void obey(struct dockhand *dockhand, struct view text)
{
    struct dockhand_order order;
    struct error why = {""};
    int result = dockhand_order_read(&order, text, &why);

    if (result == 0 && dockhand->task_count >= DOCKHAND_TASKS_MAX)
        result = error_set(&why, -EBUSY, "more than %d orders at once", DOCKHAND_TASKS_MAX);
    if (result == 0) {
        dockhand_task_start(dockhand, &order, on_task_done);
        return;
    }
    log_event(LOG_WARN, "dockhand.refused", LOG_TEXT("reason", why.text));
    dockhand_say(dockhand, json_pack("{s:I,s:i,s:s}", "id", (json_int_t)order.id, "result", result,
                                     "why", why.text));
}

static void on_link_events(struct watch *watch, uint32_t events)
{
    struct dockhand *dockhand = CONTAINER_OF(watch, struct dockhand, link);
    char *text = memory_allocate(DOCKHAND_ORDER_BYTES_MAX + 1);
    ssize_t size = recv(watch->fd, text, DOCKHAND_ORDER_BYTES_MAX + 1, MSG_DONTWAIT);

    (void)events;
    dockhand_jail_look();
    if (size > 0)
        obey(dockhand, (struct view){text, (size_t)size});
    else if (size == 0 || (errno != EAGAIN && errno != EINTR))
        leave(dockhand);
    free(text);
}

/* ---- the inner process ---- */

static int start(struct dockhand *dockhand, struct error *why)
{
    int result = loop_init(&dockhand->loop, why);

    if (result < 0)
        return result;
    sock_group_init(&dockhand->socks, &dockhand->loop, QUEUED_BYTES);
    timer_init(&dockhand->last, on_last);
    list_init(&dockhand->tasks);
    list_init(&dockhand->network_waiters);
    result = engine_init(&dockhand->engine, &dockhand->socks, getenv("DOCKER_HOST"), why);
    if (result < 0)
        return result;
    dockhand->link.fd = DOCKHAND_FD;
    return loop_add(&dockhand->loop, &dockhand->link, EPOLLIN, on_link_events);
}

/* An unfit charter is the end of both processes: to start again would not help. */
static int work(struct dockhand *dockhand, struct view charter)
{
    struct error why = {""};
    int result;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    result = start(dockhand, &why);
    if (result == 0)
        result = dockhand_jail_enter(&why);
    if (result == 0 && dockhand_charter_read(&dockhand->charter, charter, &why) < 0) {
        log_event(LOG_ERROR, "dockhand.failed", LOG_TEXT("reason", why.text));
        return STATUS_REFUSED;
    }
    if (result < 0) {
        log_event(LOG_ERROR, "dockhand.failed", LOG_TEXT("reason", why.text));
        dockhand->link.fd = DOCKHAND_FD;
        dockhand_say(dockhand,
                     json_pack("{s:i,s:i,s:s}", "id", 0, "result", result, "why", why.text));
        return STATUS_REFUSED;
    }
    /* Nothing that was ordered of an earlier one will be answered. */
    dockhand_say(dockhand, json_pack("{s:i,s:i}", "id", 0, "result", 0));
    loop_run(&dockhand->loop);
    dockhand_jail_look();
    dockhand_task_cancel_all(dockhand);
    engine_finish(&dockhand->engine);
    loop_finish(&dockhand->loop);
    sock_group_finish(&dockhand->socks);
    return STATUS_OK;
}

/* ---- the outer process ---- */

/* Reads it into `text` of DOCKHAND_ORDER_BYTES_MAX + 1; its size. */
static ssize_t receive_charter(char *text, struct error *why)
{
    ssize_t size;

    do
        size = recv(DOCKHAND_FD, text, DOCKHAND_ORDER_BYTES_MAX + 1, 0);
    while (size < 0 && errno == EINTR);
    return size < 0 ? error_set(why, -errno, "it has no keeper: %s", strerror(errno)) : size;
}

/* Until an inner one ends in order; returns the exit status. */
static int keep_working(struct dockhand *dockhand, struct view charter)
{
    for (;;) {
        pid_t pid = fork();
        int status = 0;

        if (pid == 0) {
            status = work(dockhand, charter);
            dockhand_charter_finish(&dockhand->charter);
            exit(status);
        }
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
        if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) != STATUS_FAILED)
            return WEXITSTATUS(status);
        log_event(LOG_ERROR, "dockhand.crashed", LOG_NUMBER("status", status));
        usleep(RESTART_MS * 1000);
    }
}

int dockhand_main(void)
{
    struct dockhand *dockhand = memory_allocate(sizeof(*dockhand));
    char *charter = memory_allocate(DOCKHAND_ORDER_BYTES_MAX + 1);
    struct error why = {""};
    int status = STATUS_REFUSED;
    ssize_t size;

    log_name_process("dockhand");
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    size = dockhand_jail_shed(&why);
    if (size == 0)
        size = receive_charter(charter, &why);
    if (size >= 0)
        status = keep_working(dockhand, (struct view){charter, (size_t)size});
    else
        log_event(LOG_ERROR, "dockhand.failed", LOG_TEXT("reason", why.text));
    free(charter);
    free(dockhand);
    return status;
}
