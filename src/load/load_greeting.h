/*
 * Who answered: the replica's name, from X-Roost-Replica where the balancer tells, else from the
 * first bytes of the body, "Hello from Server: 1".
 * Owner: the struct it is embedded in.
 */
#pragma once

#include "http/head.h"

#define LOAD_GREETING_BYTES 192 /* of a body that are looked at */

struct load_greeting {
    unsigned name_bytes; /* of X-Roost-Replica, in `text` then */
    unsigned size;
    char text[LOAD_GREETING_BYTES];
};

void load_greeting_begin(struct load_greeting *greeting, const struct head *head);
void load_greeting_body(struct load_greeting *greeting, struct view bytes);

/* The name, empty where nobody is named; a view into the greeting. A sample replica says the number
 * it has: "1" is the replica named Server 1. */
struct view load_greeting_name(struct load_greeting *greeting);
