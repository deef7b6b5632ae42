/* What the tests of balance/ share. */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "balance/balance.h"
#include "base/random.h"

/* An image, or the test ends with the reason. */
static inline struct balance_image *tool_build(const struct balance_options *options,
                                               const struct balance_member *members, size_t count)
{
    struct balance_image *image = NULL;
    struct error why = {0};

    if (balance_build(options, members, count, &image, &why) < 0)
        fail_msg("%s", why.text);
    return image;
}

/* The options of one scheme, else the defaults. */
static inline struct balance_options tool_options(const char *scheme)
{
    struct balance_options options = BALANCE_OPTIONS;

    options.scheme = scheme;
    return options;
}

static inline void tool_shuffle(struct balance_member *members, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = random_below(i);
        struct balance_member kept = members[i - 1];

        members[i - 1] = members[other];
        members[other] = kept;
    }
}

/* `few` times in a usual run, `many` with ROOST_TEST_LONG=1. */
static inline unsigned tool_times(unsigned few, unsigned many)
{
    const char *is_long = getenv("ROOST_TEST_LONG");

    return is_long && strcmp(is_long, "1") == 0 ? many : few;
}
