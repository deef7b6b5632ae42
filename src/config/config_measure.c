#include "config/config_measure.h"

#include <errno.h>
#include <stdio.h>

#define THOUSAND 1000

struct unit {
    struct view name;
    uint64_t factor;
};

/* The largest that divides a value is the one it is printed in. */
static const struct unit duration_units[] = {
    {VIEW("h"), 3600000}, {VIEW("m"), 60000}, {VIEW("s"), 1000}, {VIEW("ms"), 1}};
static const struct unit size_units[] = {{VIEW("TiB"), UINT64_C(1) << 40},
                                         {VIEW("GiB"), UINT64_C(1) << 30},
                                         {VIEW("MiB"), UINT64_C(1) << 20},
                                         {VIEW("KiB"), UINT64_C(1) << 10},
                                         {VIEW("B"), 1},
                                         {VIEW(""), 1}};
/* Understood, never printed. */
static const struct unit decimal_units[] = {{VIEW("TB"), UINT64_C(1000000000000)},
                                            {VIEW("GB"), 1000000000},
                                            {VIEW("MB"), 1000000},
                                            {VIEW("kB"), 1000},
                                            {VIEW("KB"), 1000}};

/* What a buffer of ours has no room for is left off: their limits are above what fields can be. */
static void put(struct buffer *out, struct view text)
{
    if (buffer_append(out, text) < 0)
        return;
}

void config_measure_print_number(uint64_t number, struct buffer *out)
{
    char digits[24];

    snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
    put(out, view_of(digits));
}

int config_measure_parse_decimal(struct view text, uint64_t *thousandths)
{
    size_t dot = view_find(text, '.');
    struct view rest = view_after(text, dot + 1);
    uint64_t whole;
    uint64_t part = 0;

    if (view_to_number(view_first(text, dot), UINT32_MAX, &whole) < 0)
        return -EINVAL;
    if (dot < text.size && (rest.size > 3 || view_to_number(rest, THOUSAND, &part) < 0))
        return -EINVAL;
    for (size_t i = rest.size; i < 3; i++)
        part *= 10;
    *thousandths = whole * THOUSAND + part;
    return 0;
}

void config_measure_print_decimal(uint64_t thousandths, struct buffer *out)
{
    uint64_t part = thousandths % THOUSAND;
    char digits[8];
    size_t size = 4;

    config_measure_print_number(thousandths / THOUSAND, out);
    if (!part)
        return;
    snprintf(digits, sizeof(digits), ".%03u", (unsigned)part);
    while (digits[size - 1] == '0')
        size--;
    put(out, (struct view){digits, size});
}

/* A number followed by one of the units. */
static int measure_parse(struct view text, const struct unit *units, size_t count, uint64_t *value)
{
    size_t digits = 0;
    struct view name;
    uint64_t number;

    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    if (view_to_number(view_first(text, digits), UINT64_MAX / 2, &number) < 0)
        return -EINVAL;
    name = view_after(text, digits);
    for (size_t i = 0; i < count; i++) {
        if (!view_equals(name, units[i].name))
            continue;
        if (number > UINT64_MAX / 2 / units[i].factor)
            return -EINVAL;
        *value = number * units[i].factor;
        return 0;
    }
    return -EINVAL;
}

static void measure_print(uint64_t value, const struct unit *units, size_t count,
                          struct buffer *out)
{
    for (size_t i = 0; i < count; i++) {
        if (value % units[i].factor || (!value && i + 1 < count))
            continue;
        config_measure_print_number(value / units[i].factor, out);
        put(out, units[i].name);
        return;
    }
}

int config_measure_parse_duration(struct view text, uint64_t *ms)
{
    return measure_parse(text, duration_units, ARRAY_SIZE(duration_units), ms);
}

void config_measure_print_duration(uint64_t ms, struct buffer *out)
{
    measure_print(ms, duration_units, ARRAY_SIZE(duration_units), out);
}

int config_measure_parse_size(struct view text, uint64_t *bytes)
{
    if (measure_parse(text, size_units, ARRAY_SIZE(size_units), bytes) == 0)
        return 0;
    return measure_parse(text, decimal_units, ARRAY_SIZE(decimal_units), bytes);
}

void config_measure_print_size(uint64_t bytes, struct buffer *out)
{
    measure_print(bytes, size_units, ARRAY_SIZE(size_units), out);
}
