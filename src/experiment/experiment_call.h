/*
 * One call to the balancer, waited for; what else runs in the loop goes on meanwhile.
 */
#pragma once

#include <jansson.h>

#include "experiment/experiment_rig.h"

enum { EXPERIMENT_CONTROL, EXPERIMENT_TRAFFIC };

/* Owner: the caller, ends with experiment_call_finish(). */
struct experiment_answer {
    unsigned status;
    char *body; /* zero-ended */
    size_t size;
    json_t *json; /* NULL where the body is none */
    uint64_t took_us;
};

/* `to`: EXPERIMENT_CONTROL or _TRAFFIC; `body` may be NULL. -errno with a sentence where there is
 * no answer. Not from inside a callback. */
MUST_USE int experiment_call(struct experiment_rig *rig, unsigned to, const char *method,
                             const char *path, const char *body, struct experiment_answer *answer,
                             struct error *why);

void experiment_call_finish(struct experiment_answer *answer);
