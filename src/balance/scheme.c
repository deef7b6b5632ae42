#include "balance/scheme.h"

#include <string.h>

/* The order is the number in an image: new ones go to the end. */
static const struct scheme *const schemes[] = {
    &slot_hrw_scheme,    &ketama_scheme,     &maglev_scheme, &classic_scheme,
    &round_robin_scheme, &least_conn_scheme, &p2c_scheme,
};

const struct scheme *scheme_at(unsigned number)
{
    return number < ARRAY_SIZE(schemes) ? schemes[number] : NULL;
}

const struct scheme *scheme_find(const char *name)
{
    if (!name)
        return schemes[0];
    for (unsigned i = 0; i < ARRAY_SIZE(schemes); i++) {
        if (strcmp(schemes[i]->name, name) == 0)
            return schemes[i];
    }
    return NULL;
}

unsigned scheme_number(const struct scheme *scheme)
{
    unsigned number = 0;

    while (schemes[number] != scheme)
        number++;
    return number;
}
