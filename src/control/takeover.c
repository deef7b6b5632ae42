#include "control/takeover.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "base/memory.h"
#include "control/workers.h"
#include "proxy/handover.h"

/* How long to wait for the end of one that was killed. */
#define KILLED_MS 5000

/* A worker of an earlier keeper. */
struct old_worker {
    struct list list;
    struct takeover *takeover;
    struct watch exit; /* its pidfd */
    struct timer limit;
    struct garbage garbage;
    struct folder_record record;
    int socket; /* of the handover; -1: it does not answer */
};

static void send_signal(const struct old_worker *worker, int signal)
{
    syscall(SYS_pidfd_send_signal, worker->exit.fd, signal, NULL, 0);
}

static void destroy(struct garbage *garbage)
{
    free(CONTAINER_OF(garbage, struct old_worker, garbage));
}

static void let_go(struct old_worker *worker)
{
    if (worker->exit.on_events)
        loop_remove(worker->takeover->loop, &worker->exit);
    descriptor_close(&worker->exit.fd);
    descriptor_close(&worker->socket);
    timer_stop(&worker->limit);
    list_remove(&worker->list);
    loop_dispose(worker->takeover->loop, &worker->garbage, destroy);
}

static void on_exit_event(struct watch *watch, uint32_t events)
{
    struct old_worker *worker = CONTAINER_OF(watch, struct old_worker, exit);
    struct takeover *takeover = worker->takeover;

    (void)events;
    log_event(LOG_INFO, "worker.retired", LOG_NUMBER("pid", worker->record.pid));
    folder_forget(takeover->folder, worker->record.name);
    let_go(worker);
    if (list_is_empty(&takeover->workers) && takeover->on_gone)
        takeover->on_gone(takeover->owner);
}

static void on_limit(struct timer *timer)
{
    struct old_worker *worker = CONTAINER_OF(timer, struct old_worker, limit);

    log_event(LOG_WARN, "worker.retired_by_force", LOG_NUMBER("pid", worker->record.pid));
    send_signal(worker, SIGKILL);
}

/* ---- asking ---- */

static int send_verb(int socket, enum handover_kind kind, uint64_t number)
{
    struct link_message message = {.version = LINK_VERSION, .kind = kind, .number = number};

    return send(socket, &message, sizeof(message), MSG_NOSIGNAL) == sizeof(message) ? 0 : -EPIPE;
}

