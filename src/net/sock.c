#include "net/sock.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/memory.h"
#include "net/linger.h"

static void receive_ahead(void *owner, const struct epoll_event *events, int count);
static void on_settle(void *owner);
static void on_rest(void *owner);
static void on_sock_events(struct watch *watch, uint32_t events);
static void on_sock_ready(struct ready *ready);

void sock_group_init(struct sock_group *group, struct loop *loop, size_t queued_limit)
{
    *group = (struct sock_group){.loop = loop, .queued_limit = queued_limit};
    group->receive = memory_allocate(SOCK_RECEIVE_BYTES);
    group->text = memory_allocate(SOCK_TEXT_BYTES);
    inbox_init(&group->inbox);
    outbox_init(&group->outbox);
    list_init(&group->starved);
    loop->on_ahead = receive_ahead;
    loop->on_settle = on_settle;
    loop->on_rest = on_rest;
    loop->settle_owner = group;
}

void sock_group_finish(struct sock_group *group)
{
    group->loop->on_ahead = NULL;
    group->loop->on_settle = NULL;
    group->loop->on_rest = NULL;
    inbox_finish(&group->inbox);
    outbox_finish(&group->outbox);
    free(group->receive);
    free(group->text);
    group->receive = group->text = NULL;
}

/* ---- writing ---- */

static void account_queue(struct sock *sock, size_t before)
{
    struct sock_group *group = sock->group;
    size_t now = buffer_size(&sock->queue);

    group->queued_bytes = group->queued_bytes + now - before;
    if (now == 0)
        buffer_finish(&sock->queue);
    if (now >= before || sock_group_is_full(group))
        return;
    while (!list_is_empty(&group->starved)) {
        struct ready *ready = LIST_FIRST(&group->starved, struct ready, list);

        list_remove(&ready->list);
        loop_make_ready(group->loop, ready);
    }
}

/* The owner is told later in the turn, never from inside its own call. */
static void fail(struct sock *sock, int error)
{
    if (sock->error || sock->is_closed)
        return;
    sock->error = (int16_t)(error ? error : -EIO);
    list_remove(&sock->ready.list);
    loop_make_ready(sock->group->loop, &sock->ready);
}

/* A write met the error; what arrived before it is delivered first. */
static void fail_writing(struct sock *sock, int error)
{
    if (!sock->error)
        sock->is_write_broken = true;
    fail(sock, error);
}

static void queue_bytes(struct sock *sock, struct view bytes)
{
    size_t before = buffer_size(&sock->queue);

    if (buffer_append(&sock->queue, bytes) < 0) {
        fail(sock, -ENOBUFS);
        return;
    }
    sock->was_queued = true;
    account_queue(sock, before);
    /* Somebody must say when there is room again. */
    sock_watch(sock);
}

static void finish_shut(struct sock *sock)
{
    if (!sock->wants_shut || sock->is_shut || buffer_size(&sock->queue) || sock->is_connecting)
        return;
    sock->is_shut = true;
    shutdown(sock->watch.fd, SHUT_WR);
}

/* Queues what is left of the pieces after the first `sent` bytes. */
static void queue_rest(struct sock *sock, const struct iovec *pieces, int count, size_t sent)
{
    for (int i = 0; i < count && !sock->error; i++) {
        struct view piece = {pieces[i].iov_base, pieces[i].iov_len};

        if (sent >= piece.size) {
            sent -= piece.size;
            continue;
        }
        queue_bytes(sock, view_after(piece, sent));
        sent = 0;
    }
}

static ssize_t send_pieces(struct sock *sock, struct iovec *pieces, int count)
{
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)count};
    int flags = MSG_NOSIGNAL | (sock->wants_shut ? MSG_MORE : 0);
    ssize_t sent;

    sock->group->sends++;
    do
        sent = count == 1 ? send(sock->watch.fd, pieces[0].iov_base, pieces[0].iov_len, flags)
                          : sendmsg(sock->watch.fd, &message, flags);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
        sock->sent_bytes += (uint64_t)sent;
        return sent;
    }
    return errno == EAGAIN ? 0 : -errno;
}

static void send_now(struct sock *sock, struct iovec *pieces, int count)
{
    ssize_t sent = send_pieces(sock, pieces, count);

    if (sent < 0) {
        fail_writing(sock, (int)sent);
        return;
    }
    queue_rest(sock, pieces, count, (size_t)sent);
}

