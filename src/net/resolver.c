#include "net/resolver.h"

#include <ares.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/memory.h"
#include "net/resolver_answer.h"

#define SOCKETS_MAX  32 /* of one question: UDP and TCP to each server, and some to spare */
#define LOOK_UP_FILE "f"
#define LOOK_UP_DNS  "b"

/* A socket of c-ares. */
struct socket_watch {
    struct watch watch;
    struct resolver *resolver;
};

/* The half of a question. */
struct half {
    struct resolver *resolver;
    enum resolver_family family;
    bool is_done;
};

struct resolver {
    struct loop *loop;
    ares_channel channel; /* NULL: none */
    resolver_fn on_answer;
    void *owner;
    struct socket_watch sockets[SOCKETS_MAX];
    struct half halves[RESOLVER_FAMILIES];
    struct timer timer;
    struct ready ready;
    struct garbage garbage;
    uint16_t port;
    struct resolver_answer answer;
};

/* ---- what came ---- */

static bool is_done(const struct resolver *resolver)
{
    return resolver->halves[RESOLVER_IPV4].is_done && resolver->halves[RESOLVER_IPV6].is_done;
}

static void on_half(void *argument, int status, int timeouts, struct ares_addrinfo *info)
{
    struct half *half = argument;
    struct resolver *resolver = half->resolver;

    (void)timeouts;
    half->is_done = true;
    if (status == ARES_SUCCESS && info)
        resolver_answer_take(&resolver->answer, half->family, resolver->port, info);
    else
        resolver_answer_fail(&resolver->answer, half->family, status);
    if (info)
        ares_freeaddrinfo(info);
    if (is_done(resolver) && status != ARES_EDESTRUCTION)
        loop_make_ready(resolver->loop, &resolver->ready);
}

/* ---- sockets and time ---- */

/* When c-ares wants to be called next, whatever happens. */
static void arm(struct resolver *resolver)
{
    struct timeval left;

    if (!ares_timeout(resolver->channel, NULL, &left)) {
        timer_stop(&resolver->timer);
        return;
    }
    loop_start_timer(resolver->loop, &resolver->timer,
                     (uint64_t)left.tv_sec * CLOCK_US_PER_S + (uint64_t)left.tv_usec + 1);
}

static void process(struct resolver *resolver, ares_socket_t readable, ares_socket_t writable)
{
    ares_process_fd(resolver->channel, readable, writable);
    arm(resolver);
}