/* One message with the descriptor that came along, or -1. */
static int receive(int socket, struct link_message *message, int *fd)
{
    char control[CMSG_SPACE(sizeof(int))];
    struct iovec piece = {message, sizeof(*message)};
    struct msghdr header = {
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    struct cmsghdr *rights;

    *fd = -1;
    if (recvmsg(socket, &header, MSG_CMSG_CLOEXEC) != sizeof(*message))
        return -EPIPE;
    rights = CMSG_FIRSTHDR(&header);
    if (rights && rights->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(rights), sizeof(*fd));
    if (message->version == LINK_VERSION)
        return 0;
    descriptor_close(fd);
    return -EBADMSG;
}

static void keep_socket(struct takeover *takeover, int fd)
{
    unsigned count = takeover->socket_count++;

    takeover->sockets = memory_resize(takeover->sockets, (count + 1) * sizeof(fd));
    takeover->sockets[count] = fd;
}

static int ask_listeners(struct takeover *takeover, int socket)
{
    const struct timeval limit = {.tv_sec = TAKEOVER_ANSWER_MS / 1000,
                                  .tv_usec = TAKEOVER_ANSWER_MS % 1000 * 1000};
    struct link_message message = {0};
    int result;
    int fd;

    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    result = send_verb(socket, HANDOVER_LISTENERS, 0);
    while (result == 0 && message.kind != HANDOVER_END) {
        result = receive(socket, &message, &fd);
        if (fd >= 0)
            keep_socket(takeover, fd);
    }
    return result;
}

/* ---- the whole ---- */

static struct old_worker *find_worker(struct takeover *takeover, const struct folder_record *record)
{
    struct old_worker *worker;
    int fd = folder_open_process(record);

    if (fd < 0) {
        folder_forget(takeover->folder, record->name);
        return NULL;
    }
    worker = memory_allocate(sizeof(*worker));
    worker->takeover = takeover;
    worker->record = *record;
    worker->exit.fd = fd;
    worker->socket = folder_connect(takeover->folder, record->name);
    timer_init(&worker->limit, on_limit);
    list_append(&takeover->workers, &worker->list);
    return worker;
}

/* What it holds, listening sockets among it, is free only when it has ended. */
static void await_end(const struct old_worker *worker)
{
    struct pollfd exit = {.fd = worker->exit.fd, .events = POLLIN};

    (void)!poll(&exit, 1, TAKEOVER_ANSWER_MS);
}

void takeover_begin(struct takeover *takeover, struct loop *loop, struct folder *folder)
{
    struct folder_record *records = memory_allocate(WORKERS_MAX * sizeof(*records));
    unsigned found = folder_list_records(folder, "worker-", records, WORKERS_MAX);

    takeover->loop = loop;
    takeover->folder = folder;
    list_init(&takeover->workers);
    for (unsigned i = 0; i < found; i++) {
        struct old_worker *worker = find_worker(takeover, &records[i]);

        if (!worker)
            continue;
        if (worker->socket >= 0 && ask_listeners(takeover, worker->socket) == 0) {
            log_event(LOG_INFO, "worker.taken_over", LOG_NUMBER("pid", records[i].pid));
            continue;
        }
        log_event(LOG_WARN, "worker.mute", LOG_NUMBER("pid", records[i].pid));
        descriptor_close(&worker->socket);
        send_signal(worker, SIGKILL);
        await_end(worker);
    }
    free(records);
}

bool takeover_has(const struct takeover *takeover, const struct address *address)
{
    for (unsigned i = 0; i < takeover->socket_count; i++) {
        struct address found = {.size = sizeof(found.un)};

        if (getsockname(takeover->sockets[i], &found.any, &found.size) == 0 &&
            address_equals(&found, address))
            return true;
    }
    return false;
}

void takeover_give(struct takeover *takeover, struct listeners *listeners)
{
    for (unsigned i = 0; i < takeover->socket_count; i++) {
        if (listeners_take(listeners, takeover->sockets[i]) < 0)
            close(takeover->sockets[i]);
    }
    free(takeover->sockets);
    takeover->sockets = NULL;
    takeover->socket_count = 0;
}

static void drain_one(struct old_worker *worker, uint32_t within_ms)
{
    struct loop *loop = worker->takeover->loop;

    if (worker->socket < 0 || send_verb(worker->socket, HANDOVER_DRAIN, within_ms) < 0)
        send_signal(worker, SIGKILL);
    loop_start_timer(loop, &worker->limit, (within_ms + TAKEOVER_SLACK_MS) * CLOCK_US_PER_MS);
    if (!worker->exit.on_events)
        (void)!loop_add(loop, &worker->exit, EPOLLIN, on_exit_event);
}

void takeover_drain(struct takeover *takeover, uint32_t within_ms)
{
    LIST_FOR_EACH (at, &takeover->workers) {
        drain_one(CONTAINER_OF(at, struct old_worker, list), within_ms);
    }
}

void takeover_kill(struct takeover *takeover)
{
    LIST_FOR_EACH (at, &takeover->workers) {
        struct old_worker *worker = CONTAINER_OF(at, struct old_worker, list);
        struct pollfd gone = {.fd = worker->exit.fd, .events = POLLIN};

        send_signal(worker, SIGKILL);
        (void)!poll(&gone, 1, KILLED_MS);
        folder_forget(takeover->folder, worker->record.name);
        let_go(worker);
    }
}

bool takeover_is_over(const struct takeover *takeover)
{
    return list_is_empty(&takeover->workers);
}

void takeover_finish(struct takeover *takeover)
{
    if (!takeover->loop)
        return;
    for (unsigned i = 0; i < takeover->socket_count; i++)
        close(takeover->sockets[i]);
    free(takeover->sockets);
    LIST_FOR_EACH (at, &takeover->workers) {
        let_go(CONTAINER_OF(at, struct old_worker, list));
    }
}
