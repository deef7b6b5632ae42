#include "load/load_keys.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

#define SIX_DIGITS_FIRST  100000
#define SIX_DIGITS_COUNT  900000
#define ZIPF_EXPONENT_MAX 20
#define TINY              1e-8 /* below it the first terms of a series say it better */

/* splitmix64 (Steele, Lea, Flood 2014): every seed is a good one. */
static uint64_t draw(struct load_keys *keys)
{
    uint64_t z = (keys->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* ---- Zipf by rejection-inversion (Hörmann and Derflinger 1996): no table, any N ---- */

/* The integral of x^-S, so that one formula serves S = 1 too. */
static double integral(const struct load_keys *keys, double x)
{
    double t = (1 - keys->exponent) * log(x);

    return (fabs(t) > TINY ? expm1(t) / t : 1 + t / 2) * log(x);
}

static double integral_inverse(const struct load_keys *keys, double y)
{
    double t = y * (1 - keys->exponent);

    if (t < -1)
        t = -1;
    return exp((fabs(t) > TINY ? log1p(t) / t : 1 - t / 2) * y);
}

static double density(const struct load_keys *keys, double x)
{
    return exp(-keys->exponent * log(x));
}

static void prepare_zipf(struct load_keys *keys)
{
    keys->high = integral(keys, 1.5) - 1;
    keys->low = integral(keys, keys->count + 0.5);
    keys->cut = 2 - integral_inverse(keys, integral(keys, 2.5) - density(keys, 2));
}

static uint64_t draw_zipf(struct load_keys *keys)
{
    for (;;) {
        double even = (double)(draw(keys) >> 11) * 0x1p-53;
        double y = keys->low + even * (keys->high - keys->low);
        double x = integral_inverse(keys, y);
        double k = floor(x + 0.5);

        if (k < 1)
            k = 1;
        if (k > keys->count)
            k = keys->count;
        if (k - x <= keys->cut || y >= integral(keys, k + 0.5) - density(keys, k))
            return (uint64_t)k;
    }
}

static int parse_zipf(struct load_keys *keys, const char *text, struct error *why)
{
    char *end = NULL;

    keys->exponent = strtod(text, &end);
    if (end == text || *end != ':' || !(keys->exponent > 0 && keys->exponent <= ZIPF_EXPONENT_MAX))
        return error_set(why, -EINVAL,
                         "zipf:%s: expected zipf:EXPONENT:KEYS, as in zipf:1.1:100000", text);
    text = end + 1;
    keys->count = floor(strtod(text, &end));
    if (end == text || *end || !(keys->count >= 1 && keys->count <= LOAD_KEYS_ZIPF_MAX))
        return error_set(why, -EINVAL, "zipf: '%s' is no number of keys from 1 to 10^15", text);
    keys->kind = LOAD_KEYS_ZIPF;
    prepare_zipf(keys);
    return 0;
}

/* ---- a file ---- */

static int read_file(struct load_keys *keys, const char *path, size_t *size, struct error *why)
{
    FILE *file = fopen(path, "re");
    size_t capacity = 64 * 1024;
    int problem;

    if (!file)
        return error_set(why, -errno, "%s: %m", path);
    keys->text = memory_allocate(capacity);
    for (;;) {
        size_t got = fread(keys->text + *size, 1, capacity - *size, file);

        *size += got;
        if (!got || *size > LOAD_KEYS_FILE_BYTES_MAX)
            break;
        if (*size == capacity)
            keys->text = memory_resize(keys->text, capacity *= 2);
    }
    problem = ferror(file) ? errno : 0;
    fclose(file);
    if (problem)
        return error_set(why, -problem, "%s: %s", path, strerror(problem));
    if (*size > LOAD_KEYS_FILE_BYTES_MAX)
        return error_set(why, -EFBIG, "%s has more than %d MiB", path,
                         LOAD_KEYS_FILE_BYTES_MAX / 1024 / 1024);
    return 0;
}

/* A key becomes part of a request's head: it is one line of printable text. */
static int check_key(struct view key, const char *path, size_t line, struct error *why)
{
    if (key.size >= LOAD_KEYS_BYTES)
        return error_set(why, -EINVAL, "%s:%zu: a key has at most %d bytes", path, line,
                         LOAD_KEYS_BYTES - 1);
    for (size_t i = 0; i < key.size; i++) {
        if ((uint8_t)key.data[i] < ' ' || key.data[i] == 0x7f)
            return error_set(why, -EINVAL, "%s:%zu: a control byte in a key", path, line);
    }
    return 0;
}

static int cut_lines(struct load_keys *keys, const char *path, size_t size, struct error *why)
{
    struct view rest = {keys->text, size};
    size_t capacity = 0;
    size_t number = 0;

    while (rest.size) {
        struct view line = view_first(rest, view_find(rest, '\n'));
        struct view key = view_trim(
            line.size && line.data[line.size - 1] == '\r' ? view_first(line, line.size - 1) : line);
        int answer = check_key(key, path, ++number, why);

        if (answer < 0)
            return answer;
        rest = view_after(rest, line.size + 1);
        if (!key.size)
            continue;
        if (keys->line_count == capacity) {
            capacity = capacity * 2 + 1024;
            keys->lines = memory_resize(keys->lines, capacity * sizeof(*keys->lines));
        }
        keys->lines[keys->line_count++] = key;
    }
    return keys->line_count ? 0 : error_set(why, -EINVAL, "%s has no keys", path);
}

static int parse_file(struct load_keys *keys, const char *path, struct error *why)
{
    size_t size = 0;
    int answer = read_file(keys, path, &size, why);

    if (answer == 0)
        answer = cut_lines(keys, path, size, why);
    if (answer < 0) {
        load_keys_finish(keys);
        return answer;
    }
    keys->kind = LOAD_KEYS_FILE;
    return 0;
}

int load_keys_init(struct load_keys *keys, const char *pattern, uint64_t seed, struct error *why)
{
    *keys = (struct load_keys){.state = seed};
    if (!pattern)
        return 0;
    if (strncmp(pattern, "zipf:", 5) == 0)
        return parse_zipf(keys, pattern + 5, why);
    if (strncmp(pattern, "file:", 5) == 0)
        return parse_file(keys, pattern + 5, why);
    if (strcmp(pattern, "unique") == 0)
        keys->kind = LOAD_KEYS_UNIQUE;
    else if (strcmp(pattern, "random") == 0)
        keys->kind = LOAD_KEYS_RANDOM;
    else
        return error_set(why, -EINVAL,
                         "'%s' is no pattern of keys: unique, random, zipf:EXPONENT:KEYS or "
                         "file:PATH",
                         pattern);
    return 0;
}

void load_keys_finish(struct load_keys *keys)
{
    free(keys->text);
    free(keys->lines);
    *keys = (struct load_keys){0};
}

static struct view print_number(uint64_t number, char text[LOAD_KEYS_BYTES])
{
    char digits[24];
    size_t size = 0;

    do
        digits[size++] = (char)('0' + number % 10);
    while (number /= 10);
    for (size_t i = 0; i < size; i++)
        text[i] = digits[size - 1 - i];
    return (struct view){text, size};
}

struct view load_keys_next(struct load_keys *keys, char text[LOAD_KEYS_BYTES])
{
    switch (keys->kind) {
    case LOAD_KEYS_UNIQUE:
        return print_number(++keys->turn, text);
    case LOAD_KEYS_RANDOM:
        return print_number(SIX_DIGITS_FIRST + draw(keys) % SIX_DIGITS_COUNT, text);
    case LOAD_KEYS_ZIPF:
        return print_number(draw_zipf(keys), text);
    case LOAD_KEYS_FILE:
        return keys->lines[keys->turn++ % keys->line_count];
    default:
        return (struct view){text, 0};
    }
}