/* Sends what waits for the end of the turn: before anything else of this sock is sent or held. */
static void send_held(struct sock *sock)
{
    struct iovec piece;
    struct view bytes;

    if (!sock->held)
        return;
    bytes = outbox_take(&sock->group->outbox, sock->held);
    sock->held = 0;
    piece = (struct iovec){(void *)bytes.data, bytes.size};
    if (!sock->error)
        send_now(sock, &piece, 1);
}

static void send_all_held(struct sock_group *group)
{
    struct sock *sock;

    while ((sock = outbox_next(&group->outbox))) {
        send_held(sock);
        finish_shut(sock);
    }
}

/* What was gathered for a sock: held where it is small, sent where it is not. */
static void flush_group(struct sock_group *group)
{
    struct sock *sock = group->gathering;
    int count = group->piece_count;

    if (!sock)
        return;
    group->gathering = NULL;
    group->piece_count = 0;
    send_held(sock);
    if (sock->error || buffer_size(&sock->queue)) {
        queue_rest(sock, group->pieces, count, 0);
        return;
    }
    if (group->outbox.count == OUTBOX_MAX)
        send_all_held(group);
    sock->held = (uint8_t)outbox_add(&group->outbox, sock, group->pieces, count);
    if (sock->held)
        return;
    send_now(sock, group->pieces, count);
    finish_shut(sock);
}

static void on_settle(void *owner)
{
    struct sock_group *group = owner;

    flush_group(group);
    group->text_bytes = 0;
}

static void on_rest(void *owner)
{
    struct sock_group *group = owner;

    flush_group(group);
    send_all_held(group);
}

char *sock_text(struct sock_group *group, size_t size)
{
    char *text;

    if (size > SOCK_TEXT_BYTES)
        return NULL;
    if (size > SOCK_TEXT_BYTES - group->text_bytes) {
        flush_group(group);
        group->text_bytes = 0;
    }
    text = group->text + group->text_bytes;
    group->text_bytes += size;
    return text;
}

void sock_text_trim(struct sock_group *group, size_t unused)
{
    assert(unused <= group->text_bytes);
    group->text_bytes -= unused;
}

/* What continues the piece before it, in memory too, is one with it. */
static void add_piece(struct sock_group *group, struct view bytes)
{
    struct iovec *next = &group->pieces[group->piece_count];

    if (group->piece_count && (char *)next[-1].iov_base + next[-1].iov_len == bytes.data) {
        next[-1].iov_len += bytes.size;
        return;
    }
    *next = (struct iovec){(void *)bytes.data, bytes.size};
    group->piece_count++;
}

void sock_write(struct sock *sock, struct view bytes)
{
    struct sock_group *group = sock->group;

    if (!bytes.size || sock->error || sock->is_closed || sock->wants_shut)
        return;
    if (buffer_size(&sock->queue) || sock->is_connecting) {
        queue_bytes(sock, bytes);
        return;
    }
    if (group->gathering != sock || group->piece_count == SOCK_GATHER_MAX)
        flush_group(group);
    /* The flush may have failed, or left a queue behind that these bytes must follow. */
    if (sock->error)
        return;
    if (buffer_size(&sock->queue)) {
        queue_bytes(sock, bytes);
        return;
    }
    group->gathering = sock;
    add_piece(group, bytes);
}

void sock_group_settle(struct sock_group *group)
{
    flush_group(group);
}

void sock_flush(struct sock *sock)
{
    if (sock->group->gathering == sock)
        flush_group(sock->group);
    if (!sock->held)
        return;
    send_held(sock);
    finish_shut(sock);
}

static bool is_about_to_send(const struct sock *sock)
{
    return sock->group->gathering == sock || sock->held;
}

/* Sends what is queued, as far as the kernel takes it. */
static void send_queue(struct sock *sock)
{
    size_t before = buffer_size(&sock->queue);
    struct view view = buffer_view(&sock->queue);
    struct iovec piece = {(void *)view.data, view.size};
    ssize_t sent;

    if (!before)
        return;
    sent = send_pieces(sock, &piece, 1);
    if (sent < 0) {
        fail_writing(sock, (int)sent);
        return;
    }
    buffer_consume(&sock->queue, (size_t)sent);
    account_queue(sock, before);
}

void sock_shut(struct sock *sock)
{
    if (sock->wants_shut)
        return;
    sock->wants_shut = true;
    if (!is_about_to_send(sock))
        finish_shut(sock);
}

/* ---- reading ---- */

