#include "proxy/patience.h"

#include "base/clock.h"

#define MS_PER_S 1000

void patience_give(struct exchange *x, uint32_t within_ms)
{
    loop_start_timer(x->proxy->loop, &x->timer, within_ms * CLOCK_US_PER_MS);
}

void patience_renew(struct exchange *x)
{
    const struct table_service *service = exchange_service(x);
    bool is_whole = x->is_request_whole && !x->has_answer_head;
    uint32_t patience_ms = PROXY_LINK_TIMEOUT_MS;

    x->is_watched = false;
    if (!x->is_link && !service)
        return;
    if (!x->is_link)
        patience_ms = is_whole ? service->rules.response_ms : service->rules.idle_ms;
    x->watch_ms = is_whole || !x->outbound ? 0 : patience_ms / 2;
    patience_give(x, patience_ms - x->watch_ms);
}

/* So much must be taken while we watch: limits.min-rate, or anything at all. */
static size_t bytes_min(const struct exchange *x)
{
    uint64_t bytes = (uint64_t)x->proxy->table->settings.pace * x->watch_ms / MS_PER_S;

    return bytes ? (size_t)bytes : 1;
}

bool patience_is_earned(struct exchange *x, struct stream *to)
{
    bool is_queued = stream_queued(to) > 0;
    size_t before = x->owed;

    x->owed = stream_owed(to);
    if (!x->is_watched) {
        x->is_watched = true;
        patience_give(x, x->watch_ms);
        return true;
    }
    if (!is_queued || x->owed + bytes_min(x) > before)
        return false;
    patience_renew(x);
    return true;
}
