/* What a fuzz target is sure of: said and stopped where it does not hold. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define INSIST(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)
