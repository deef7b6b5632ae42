/* What a service's replicas are judged by: when the answers of one take it out of rotation, and for
 * how long (control/outlier.h). */
#pragma once

#include <stdint.h>

struct outlier_rules {
    uint32_t consecutive;         /* bad answers one after the other; 0: these eject nobody */
    uint32_t base_ms;             /* of the first ejection; each next one twice as long ... */
    uint32_t most_ms;             /* ... up to this; so long in rotation it is forgotten */
    uint32_t trials;              /* good answers one after the other that end a probation */
    uint32_t floor_thousandths;   /* of the replicas stay in rotation */
    uint32_t latency_thousandths; /* of the median of all; 0: slowness ejects nobody */
    uint32_t latency_min_ms;      /* what is faster is not slow */
    uint32_t latency_window_ms;
    uint32_t latency_requests; /* fewer in a window say nothing */
};
