#include "control/lookup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "control/crew_follow.h"
#include "replica/driver_static_name.h"

#define CAUSE_BYTES  (RESOLVER_HOST_BYTES + 32)
#define SERVER_BYTES (ADDRESS_TEXT_BYTES + 1)
#define DNS_PORT     53
#define PERCENT      100

/* Names of replicas. */
struct names {
    unsigned count;
    char (*items)[CREW_NAME_BYTES];
};

/* ---- what an answer means ---- */

const char *lookup_state_name(enum lookup_state state)
{
    static const char *const names[] = {"waiting", "answered", "failing"};

    return names[state];
}

uint32_t lookup_ttl_s(const struct resolver_answer *answer)
{
    if (answer->is_local)
        return LOOKUP_LOCAL_S;
    if (answer->ttl_s < LOOKUP_TTL_LEAST_S)
        return LOOKUP_TTL_LEAST_S;
    return answer->ttl_s > LOOKUP_TTL_MOST_S ? LOOKUP_TTL_MOST_S : answer->ttl_s;
}

uint32_t lookup_retry_ms(unsigned failed)
{
    uint32_t delay_ms = LOOKUP_RETRY_MS;

    while (--failed && delay_ms < LOOKUP_RETRY_MOST)
        delay_ms *= 2;
    return delay_ms < LOOKUP_RETRY_MOST ? delay_ms : LOOKUP_RETRY_MOST;
}

static void know(struct lookup_known *known, const struct address *addresses, unsigned count)
{
    free(known->addresses);
    known->count = count;
    known->addresses = memory_allocate((count + 1) * sizeof(*addresses));
    if (count)
        memcpy(known->addresses, addresses, count * sizeof(*addresses));
}

bool lookup_merge(struct lookup_known known[RESOLVER_FAMILIES],
                  const struct resolver_answer *answer)
{
    const struct resolver_found *found = answer->found;

    if (found[RESOLVER_IPV4].result < 0 && found[RESOLVER_IPV6].result < 0)
        return false;
    for (int family = 0; family < RESOLVER_FAMILIES; family++) {
        if (found[family].result < 0 && found[family].result != -ENODATA)
            continue;
        know(&known[family], found[family].addresses, found[family].count);
    }
    return true;
}

/* ---- the names of replicas ---- */

static struct names names_begin(unsigned most)
{
    return (struct names){.items = memory_allocate((most + 1) * CREW_NAME_BYTES)};
}

static bool has_name(const struct names *names, const char *name)
{
    for (unsigned i = 0; i < names->count; i++) {
        if (strcmp(names->items[i], name) == 0)
            return true;
    }
    return false;
}

/* What the pool should have of this name. */
static struct names wanted_names(const struct lookup *lookup)
{
    struct names names =
        names_begin(lookup->known[RESOLVER_IPV4].count + lookup->known[RESOLVER_IPV6].count);

    for (int family = 0; family < RESOLVER_FAMILIES; family++) {
        for (unsigned i = 0; i < lookup->known[family].count; i++)
            driver_static_name_make(lookup->entry, &lookup->known[family].addresses[i],
                                    names.items[names.count++]);
    }
    return names;
}

static bool is_of(const struct lookup *lookup, const char *name, struct address *address)
{
    struct view entry = view_of(lookup->entry);

    /* Most names are another's: that is seen without reading an address. */
    return view_starts_with(view_of(name), entry) && name[entry.size] == '-' &&
           driver_static_name_read(name, &entry, address) == 0 &&
           view_equals(entry, view_of(lookup->entry));
}

/* Members of this name that it has no more. */
static struct names leaving_names(const struct lookup *lookup, const struct names *wanted)
{
    struct names names = names_begin(lookup->crew->count);

    LIST_FOR_EACH (at, &lookup->crew->members) {
        const struct crew_member *member = CONTAINER_OF(at, struct crew_member, list);
        struct address address;

        if (is_of(lookup, member->name, &address) && !has_name(wanted, member->name))
            memcpy(names.items[names.count++], member->name, CREW_NAME_BYTES);
    }
    return names;
}

static struct names joining_names(const struct lookup *lookup, const struct names *wanted)
{
    struct names names = names_begin(wanted->count);

    for (unsigned i = 0; i < wanted->count; i++) {
        if (!crew_find(lookup->crew, wanted->items[i]))
            memcpy(names.items[names.count++], wanted->items[i], CREW_NAME_BYTES);
    }
    return names;
}

/* ---- the pool follows ---- */

static void say_cause(const struct lookup *lookup, char cause[CAUSE_BYTES])
{
    snprintf(cause, CAUSE_BYTES, "the addresses of %s", lookup->host);
}

static void log_unsaved(const struct error *why)
{
    log_event(LOG_ERROR, "state.failed", LOG_TEXT("reason", why->text));
}

static void join(struct lookup *lookup, const struct names *wanted)
{
    struct names names = joining_names(lookup, wanted);
    char cause[CAUSE_BYTES];
    struct error why;
    int joined = 0;

    say_cause(lookup, cause);
    if (names.count)
        joined = crew_follow_join(lookup->crew, names.items, names.count, cause, &why);
    if (joined < 0)
        log_unsaved(&why);
    else
        lookup->passed_over += names.count - (unsigned)joined;
    free(names.items);
}

