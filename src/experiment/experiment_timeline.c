#include "experiment/experiment_timeline.h"

#include <stdlib.h>

#include "base/memory.h"

void experiment_timeline_init(struct experiment_timeline *timeline)
{
    *timeline = (struct experiment_timeline){.piece_ms = 1};
    load_tally_init(&timeline->names);
    timeline->counts = memory_allocate(LOAD_TALLY_MAX * sizeof(*timeline->counts));
}

void experiment_timeline_finish(struct experiment_timeline *timeline)
{
    load_tally_finish(&timeline->names);
    free(timeline->counts);
    timeline->counts = NULL;
}

/* Two pieces become one. */
static void halve(struct experiment_timeline *timeline)
{
    for (unsigned i = 0; i < timeline->names.count; i++) {
        uint32_t *counts = timeline->counts[i];

        for (unsigned piece = 0; piece < EXPERIMENT_TIMELINE_PIECES / 2; piece++)
            counts[piece] = counts[2 * piece] + counts[2 * piece + 1];
        memset(counts + EXPERIMENT_TIMELINE_PIECES / 2, 0,
               EXPERIMENT_TIMELINE_PIECES / 2 * sizeof(*counts));
    }
    timeline->piece_ms *= 2;
}

void experiment_timeline_add(struct experiment_timeline *timeline, struct view name, uint64_t ms)
{
    uint16_t entry = load_tally_find(&timeline->names, name);
    uint64_t since_ms;

    if (entry == LOAD_TALLY_NONE)
        return;
    if (timeline->total++ == 0)
        timeline->first_ms = timeline->last_ms = ms;
    if (ms > timeline->last_ms)
        timeline->last_ms = ms;
    since_ms = ms > timeline->first_ms ? ms - timeline->first_ms : 0;
    while (since_ms / timeline->piece_ms >= EXPERIMENT_TIMELINE_PIECES)
        halve(timeline);
    timeline->names.entries[entry].count++;
    timeline->counts[entry][since_ms / timeline->piece_ms]++;
}

unsigned experiment_timeline_pieces(const struct experiment_timeline *timeline)
{
    if (timeline->total == 0)
        return 0;
    return (unsigned)((timeline->last_ms - timeline->first_ms) / timeline->piece_ms) + 1;
}
