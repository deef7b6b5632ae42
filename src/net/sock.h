/*
 * A connected stream socket that delivers bytes, not readiness.
 *
 * What arrives is handed to the owner as a view into the one receive buffer of the group: the
 * owner uses it or keeps the rest in a buffer of its own; an idle connection holds no buffer.
 * What is written during one callback of the loop is gathered and leaves in one system call: bytes
 * given to sock_write() must stay where they are until the callback returns. What is small is
 * copied then and leaves at the end of the turn, with what the others have (net/outbox.h). What the
 * kernel does not take is copied into the queue of the sock.
 *
 * Registered once, edge-triggered. A sock does not call its owner from inside a call the owner
 * makes (but for sock_adopt()): failures of a write arrive as on_reset, later in the turn.
 *
 * How it writes is in sock_write.c, how it reads in sock_read.c, how it ends in sock_close.c.
 *
 * Owner: the struct it is embedded in. After sock_close() nothing is delivered any more.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/sock_group.h"
#include "net/sock_text.h"

/* Most bytes of one receive while the other side is slow or memory short, and while there is no
 * memory left and nobody slow is known to wait for them. */
#define SOCK_RECEIVE_TIGHT_BYTES (32 * 1024)
#define SOCK_RECEIVE_SPARE_BYTES (16 * 1024)

#define SOCK_TURN_BYTES      (1024 * 1024) /* most bytes one sock receives before the others' turn */
#define SOCK_QUEUE_BYTES_MAX (1024 * 1024) /* most bytes one sock queues */
#define SOCK_LINGER_BYTES    (64 * 1024)   /* read and thrown away after our FIN, at most */
#define SOCK_LINGER_US       UINT64_C(2000000)
#define SOCK_LINGER_ROUNDS   30 /* so often a slow reader may move on before we give up its queue */

typedef void (*sock_fn)(struct sock *sock);

/* What a sock tells its owner. */
struct sock_events {
    /* Bytes have arrived; the view is gone when this returns. */
    void (*on_bytes)(struct sock *sock, struct view bytes);
    /* The other side will send no more. Nothing more arrives. May be NULL. */
    void (*on_fin)(struct sock *sock);
    /* All that was queued has gone. May be NULL. */
    void (*on_drained)(struct sock *sock);
    /* The connection was established (socks that connect). May be NULL. */
    void (*on_connected)(struct sock *sock);
    /* Broken: `error` is a negative errno. Told once; the owner closes it. What arrived before the
     * connection broke has been delivered, but for what lay behind a pause when a write failed. */
    void (*on_reset)(struct sock *sock, int error);
    /* The time set by sock_set_deadline() has come. May be NULL where none is set. */
    void (*on_deadline)(struct sock *sock);
};

/*
 * A node holds tens of thousands of them: what is seldom needed is small or shared. What each event
 * and each write looks at comes first and fills one line of the cache; what is for the owner's eyes
 * comes last, beside the owner's own.
 */
struct sock {
    struct watch watch;
    struct buffer queue; /* accepted from the owner, not yet by the kernel */
    struct sock_group *group;
    const struct sock_events *events;
    int16_t error; /* negative errno waiting to be told, or 0 */
    uint8_t held;  /* its write that waits for the end of the turn; 0: none */
    uint8_t ahead; /* what was received ahead and not yet delivered; 0: nothing */
    uint8_t linger_rounds;
    bool is_connecting : 1;
    bool is_unwatched : 1;     /* adopted, and not yet under the watch of the loop */
    bool may_be_unwatched : 1; /* the owner's word */
    bool is_readable : 1;      /* the kernel may have more for us */
    bool is_hung_up : 1;       /* an event said that no more comes: read on until 0 */
    bool is_paused : 1;
    bool has_fin : 1;    /* theirs was read */
    bool wants_shut : 1; /* our FIN follows what is queued */
    bool is_shut : 1;
    bool was_queued : 1;      /* on_drained is owed */
    bool is_write_broken : 1; /* a write found the error: there may be bytes before it */
    bool is_reset_told : 1;
    bool is_closed : 1;
    bool is_late : 1;     /* what was received ahead was not delivered then: more may have come */
    bool gets_little : 1; /* its last receive would have fitted into the inbox */

    union {
        struct timer timer;     /* the owner's deadline; then that of the lingering */
        struct garbage garbage; /* once it is closed */
    };
    struct ready ready;
    sock_fn destroy; /* after sock_close() */
    uint32_t linger_bytes;
    uint32_t linger_owed; /* bytes not yet at the other side when its last round began */
    uint32_t receive_max;
    uint64_t sent_bytes; /* taken by the kernel since the start */
};

/* Allocates the shared memory and takes the loop's ahead, settle and rest functions. */
void sock_group_init(struct sock_group *group, struct loop *loop, size_t queued_limit);
void sock_group_finish(struct sock_group *group);