/* Is every new replica ready, or down again? */
static bool are_settled(const struct lookup *lookup, const struct names *wanted)
{
    for (unsigned i = 0; i < wanted->count; i++) {
        const struct crew_member *member = crew_find(lookup->crew, wanted->items[i]);

        if (member &&
            (member->replica->state == REPLICA_STARTING || member->replica->state == REPLICA_READY))
            return false;
    }
    return true;
}

/* Lets go of what the name has no more, now or later. */
static void part(struct lookup *lookup, const struct names *wanted)
{
    struct names names = leaving_names(lookup, wanted);
    char cause[CAUSE_BYTES];
    struct error why;

    timer_stop(&lookup->settle);
    say_cause(lookup, cause);
    if (names.count && !are_settled(lookup, wanted) &&
        lookup->lookups->loop->now_us < lookup->leave_us)
        loop_start_timer(lookup->lookups->loop, &lookup->settle, LOOKUP_SETTLE_US);
    else if (names.count &&
             crew_follow_leave(lookup->crew, names.items, names.count, cause, &why) < 0)
        log_unsaved(&why);
    free(names.items);
}

static void on_settle(struct timer *timer)
{
    struct lookup *lookup = CONTAINER_OF(timer, struct lookup, settle);
    struct names wanted = wanted_names(lookup);

    part(lookup, &wanted);
    free(wanted.items);
}

static void follow(struct lookup *lookup)
{
    struct names wanted = wanted_names(lookup);

    /* Those that wait to leave do so from the first answer without them on. */
    if (!timer_is_running(&lookup->settle))
        lookup->leave_us =
            lookup->lookups->loop->now_us + lookup->crew->config->health.start_ms * CLOCK_US_PER_MS;
    join(lookup, &wanted);
    part(lookup, &wanted);
    free(wanted.items);
}

/* ---- questions ---- */

static void say_outcome(const char *event, const struct lookup *lookup, enum log_level level)
{
    struct log_field fields[] = {
        LOG_TEXT("service", lookup->crew->config->name),
        LOG_TEXT("name", lookup->entry),
        LOG_TEXT("host", lookup->host),
        LOG_NUMBER("addresses",
                   lookup->known[RESOLVER_IPV4].count + lookup->known[RESOLVER_IPV6].count),
        LOG_TEXT("reason", lookup->why),
        {0},
    };

    if (!lookup->why[0])
        fields[ARRAY_SIZE(fields) - 2] = (struct log_field){0};
    log_write(level, event, fields);
}

static void handle_failure(struct lookup *lookup, const char *why)
{
    bool is_new = lookup->failed++ == 0;
    uint64_t delay_us = lookup_retry_ms(lookup->failed) * CLOCK_US_PER_MS;

    lookup->failures++;
    snprintf(lookup->why, sizeof(lookup->why), "%s", why);
    lookup->state = LOOKUP_FAILING;
    if (is_new)
        say_outcome("lookup.failed", lookup, LOG_WARN);
    delay_us -= random_below(delay_us * LOOKUP_JITTER / PERCENT + 1);
    loop_start_timer(lookup->lookups->loop, &lookup->again, delay_us);
}

static void handle_success(struct lookup *lookup, const struct resolver_answer *answer)
{
    bool is_new = lookup->state != LOOKUP_ANSWERED;
    unsigned before = lookup->passed_over;

    lookup->answers++;
    lookup->failed = 0;
    lookup->why[0] = '\0';
    lookup->state = LOOKUP_ANSWERED;
    lookup->ttl_s = lookup_ttl_s(answer);
    lookup->passed_over =
        answer->found[RESOLVER_IPV4].passed_over + answer->found[RESOLVER_IPV6].passed_over;
    if (is_new)
        say_outcome("lookup.answered", lookup, LOG_INFO);
    follow(lookup);
    if (lookup->passed_over && !before)
        log_event(LOG_WARN, "lookup.capped", LOG_TEXT("service", lookup->crew->config->name),
                  LOG_TEXT("name", lookup->entry), LOG_TEXT("host", lookup->host),
                  LOG_NUMBER("passed_over", lookup->passed_over));
    loop_start_timer(lookup->lookups->loop, &lookup->again, lookup->ttl_s * CLOCK_US_PER_S);
}

static void ask_next(struct lookups *lookups);

static void on_answer(void *owner, const struct resolver_answer *answer)
{
    struct lookup *lookup = owner;

    lookup->question = NULL;
    lookup->lookups->questions--;
    if (lookup_merge(lookup->known, answer))
        handle_success(lookup, answer);
    else
        handle_failure(lookup, answer->why[0] ? answer->why : "it has no address of use");
    ask_next(lookup->lookups);
}