/* How much the next receive may ask for; 0: wait until queues have emptied. */
static size_t receive_room(const struct sock *sock)
{
    const struct sock_group *group = sock->group;
    size_t room =
        group->queued_limit > group->queued_bytes ? group->queued_limit - group->queued_bytes : 0;
    size_t most = sock->receive_max;

    /* Who feeds somebody slow waits; all others go on, in small steps: one request of a quick
     * client must not wait for the slow ones. */
    if (sock_group_is_full(group))
        return most < SOCK_RECEIVE_BYTES ? 0 : SOCK_RECEIVE_SPARE_BYTES;
    if (group->queued_bytes > group->queued_limit / 2 && most > SOCK_RECEIVE_TIGHT_BYTES)
        most = SOCK_RECEIVE_TIGHT_BYTES;
    return most < room ? most : room;
}

static void receive_fin(struct sock *sock)
{
    sock->has_fin = true;
    sock->is_readable = false;
    if (sock->events->on_fin)
        sock->events->on_fin(sock);
}

/* The next bytes: those received ahead, or at most *room that the kernel has now. The size, 0 for
 * the end, or a negative errno; *room gets what was asked for. */
static ssize_t receive_next(struct sock *sock, size_t *room, char **bytes)
{
    struct sock_group *group = sock->group;
    ssize_t size;

    if (sock->ahead) {
        *room = INBOX_BYTES;
        *bytes = inbox_bytes(&group->inbox, sock->ahead);
        return inbox_size(&group->inbox, sock->ahead);
    }
    *bytes = group->receive;
    group->receives++;
    do
        size = recv(sock->watch.fd, *bytes, *room, 0);
    while (size < 0 && errno == EINTR);
    return size < 0 ? -errno : size;
}

static void free_ahead(struct sock *sock)
{
    if (!sock->ahead)
        return;
    inbox_free(&sock->group->inbox, sock->ahead);
    sock->ahead = 0;
    sock->is_late = false;
}

/* What a receive gave goes to the owner. False: there is nothing more to read now. */
static bool deliver(struct sock *sock, ssize_t size, size_t room, char *bytes)
{
    if (size < 0) {
        sock->is_readable = false;
        if (size != -EAGAIN)
            fail(sock, (int)size);
        return false;
    }
    if (size == 0) {
        /* Behind a failed write an end is no clean one: on_reset follows. */
        if (!sock->error)
            receive_fin(sock);
        return false;
    }
    sock->gets_little = size < INBOX_BYTES;
    /* A short read is the end for now, unless an event said that the end itself is waiting. */
    if ((size_t)size < room && !sock->is_hung_up && !sock->is_late)
        sock->is_readable = false;
    sock->events->on_bytes(sock, (struct view){bytes, (size_t)size});
    /* Pieces may lie in the receive buffer: they leave before it is used again. */
    flush_group(sock->group);
    return true;
}

/* One receive. False: there is nothing more to read now. */
static bool receive_once(struct sock *sock, size_t *received)
{
    size_t room = receive_room(sock);
    ssize_t size;
    char *bytes;
    bool goes_on;

    if (room == 0) {
        if (list_is_empty(&sock->ready.list))
            list_append(&sock->group->starved, &sock->ready.list);
        return false;
    }
    size = receive_next(sock, &room, &bytes);
    *received += size > 0 ? (size_t)size : 0;
    goes_on = deliver(sock, size, room, bytes);
    free_ahead(sock);
    return goes_on;
}

static bool may_receive(const struct sock *sock)
{
    return !sock->is_paused && !sock->is_closed && !sock->error && !sock->has_fin;
}

/* Bytes have come, probably few, and nothing stands before them. */
static bool is_received_ahead(const struct sock *sock, uint32_t events)
{
    return (events & ~(uint32_t)EPOLLOUT) == EPOLLIN && sock->gets_little && !sock->ahead &&
           !sock->is_connecting && may_receive(sock) && receive_room(sock) >= INBOX_BYTES;
}

/* What the events before have written leaves now: first all is received, then all is sent. */
static void receive_ahead(void *owner, const struct epoll_event *events, int count)
{
    struct sock_group *group = owner;

    send_all_held(group);
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data.ptr;
        struct sock *sock = CONTAINER_OF(watch, struct sock, watch);

        if (watch->on_events != on_sock_events || !is_received_ahead(sock, events[i].events))
            continue;
        sock->ahead = (uint8_t)inbox_receive(&group->inbox, watch->fd);
        group->receives += sock->ahead != 0;
    }
}

