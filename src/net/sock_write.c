#include "net/sock_write.h"

#include <errno.h>

#include "net/sock_life.h"
#include "net/sock_queue.h"

/* ---- to the kernel ---- */

/* A write met the error; what arrived before it is delivered first. */
static void fail_writing(struct sock *sock, int error)
{
    if (!sock->error)
        sock->is_write_broken = true;
    sock_life_fail(sock, error);
}

static void queue_bytes(struct sock *sock, struct view bytes)
{
    int result = sock_queue_add(sock, bytes);

    if (result < 0)
        sock_life_fail(sock, result);
    else
        sock_life_watch(sock); /* Somebody must say when there is room again. */
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

void sock_write_queue(struct sock *sock)
{
    struct view view = buffer_view(&sock->queue);
    struct iovec piece = {(void *)view.data, view.size};
    ssize_t sent;

    if (!view.size)
        return;
    sent = send_pieces(sock, &piece, 1);
    if (sent < 0) {
        fail_writing(sock, (int)sent);
        return;
    }
    sock_queue_take(sock, (size_t)sent);
}

void sock_write_fin(struct sock *sock)
{
    if (!sock->wants_shut || sock->is_shut || sock->is_connecting)
        return;
    if (sock->group->gathering == sock || sock->held || buffer_size(&sock->queue))
        return;
    sock->is_shut = true;
    shutdown(sock->watch.fd, SHUT_WR);
}

/* ---- held for the end of the turn ---- */

void sock_write_held(struct sock *sock)
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

void sock_write_all_held(struct sock_group *group)
{
    struct sock *sock;

    while ((sock = outbox_next(&group->outbox))) {
        sock_write_held(sock);
        sock_write_fin(sock);
    }
}

/* ---- gathered ---- */

void sock_write_gathered(struct sock_group *group)
{
    struct sock *sock = group->gathering;
    int count = group->piece_count;

    if (!sock)
        return;
    group->gathering = NULL;
    group->piece_count = 0;
    sock_write_held(sock);
    if (sock->error || buffer_size(&sock->queue)) {
        queue_rest(sock, group->pieces, count, 0);
        return;
    }
    if (group->outbox.count == OUTBOX_MAX)
        sock_write_all_held(group);
    sock->held = (uint8_t)outbox_add(&group->outbox, sock, group->pieces, count);
    if (sock->held)
        return;
    send_now(sock, group->pieces, count);
    sock_write_fin(sock);
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
        sock_write_gathered(group);
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

/* ---- when it leaves ---- */

void sock_write_on_settle(void *owner)
{
    struct sock_group *group = owner;

    sock_write_gathered(group);
    group->text_bytes = 0;
}

void sock_write_on_rest(void *owner)
{
    struct sock_group *group = owner;

    sock_write_gathered(group);
    sock_write_all_held(group);
}
