#include "experiment/experiment_text.h"

#include <stdio.h>

#define BAR_WIDTH 40

double experiment_text_number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

void experiment_text_bars(const json_t *counts, const json_t *expected)
{
    const char *name;
    json_t *count;
    double most = 1;

    json_object_foreach((json_t *)counts, name, count)
    {
        if (json_number_value(count) > most)
            most = json_number_value(count);
    }
    json_object_foreach((json_t *)counts, name, count)
    {
        int full = (int)(BAR_WIDTH * json_number_value(count) / most);

        printf("  %-16s %8.0f  %-40.*s", name, json_number_value(count), full,
               "########################################");
        if (expected)
            printf("  expected %.1f", experiment_text_number(expected, name));
        putchar('\n');
    }
}