static void receive_all(struct sock *sock)
{
    size_t received = 0;

    while (sock->is_readable && may_receive(sock)) {
        if (received >= SOCK_TURN_BYTES) {
            loop_make_ready(sock->group->loop, &sock->ready);
            return;
        }
        if (!receive_once(sock, &received))
            return;
    }
}

/* After a failed write: what the other side said before, say why it refuses, as far as the owner
 * takes it at once. */
static void receive_rest(struct sock *sock)
{
    size_t received = 0;

    if (sock->is_connecting || sock->has_fin)
        return;
    sock->is_readable = sock->is_hung_up = true;
    while (sock->is_readable && !sock->is_paused && !sock->is_closed &&
           received < SOCK_TURN_BYTES) {
        if (!receive_once(sock, &received))
            return;
    }
}

void sock_pause(struct sock *sock)
{
    sock->is_paused = true;
}

void sock_resume(struct sock *sock)
{
    if (!sock->is_paused)
        return;
    sock->is_paused = false;
    if (sock->is_readable)
        loop_make_ready(sock->group->loop, &sock->ready);
}

/* ---- events ---- */

static int take_error(const struct sock *sock)
{
    socklen_t size = sizeof(int);
    int error = 0;

    if (getsockopt(sock->watch.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    return -error;
}

static void tell_drained(struct sock *sock)
{
    if (!sock->was_queued || buffer_size(&sock->queue) || sock->is_closed || sock->error)
        return;
    sock->was_queued = false;
    finish_shut(sock);
    if (sock->events->on_drained)
        sock->events->on_drained(sock);
}

/* The connection stands: what was queued goes out. */
static void establish(struct sock *sock)
{
    sock->is_connecting = false;
    if (sock->events->on_connected)
        sock->events->on_connected(sock);
    if (!sock->is_closed && !is_about_to_send(sock))
        finish_shut(sock);
}

/* What a receive would give, which takes nothing: 1 for bytes, 0 for the end, or a negative errno.
 */
static ssize_t peek(const struct sock *sock)
{
    char byte;
    ssize_t size = recv(sock->watch.fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);

    return size < 0 ? -errno : size;
}

bool sock_is_quiet(const struct sock *sock)
{
    return !sock->ahead && peek(sock) == -EAGAIN;
}

/* Whether bytes (or only the end) can be read; *error gets what stands there instead, or 0. */
static bool has_unread(const struct sock *sock, int *error)
{
    ssize_t size = sock->ahead ? inbox_size(&sock->group->inbox, sock->ahead) : 0;

    if (size <= 0)
        size = peek(sock);
    *error = size < 0 && size != -EAGAIN ? (int)size : 0;
    return size > 0;
}

/*
 * The connection is broken. An answer may lie before the error: where we are reading it is read
 * first, and reading then says what is wrong. Else it is told at once, unless bytes wait behind a
 * pause.
 */
static void meet_error(struct sock *sock)
{
    int error = 0;

    if (!sock->is_connecting && !sock->has_fin) {
        if (!sock->is_paused || has_unread(sock, &error))
            return;
    }
    fail(sock, error ? error : take_error(sock));
}

static void on_sock_events(struct watch *watch, uint32_t events)
{
    struct sock *sock = CONTAINER_OF(watch, struct sock, watch);

    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        sock->is_hung_up = true;
    if (events & EPOLLERR)
        meet_error(sock);
    if (!sock->error && sock->is_connecting && (events & EPOLLOUT))
        establish(sock);
    if (!sock->error && (events & EPOLLOUT) && !sock->is_closed && buffer_size(&sock->queue)) {
        send_queue(sock);
        tell_drained(sock);
    }
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        sock->is_readable = true;
    if (!sock->error)
        receive_all(sock);
    sock->is_late = sock->ahead != 0;
}

static void on_sock_ready(struct ready *ready)
{
    struct sock *sock = CONTAINER_OF(ready, struct sock, ready);

    if (sock->is_closed)
        return;
    if (!sock->error) {
        receive_all(sock);
        return;
    }
    if (sock->is_reset_told)
        return;
    if (sock->is_write_broken)
        receive_rest(sock);
    if (sock->is_closed)
        return;
    sock->is_readable = false;
    sock->is_reset_told = true;
    sock->events->on_reset(sock, sock->error);
}

static void on_timer(struct timer *timer)
{
    struct sock *sock = CONTAINER_OF(timer, struct sock, timer);

    sock->events->on_deadline(sock);
}

void sock_set_deadline(struct sock *sock, uint64_t after_us)
{
    if (!sock->destroy && !sock->is_closed)
        loop_start_timer(sock->group->loop, &sock->timer, after_us);
}

static void init(struct sock *sock, struct sock_group *group, int fd,
                 const struct sock_events *events)
{
    *sock = (struct sock){
        .watch.fd = fd,
        .group = group,
        .events = events,
        .receive_max = SOCK_RECEIVE_BYTES,
    };
    ready_init(&sock->ready, on_sock_ready);
    timer_init(&sock->timer, on_timer);
    buffer_init(&sock->queue, SOCK_QUEUE_BYTES_MAX);
}

static int register_sock(struct sock *sock)
{
    int result = loop_add(sock->group->loop, &sock->watch,
                          EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, on_sock_events);

    sock->is_registered = result == 0;
    return result;
}

void sock_watch(struct sock *sock)
{
    int result;

    if (!sock->is_unwatched)
        return;
    sock->is_unwatched = false;
    result = register_sock(sock);
    if (result < 0)
        fail(sock, result);
}

/* Before it connects: what is offered to the other side at first is not taken back. */
static void set_options(int fd, const struct address *address, uint32_t window_bytes)
{
    const int window = (int)window_bytes;
    const int on = 1;

    if (address->any.sa_family == AF_UNIX)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (window)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window));
}