/*
 * Starts connecting. What is written before the connection stands is queued. The other side may
 * have `window_bytes` on the way that we have not read (the kernel takes twice as much memory for
 * that); 0: as many as the kernel finds good, which may be megabytes. -errno where it fails at
 * once: there is nothing to close then, though sock_close() would do no harm.
 */
MUST_USE int sock_connect(struct sock *sock, struct sock_group *group,
                          const struct address *address, uint32_t window_bytes,
                          const struct sock_events *events);

/* Takes over a connected non-blocking descriptor; reads what is there before it returns. Not from
 * inside on_bytes, whose view it would overwrite. */
void sock_adopt(struct sock *sock, struct sock_group *group, int fd,
                const struct sock_events *events);

/*
 * From inside the on_bytes of sock_adopt(): nothing more is awaited from the other side, so it need
 * not be watched until sock_watch(). A connection that lives for one request that is answered soon
 * is spared the registering.
 */
static inline void sock_leave_unwatched(struct sock *sock)
{
    sock->may_be_unwatched = true;
}

/* Watches it from now on; harmless where it is watched. What is queued or lingers is watched
 * anyway. */
void sock_watch(struct sock *sock);

/* Is it watched? Of one that is open. */
static inline bool sock_is_watched(const struct sock *sock)
{
    return !sock->is_unwatched;
}

/*
 * Sends or queues all of it. Too much queued (SOCK_QUEUE_BYTES_MAX) or a broken connection:
 * on_reset follows. Bytes written after sock_shut() or a failure are thrown away.
 */
void sock_write(struct sock *sock, struct view bytes);

/* Sends what was written at once, without waiting for the callback to return or the turn to end. */
void sock_flush(struct sock *sock);

/* Bytes the owner wrote and the kernel has not taken, exact after sock_flush(); what is held for
 * the end of the turn counts as taken. */
static inline size_t sock_queued(const struct sock *sock)
{
    return buffer_size(&sock->queue);
}

/* Bytes the kernel has taken since the start. */
static inline uint64_t sock_sent(const struct sock *sock)
{
    return sock->sent_bytes;
}

/* Bytes written and not yet acknowledged by the other side: fewer than before means that it takes
 * them, however slowly. */
size_t sock_owed(const struct sock *sock);

/* Has the other side not ended it, and nothing broken it, as far as we have read and written? */
static inline bool sock_is_whole(const struct sock *sock)
{
    return !sock->has_fin && !sock->error;
}

/* Has nothing come, not even the end? An event that says so may not be delivered yet. */
bool sock_is_quiet(const struct sock *sock);

/* Nothing is delivered (nor read) until sock_resume(), but for an on_reset before which no bytes
 * lie or which a write met. */
void sock_pause(struct sock *sock);
void sock_resume(struct sock *sock);

/* At most that many bytes a receive from now on; 0: SOCK_RECEIVE_BYTES. */
static inline void sock_limit_receive(struct sock *sock, size_t bytes)
{
    sock->receive_max =
        bytes && bytes < SOCK_RECEIVE_BYTES ? (uint32_t)bytes : (uint32_t)SOCK_RECEIVE_BYTES;
}

/* on_deadline is called once, `after_us` from now; setting it anew puts it off or forward. Nothing
 * happens on a sock that is closed. */
void sock_set_deadline(struct sock *sock, uint64_t after_us);

static inline bool sock_has_deadline(const struct sock *sock)
{
    return !sock->destroy && timer_is_running(&sock->timer);
}

/* Our FIN, after what is queued; reading goes on. */
void sock_shut(struct sock *sock);

/*
 * Ends it: nothing more is delivered. What is queued still goes out. destroy(sock) is called when
 * the memory may go, at the end of the turn or, where something is queued or with `lingers`, once
 * our FIN is out and the other side has closed too, at most SOCK_LINGER_US or SOCK_LINGER_BYTES
 * later (so that the last bytes reach somebody who is still sending). Somebody who takes nothing of
 * the queue for SOCK_LINGER_US, or is not through after SOCK_LINGER_ROUNDS of them, gets a RST: a
 * FIN would make him believe that he has it all.
 */
void sock_close(struct sock *sock, bool lingers, sock_fn destroy);

/* Ends it at once, with a RST and without what is queued or gathered; memory as in sock_close(). */
void sock_abort(struct sock *sock, sock_fn destroy);

/* Sends or copies what any sock of the group has gathered, so that memory its pieces lie in may go.
 */
void sock_group_settle(struct sock_group *group);

/* sock_queued() of all that was written up to here. */
static inline size_t sock_queued_now(struct sock *sock)
{
    sock_group_settle(sock->group);
    return sock_queued(sock);
}

/* sock_sent() with all that was written up to here on its way, exact. */
static inline uint64_t sock_sent_now(struct sock *sock)
{
    sock_flush(sock);
    return sock_sent(sock);
}
