#include "conn/shed.h"

/* Whoever waits for less is not worth it. */
#define QUEUE_BYTES_MIN SOCK_RECEIVE_ROOM_MIN

/* So much is made free: that many parts of the limit stay in use. */
#define PARTS      8
#define PARTS_USED 7

static bool is_enough(const struct sock_group *socks)
{
    return socks->queued_bytes <= socks->queued_limit / PARTS * PARTS_USED;
}

static size_t largest_queue(const struct inbound_group *group)
{
    size_t largest = 0;

    LIST_FOR_EACH (at, &group->all) {
        const struct inbound *inbound = CONTAINER_OF(at, struct inbound, list);
        size_t queued = sock_queued(&inbound->sock);

        if (!inbound->is_processing && queued > largest)
            largest = queued;
    }
    return largest;
}

unsigned shed_slowest(struct inbound_group *group)
{
    size_t least = largest_queue(group) / 2;
    unsigned count = 0;

    if (least < QUEUE_BYTES_MIN)
        return 0;
    LIST_FOR_EACH (at, &group->all) {
        struct inbound *inbound = CONTAINER_OF(at, struct inbound, list);

        if (is_enough(group->socks))
            break;
        if (inbound->is_processing || sock_queued(&inbound->sock) < least)
            continue;
        inbound_abort(inbound, "its memory was needed for others");
        count++;
    }
    return count;
}
