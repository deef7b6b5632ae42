/* A folder of the test's own, made before it and removed with all that is in it after it. */
#pragma once

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char any_base[32]; /* its path */

/* To be given to cmocka: before and after one test or all of a file. */
static inline int any_base_make(void **state)
{
    (void)state;
    strcpy(any_base, "/tmp/roost-test-XXXXXX");
    return mkdtemp(any_base) ? 0 : -1;
}

static inline int any_base_remove_one(const char *path, const struct stat *status, int kind,
                                      struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline int any_base_remove(void **state)
{
    (void)state;
    return nftw(any_base, any_base_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
