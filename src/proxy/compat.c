#include "proxy/compat.h"

#include <stdio.h>

#include "proxy/answer.h"
#include "proxy/record.h"

/* Most bytes of the path that the answer repeats. */
#define PATH_BYTES_MAX (ANSWER_TEXT_BYTES_MAX - 100)

bool compat_replaces(const struct exchange *x, const struct head *answer)
{
    return answer->status == 404 && !x->is_link &&
           x->proxy->table->settings.compat == TABLE_COMPAT_ASSIGNMENT;
}

static void answer_unknown_path(struct exchange *x)
{
    struct view path = view_first(x->target, view_find(x->target, '?'));
    char sentence[ANSWER_TEXT_BYTES_MAX];
    int size =
        snprintf(sentence, sizeof(sentence), "'%.*s' endpoint does not exist in server replicas",
                 VIEW_ARGUMENTS(view_first(path, PATH_BYTES_MAX)));

    answer_send_error(x->proxy->socks, x->client, TABLE_COMPAT_ASSIGNMENT, 400,
                      (struct view){sentence, (size_t)size}, x->request_id);
    x->status = 400;
}

void compat_answer(struct exchange *x)
{
    x->is_discarding = true;
    if (x->is_root && (x->method == METHOD_GET || x->method == METHOD_HEAD)) {
        answer_send_landing(x->proxy->socks, x->client, x->wants_html);
        x->status = 200;
    } else {
        answer_unknown_path(x);
    }
    record_client_done(x);
}
