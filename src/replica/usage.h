/*
 * What each replica uses of the processor and of memory, read by the keeper every now and then:
 * every few seconds, once a second while somebody looks. Readings are made in small pieces, one a
 * turn of the loop, so that thousands of processes hold nothing up.
 *
 * Of a process it is the whole of its session: what it started counts, unless that has made a
 * session of its own. Of a container it is its control group, where this process sees that: not
 * from inside another container. Of addresses that somebody else runs there is nothing.
 *
 * Owner: the keeper. What was read is in struct replica (`usage`).
 */
#pragma once

#include "replica/supervisor.h"

#define USAGE_REST_US   UINT64_C(5000000)  /* between two readings */
#define USAGE_LOOKED_US UINT64_C(1000000)  /* the same while somebody looks */
#define USAGE_WATCH_US  UINT64_C(10000000) /* a look counts that long */

#define USAGE_PIECE_US         UINT64_C(10000) /* between two pieces of a reading */
#define USAGE_PIECE_PROCESSES  64              /* of all on this machine, in one piece */
#define USAGE_PIECE_CONTAINERS 16              /* in one piece */

struct usage_target;

struct usage {
    const struct supervisor *supervisor;
    struct timer timer;
    uint64_t looked_us;           /* when somebody looked last, monotonic; 0: never */
    uint64_t read_us;             /* when the last reading began */
    void *processes;              /* the folder of all processes, while they are read (a DIR) */
    struct usage_target *targets; /* of the reading under way: processes by pid, then containers */
    unsigned process_count;
    unsigned target_count;
    unsigned next; /* container to be read */
};

/* The first reading comes soon. */
void usage_init(struct usage *usage, const struct supervisor *supervisor);
void usage_finish(struct usage *usage);

/* Somebody looks: the readings are kept fresh for a while. */
void usage_look(struct usage *usage);
