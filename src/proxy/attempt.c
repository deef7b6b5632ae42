#include "proxy/attempt.h"

bool attempt_may_follow(const struct exchange *x)
{
    const struct table_service *service = exchange_service(x);

    if (!x->client || !service || !x->holds_body)
        return false;
    if (x->attempts >= service->rules.attempts || x->tried.count >= PICK_TRIED_MAX)
        return false;
    /* A replica that began to answer has done something: it is not asked twice. */
    if (x->failure == STREAM_BAD)
        return false;
    return !x->was_sent || head_is_idempotent(x->method);
}

bool attempt_begins_anew(struct exchange *x)
{
    struct pick_tried tried = x->tried;

    if (x->attempts != 1 || x->failure != STREAM_CLOSED)
        return false;
    x->tried.count = 0;
    if (attempt_can_follow(x))
        return true;
    x->tried = tried;
    return false;
}

bool attempt_can_follow(const struct exchange *x)
{
    struct pick pick;

    return attempt_may_follow(x) && (x->is_taken_back || proxy_has_retry(x->proxy)) &&
           pick_replica(x->proxy, x->service, x->hash, &x->tried, &pick) == 0;
}

bool attempt_lost_its_replica(const struct exchange *x)
{
    enum seat_state state = segments_state(x->proxy->states, x->seat, x->incarnation);

    /* One that is only down may go on failing everybody, as may all of them: that is a storm. */
    return !x->is_link && !segments_is_running(state) && state != SEAT_DOWN;
}

bool attempt_awaits_verdict(const struct exchange *x)
{
    struct pick pick;

    return (x->failure == STREAM_CLOSED || x->failure == STREAM_REFUSED) && !x->news.has_expired &&
           attempt_may_follow(x) && !proxy_has_retry(x->proxy) &&
           pick_replica(x->proxy, x->service, x->hash, &x->tried, &pick) == 0;
}