static void on_timer(struct timer *timer)
{
    process(CONTAINER_OF(timer, struct resolver, timer), ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void on_socket(struct watch *watch, uint32_t events)
{
    struct socket_watch *self = CONTAINER_OF(watch, struct socket_watch, watch);
    bool is_readable = events & (EPOLLIN | EPOLLHUP | EPOLLERR);

    process(self->resolver, is_readable ? watch->fd : ARES_SOCKET_BAD,
            events & EPOLLOUT ? watch->fd : ARES_SOCKET_BAD);
}

static struct socket_watch *find_socket(struct resolver *resolver, int fd)
{
    struct socket_watch *unused = NULL;

    for (unsigned i = 0; i < SOCKETS_MAX; i++) {
        struct socket_watch *at = &resolver->sockets[i];

        if (at->watch.on_events && at->watch.fd == fd)
            return at;
        if (!at->watch.on_events)
            unused = at;
    }
    return unused;
}

/* What c-ares waits for on a socket changes; nothing: it is about to be closed. One that cannot be
 * watched is one that never answers. */
static void on_socket_state(void *argument, ares_socket_t fd, int readable, int writable)
{
    struct resolver *resolver = argument;
    struct socket_watch *at = find_socket(resolver, fd);
    uint32_t events = (readable ? (uint32_t)EPOLLIN : 0) | (writable ? (uint32_t)EPOLLOUT : 0);

    if (!at)
        return;
    if (!events) {
        loop_remove(resolver->loop, &at->watch);
        return;
    }
    if (at->watch.on_events) {
        (void)!loop_change(resolver->loop, &at->watch, events);
        return;
    }
    at->watch.fd = fd;
    at->resolver = resolver;
    (void)!loop_add(resolver->loop, &at->watch, events, on_socket);
}

/* ---- asking ---- */

static int open_channel(struct resolver *resolver, char *lookups, const char *servers)
{
    struct ares_options options = {
        .timeout = RESOLVER_TRY_MS,
        .tries = RESOLVER_TRIES,
        .lookups = lookups,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = resolver,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
    int status;

#ifdef ARES_OPT_QUERY_CACHE
    /* When an answer is old is decided by who asks. */
    options.qcache_max_ttl = 0;
    mask |= ARES_OPT_QUERY_CACHE;
#endif
    /* In the order that was given; the system's may say otherwise of its own. */
    if (servers)
        mask |= ARES_OPT_NOROTATE;
    status = ares_init_options(&resolver->channel, &options, mask);
    if (status != ARES_SUCCESS) {
        resolver->channel = NULL;
        return status;
    }
    return servers ? ares_set_servers_ports_csv(resolver->channel, servers) : ARES_SUCCESS;
}

static void close_channel(struct resolver *resolver)
{
    if (resolver->channel)
        ares_destroy(resolver->channel);
    resolver->channel = NULL;
}

/* The hosts file has both families, or the name is none of its: no question to others then. */
static void on_local(void *argument, int status, int timeouts, struct ares_addrinfo *info)
{
    struct resolver *resolver = argument;

    (void)timeouts;
    if (status == ARES_SUCCESS && info) {
        resolver_answer_take(&resolver->answer, RESOLVER_IPV4, resolver->port, info);
        resolver_answer_take(&resolver->answer, RESOLVER_IPV6, resolver->port, info);
        resolver->answer.is_local = resolver->answer.found[RESOLVER_IPV4].count ||
                                    resolver->answer.found[RESOLVER_IPV6].count;
    }
    if (info)
        ares_freeaddrinfo(info);
}

static bool ask_file(struct resolver *resolver, const char *host)
{
    static char lookups[] = LOOK_UP_FILE;
    const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT, .ai_family = AF_UNSPEC};

    if (open_channel(resolver, lookups, NULL) == ARES_SUCCESS)
        ares_getaddrinfo(resolver->channel, host, NULL, &hints, on_local, resolver);
    close_channel(resolver);
    return resolver->answer.is_local;
}

static void ask_dns(struct resolver *resolver, const char *servers, const char *host)
{
    static char lookups[] = LOOK_UP_DNS;
    int status = open_channel(resolver, lookups, servers);

    for (int family = 0; family < RESOLVER_FAMILIES; family++) {
        const struct ares_addrinfo_hints hints = {
            .ai_flags = ARES_AI_NOSORT,
            .ai_family = resolver_answer_af((enum resolver_family)family)};

        if (status != ARES_SUCCESS)
            on_half(&resolver->halves[family], status, 0, NULL);
        else
            ares_getaddrinfo(resolver->channel, host, NULL, &hints, on_half,
                             &resolver->halves[family]);
    }
    if (status == ARES_SUCCESS)
        arm(resolver);
}

static void free_resolver(struct garbage *garbage)
{
    free(CONTAINER_OF(garbage, struct resolver, garbage));
}

static void end(struct resolver *resolver)
{
    timer_stop(&resolver->timer);
    close_channel(resolver);
    ready_cancel(&resolver->ready);
    loop_dispose(resolver->loop, &resolver->garbage, free_resolver);
}

static void on_ready(struct ready *ready)
{
    struct resolver *resolver = CONTAINER_OF(ready, struct resolver, ready);

    end(resolver);
    resolver->on_answer(resolver->owner, &resolver->answer);
}

struct resolver *resolver_ask(struct loop *loop, const char *servers, const char *host,
                              uint16_t port, resolver_fn on_answer, void *owner)
{
    struct resolver *resolver = memory_allocate(sizeof(*resolver));

    resolver->loop = loop;
    resolver->on_answer = on_answer;
    resolver->owner = owner;
    resolver->port = port;
    resolver->answer.ttl_s = UINT32_MAX;
    timer_init(&resolver->timer, on_timer);
    ready_init(&resolver->ready, on_ready);
    for (int family = 0; family < RESOLVER_FAMILIES; family++)
        resolver->halves[family] =
            (struct half){.resolver = resolver, .family = (enum resolver_family)family};
    if (ask_file(resolver, host))
        loop_make_ready(loop, &resolver->ready);
    else
        ask_dns(resolver, servers, host);
    return resolver;
}

void resolver_cancel(struct resolver *resolver)
{
    if (resolver)
        end(resolver);
}