static void ask_next(struct lookups *lookups)
{
    while (lookups->questions < LOOKUP_QUESTIONS_MAX && !list_is_empty(&lookups->waiting)) {
        struct lookup *lookup = LIST_FIRST(&lookups->waiting, struct lookup, turn);

        list_remove(&lookup->turn);
        lookups->questions++;
        lookup->question = resolver_ask(lookups->loop, lookups->servers, lookup->host, lookup->port,
                                        on_answer, lookup);
    }
}

static void on_again(struct timer *timer)
{
    struct lookup *lookup = CONTAINER_OF(timer, struct lookup, again);

    list_append(&lookup->lookups->waiting, &lookup->turn);
    ask_next(lookup->lookups);
}

/* ---- beginning and end ---- */

/* What was remembered is the last good answer. */
static void recall(struct lookup *lookup)
{
    LIST_FOR_EACH (at, &lookup->crew->members) {
        const struct crew_member *member = CONTAINER_OF(at, struct crew_member, list);
        struct lookup_known *known;
        struct address address;

        if (!is_of(lookup, member->name, &address))
            continue;
        known = &lookup->known[address.any.sa_family == AF_INET ? RESOLVER_IPV4 : RESOLVER_IPV6];
        address_set_port(&address, lookup->port);
        known->addresses = memory_resize(known->addresses, (known->count + 1) * sizeof(address));
        known->addresses[known->count++] = address;
    }
}

/* "IP:PORT,[IP]:PORT", or NULL. */
static char *list_servers(const struct config_texts *resolvers)
{
    size_t bytes = resolvers->count * SERVER_BYTES + 1;
    char *text;

    if (resolvers->count == 0)
        return NULL;
    text = memory_allocate(bytes);
    for (unsigned i = 0; i < resolvers->count; i++) {
        struct view server = view_of(resolvers->items[i]);
        char written[ADDRESS_TEXT_BYTES];
        struct address address;

        if (address_from_ip(server, DNS_PORT, &address) < 0 &&
            address_from_text(server, &address, NULL) < 0)
            continue;
        address_to_text(&address, written);
        snprintf(text + strlen(text), bytes - strlen(text), "%s%s", *text ? "," : "", written);
    }
    return text;
}

/* How many names the service has; they are written to `lookup` where it is not NULL. */
static unsigned list_names(struct lookups *lookups, struct crew *crew, struct lookup *lookup)
{
    const struct config_pairs *addresses = &crew->config->replicas.addresses;
    unsigned count = 0;

    for (unsigned i = 0; i < addresses->count; i++) {
        char host[RESOLVER_HOST_BYTES];
        uint16_t port;

        if (resolver_host_from_text(view_of(addresses->items[i].value), host, &port) < 0)
            continue;
        if (lookup) {
            lookup[count].lookups = lookups;
            lookup[count].crew = crew;
            lookup[count].port = port;
            memcpy(lookup[count].host, host, sizeof(host));
            snprintf(lookup[count].entry, CREW_NAME_BYTES, "%s", addresses->items[i].name);
        }
        count++;
    }
    return count;
}

void lookup_start(struct lookups *lookups, struct loop *loop, const struct config *config,
                  struct crew *crews)
{
    unsigned count = 0;

    for (unsigned i = 0; i < config->service_count; i++)
        count += list_names(lookups, &crews[i], NULL);
    *lookups = (struct lookups){
        .loop = loop,
        .all = memory_allocate((count + 1) * sizeof(*lookups->all)),
        .servers = list_servers(&config->resolvers),
        .started_us = clock_now_us(),
    };
    list_init(&lookups->waiting);
    for (unsigned i = 0; i < config->service_count; i++)
        lookups->count += list_names(lookups, &crews[i], &lookups->all[lookups->count]);
    for (unsigned i = 0; i < count; i++) {
        struct lookup *lookup = &lookups->all[i];

        timer_init(&lookup->again, on_again);
        timer_init(&lookup->settle, on_settle);
        list_init(&lookup->turn);
        recall(lookup);
        list_append(&lookups->waiting, &lookup->turn);
    }
    ask_next(lookups);
}

void lookup_stop(struct lookups *lookups)
{
    for (unsigned i = 0; i < lookups->count; i++) {
        struct lookup *lookup = &lookups->all[i];

        timer_stop(&lookup->again);
        timer_stop(&lookup->settle);
        list_remove(&lookup->turn);
        resolver_cancel(lookup->question);
        lookup->question = NULL;
    }
}

void lookup_finish(struct lookups *lookups)
{
    lookup_stop(lookups);
    for (unsigned i = 0; i < lookups->count; i++) {
        free(lookups->all[i].known[RESOLVER_IPV4].addresses);
        free(lookups->all[i].known[RESOLVER_IPV6].addresses);
    }
    free(lookups->all);
    free(lookups->servers);
    *lookups = (struct lookups){0};
}

bool lookup_is_settled(const struct lookups *lookups)
{
    for (unsigned i = 0; i < lookups->count; i++) {
        const struct lookup *lookup = &lookups->all[i];

        if (lookup->answers + lookup->failures == 0 &&
            clock_now_us() < lookups->started_us + LOOKUP_PATIENCE_US)
            return false;
    }
    return true;
}
