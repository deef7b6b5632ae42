#include "conn/shed.h"

#include "conn/inbound_life.h"

const char shed_reason[] = "more bytes of requests wait than limits.buffered-total allows";

/* Whoever has less is not worth it. */
#define BYTES_MIN SOCK_RECEIVE_ROOM_MIN

/* So much is made free: that many parts of the limit stay in use. */
#define PARTS      8
#define PARTS_USED 7

/* What is short: how much of it one connection has, and all together. */
struct shortage {
    size_t (*of_one)(const struct inbound *inbound);
    size_t (*of_all)(const struct sock_group *socks);
    void (*end)(struct inbound *inbound);
};

static size_t largest(const struct inbound_group *group, const struct shortage *shortage)
{
    size_t most = 0;

    LIST_FOR_EACH (at, &group->all) {
        const struct inbound *inbound = CONTAINER_OF(at, struct inbound, list);
        size_t bytes = shortage->of_one(inbound);

        if (!inbound->is_processing && bytes > most)
            most = bytes;
    }
    return most;
}

static bool is_enough(const struct sock_group *socks, const struct shortage *shortage)
{
    return shortage->of_all(socks) <= socks->queued_limit / PARTS * PARTS_USED;
}

/* Ends who has at least so much, until it is enough. */
static unsigned end_from(struct inbound_group *group, const struct shortage *shortage, size_t least)
{
    unsigned count = 0;

    LIST_FOR_EACH (at, &group->all) {
        struct inbound *inbound = CONTAINER_OF(at, struct inbound, list);

        if (is_enough(group->socks, shortage))
            break;
        if (inbound->is_processing || shortage->of_one(inbound) < least)
            continue;
        shortage->end(inbound);
        count++;
    }
    return count;
}

/* Those who have most first: half as much as the largest, half of that, and so on. */
static unsigned shed(struct inbound_group *group, const struct shortage *shortage)
{
    size_t least = largest(group, shortage) / 2;
    unsigned count = 0;

    for (; least >= BYTES_MIN && !is_enough(group->socks, shortage); least /= 2)
        count += end_from(group, shortage, least);
    return count;
}

static size_t queue_of(const struct inbound *inbound)
{
    return sock_queued(&inbound->sock);
}

static size_t all_queues(const struct sock_group *socks)
{
    return socks->queued_bytes;
}

static void end_reader(struct inbound *inbound)
{
    inbound_life_break(inbound, STREAM_SHUT_DOWN, "its memory was needed for others");
}

unsigned shed_slowest(struct inbound_group *group)
{
    static const struct shortage queues = {queue_of, all_queues, end_reader};

    return shed(group, &queues);
}

static size_t kept_of(const struct inbound *inbound)
{
    return inbound->kept.capacity;
}

static size_t all_kept(const struct sock_group *socks)
{
    return socks->kept_bytes;
}

void shed_one(struct inbound *inbound)
{
    if (inbound->state == INBOUND_HEAD)
        inbound_life_refuse(inbound, 503, STREAM_SHUT_DOWN, shed_reason);
    else
        end_reader(inbound);
}

unsigned shed_unfinished(struct inbound_group *group)
{
    static const struct shortage kept = {kept_of, all_kept, shed_one};

    return shed(group, &kept);
}