int sock_connect(struct sock *sock, struct sock_group *group, const struct address *address,
                 uint32_t window_bytes, const struct sock_events *events)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int result = fd < 0 ? -errno : 0;

    init(sock, group, fd, events);
    if (result < 0)
        goto fail;
    set_options(fd, address, window_bytes);
    result = connect(fd, &address->any, address->size) < 0 ? -errno : 0;
    if (result < 0 && result != -EINPROGRESS)
        goto fail;
    sock->is_connecting = true;
    result = register_sock(sock);
    if (result < 0)
        goto fail;
    return 0;
fail:
    descriptor_close(&sock->watch.fd);
    sock->is_closed = true;
    return result;
}

void sock_adopt(struct sock *sock, struct sock_group *group, int fd,
                const struct sock_events *events)
{
    init(sock, group, fd, events);
    sock->is_readable = true;
    sock->is_unwatched = true;
    receive_all(sock);
    if (!sock->is_closed && !sock->error && !sock->may_be_unwatched)
        sock_watch(sock);
}

/* ---- the end ---- */

static void on_garbage(struct garbage *garbage)
{
    struct sock *sock = CONTAINER_OF(garbage, struct sock, garbage);

    sock->destroy(sock);
}

void sock_release(struct sock *sock)
{
    struct sock_group *group = sock->group;
    size_t before = buffer_size(&sock->queue);

    if (group->gathering == sock) {
        group->gathering = NULL;
        group->piece_count = 0;
    }
    assert(!sock->held);
    free_ahead(sock);
    sock->is_closed = true;
    timer_stop(&sock->timer);
    ready_cancel(&sock->ready);
    loop_forget(group->loop, &sock->watch);
    descriptor_close(&sock->watch.fd);
    buffer_finish(&sock->queue);
    account_queue(sock, before);
    loop_dispose(group->loop, &sock->garbage, on_garbage);
}

void sock_reset_at_close(struct sock *sock)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (sock->watch.fd >= 0)
        setsockopt(sock->watch.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

size_t sock_owed(const struct sock *sock)
{
    int unacknowledged = 0;

    if (ioctl(sock->watch.fd, SIOCOUTQ, &unacknowledged) < 0 || unacknowledged < 0)
        unacknowledged = 0;
    return buffer_size(&sock->queue) + (size_t)unacknowledged;
}

void sock_close(struct sock *sock, bool lingers, sock_fn destroy)
{
    assert(!sock->destroy);
    sock->destroy = destroy;
    sock_shut(sock);
    sock_flush(sock);
    /* Bytes of ours were lost: no FIN may say that this was all. */
    if (sock->error)
        sock_reset_at_close(sock);
    if (sock->is_closed || sock->error || (!lingers && !buffer_size(&sock->queue)) ||
        (sock->has_fin && !buffer_size(&sock->queue))) {
        sock_release(sock);
        return;
    }
    sock_watch(sock);
    linger_begin(sock);
    sock_resume(sock);
}

void sock_abort(struct sock *sock, sock_fn destroy)
{
    assert(!sock->destroy);
    /* Written in an earlier callback: it would have gone then. */
    send_held(sock);
    sock_reset_at_close(sock);
    sock->destroy = destroy;
    sock_release(sock);
}
