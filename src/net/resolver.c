#include "net/resolver.h"

#include <ares.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/memory.h"

#define SOCKETS_MAX     32 /* of one question: UDP and TCP to each server, and some to spare */
#define LABEL_BYTES_MAX 63
#define PORT_MAX        65535
#define LOOK_UP_FILE    "f"
#define LOOK_UP_DNS     "b"

static const int families[RESOLVER_FAMILIES] = {AF_INET, AF_INET6};

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

/* ---- what is asked for ---- */

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_label(struct view label)
{
    if (label.size == 0 || label.size > LABEL_BYTES_MAX)
        return false;
    for (size_t i = 0; i < label.size; i++) {
        bool is_end = i == 0 || i + 1 == label.size;

        if (!is_letter_or_digit(label.data[i]) && label.data[i] != '_' &&
            (is_end || label.data[i] != '-'))
            return false;
    }
    return true;
}

/* A last label of digits is the rest of an IP address that was mistyped. */
static bool is_host(struct view name)
{
    struct view label = {0};
    uint64_t number;

    if (name.size && name.data[name.size - 1] == '.')
        name.size--;
    if (name.size == 0 || name.size > RESOLVER_HOST_BYTES - 2)
        return false;
    for (struct view rest = name;;) {
        size_t size = view_find(rest, '.');

        label = view_first(rest, size);
        if (!is_label(label))
            return false;
        if (size == rest.size)
            break;
        rest = view_after(rest, size + 1);
    }
    return view_to_number(label, UINT64_MAX, &number) == -EINVAL;
}

int resolver_host_from_text(struct view text, char host[RESOLVER_HOST_BYTES], uint16_t *port)
{
    size_t colon = view_find(text, ':');
    struct view name = view_first(text, colon);
    uint64_t number;

    if (colon == text.size || !is_host(name) ||
        view_to_number(view_after(text, colon + 1), PORT_MAX, &number) < 0 || number == 0)
        return -EINVAL;
    if (view_to_text(name, host, RESOLVER_HOST_BYTES) < 0)
        return -EINVAL;
    *port = (uint16_t)number;
    return 0;
}

/* ---- what came ---- */

/* One that a replica can have: not every host, none, a group of hosts, one that says nothing
 * without an interface, or IPv4 in disguise. */
static bool is_usable(const struct address *address)
{
    const struct in6_addr *six = &address->in6.sin6_addr;
    uint32_t four;

    if (address->any.sa_family == AF_INET) {
        four = ntohl(address->in.sin_addr.s_addr);
        return four >> 24 != 0 && !IN_MULTICAST(four) && four != INADDR_BROADCAST;
    }
    if (IN6_IS_ADDR_LOOPBACK(six))
        return true;
    return !IN6_IS_ADDR_UNSPECIFIED(six) && !IN6_IS_ADDR_MULTICAST(six) &&
           !IN6_IS_ADDR_LINKLOCAL(six) && !IN6_IS_ADDR_V4MAPPED(six) && !IN6_IS_ADDR_V4COMPAT(six);
}

static bool take_address(const struct ares_addrinfo_node *node, enum resolver_family family,
                         uint16_t port, struct address *address)
{
    *address = (struct address){.size = 0};
    if (node->ai_family != families[family])
        return false;
    if (family == RESOLVER_IPV4) {
        address->in.sin_family = AF_INET;
        address->in.sin_addr = ((const struct sockaddr_in *)(const void *)node->ai_addr)->sin_addr;
        address->size = sizeof(address->in);
    } else {
        address->in6.sin6_family = AF_INET6;
        address->in6.sin6_addr =
            ((const struct sockaddr_in6 *)(const void *)node->ai_addr)->sin6_addr;
        address->size = sizeof(address->in6);
    }
    address_set_port(address, port);
    return is_usable(address);
}

static int compare(const void *a, const void *b)
{
    const struct address *one = a;
    const struct address *other = b;

    if (one->any.sa_family == AF_INET)
        return memcmp(&one->in.sin_addr, &other->in.sin_addr, sizeof(one->in.sin_addr));
    return memcmp(&one->in6.sin6_addr, &other->in6.sin6_addr, sizeof(one->in6.sin6_addr));
}

static void keep(const struct address *sorted, unsigned count, struct resolver_found *found)
{
    for (unsigned i = 0; i < count; i++) {
        if (i > 0 && address_equals(&sorted[i - 1], &sorted[i]))
            continue;
        if (found->count < RESOLVER_ADDRESSES_MAX)
            found->addresses[found->count++] = sorted[i];
        else
            found->passed_over++;
    }
}

static unsigned count_nodes(const struct ares_addrinfo *info)
{
    unsigned count = 0;

    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        count++;
    return count < RESOLVER_FOUND_MAX ? count : RESOLVER_FOUND_MAX;
}

static uint32_t shortest_ttl(const struct ares_addrinfo *info)
{
    int least = INT32_MAX;

    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        least = node->ai_ttl < least ? node->ai_ttl : least;
    for (const struct ares_addrinfo_cname *name = info->cnames; name; name = name->next)
        least = name->ttl < least ? name->ttl : least;
    /* One with the highest bit set is none (RFC 2181 8). */
    return least < 0 ? 0 : (uint32_t)least;
}

/* The addresses of one family out of an answer. */
static void take(struct resolver *resolver, enum resolver_family family,
                 const struct ares_addrinfo *info)
{
    struct resolver_found *found = &resolver->answer.found[family];
    unsigned most = count_nodes(info);
    struct address *all = memory_allocate((most + 1) * sizeof(*all));
    uint32_t ttl_s = shortest_ttl(info);
    unsigned count = 0;

    for (const struct ares_addrinfo_node *node = info->nodes; node && count < most;
         node = node->ai_next)
        count += take_address(node, family, resolver->port, &all[count]);
    qsort(all, count, sizeof(*all), compare);
    keep(all, count, found);
    free(all);
    found->result = count ? 0 : -ENODATA;
    if (count && ttl_s < resolver->answer.ttl_s)
        resolver->answer.ttl_s = ttl_s;
}

static int result_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
        return -ENODATA;
    case ARES_ETIMEOUT:
        return -ETIMEDOUT;
    default:
        return -EIO;
    }
}

static void say_why(struct resolver *resolver, int status)
{
    snprintf(resolver->answer.why, sizeof(resolver->answer.why), "%s", ares_strerror(status));
}

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
    resolver->answer.found[half->family].result = result_of(status);
    if (status == ARES_SUCCESS && info)
        take(resolver, half->family, info);
    else
        say_why(resolver, status);
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
        take(resolver, RESOLVER_IPV4, info);
        take(resolver, RESOLVER_IPV6, info);
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
        const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT,
                                                  .ai_family = families[family]};

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
