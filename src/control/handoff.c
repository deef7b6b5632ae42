#include "control/handoff.h"

#include <stdlib.h>
#include <string.h>

static void forget(struct handoff *handoff)
{
    free(handoff->image);
    handoff->image = NULL;
}

/* The next table goes without it. */
static void on_expiry(struct timer *timer)
{
    struct handoff *handoff = CONTAINER_OF(timer, struct handoff, timer);

    forget(handoff);
    publish_change(handoff->publish, NULL, NULL);
}

void handoff_init(struct handoff *handoff, struct publish *publish)
{
    *handoff = (struct handoff){.publish = publish};
    timer_init(&handoff->timer, on_expiry);
}

void handoff_finish(struct handoff *handoff)
{
    timer_stop(&handoff->timer);
    forget(handoff);
}

void handoff_begin(struct handoff *handoff, const struct balance_image *image)
{
    size_t bytes = balance_image_bytes(image);
    size_t room = (bytes + BALANCE_ALIGNMENT - 1) / BALANCE_ALIGNMENT * BALANCE_ALIGNMENT;
    struct balance_image *copy;

    if (!balance_is_keyed(image) || balance_count(image) == 0)
        return;
    copy = aligned_alloc(BALANCE_ALIGNMENT, room);
    /* Without it keys are placed all the same. */
    if (!copy)
        return;
    memcpy(copy, image, bytes);
    forget(handoff);
    handoff->image = copy;
    loop_start_timer(handoff->publish->loop, &handoff->timer, HANDOFF_US);
}
