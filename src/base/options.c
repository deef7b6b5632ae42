#include "base/options.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/view.h"

/* Values of getopt_long() for options without a letter: their rows' indices above all letters. */
#define NO_LETTER 256

int options_take_number(const char *text, const char *what, uint64_t least, uint64_t most,
                        uint64_t *number, struct error *why)
{
    uint64_t value = 0;

    if (view_to_number(view_of(text), most, &value) < 0 || value < least)
        return error_set(why, -EINVAL, "%s is '%s': expected a number from %llu to %llu", what,
                         text, (unsigned long long)least, (unsigned long long)most);
    *number = value;
    return 0;
}

const char *options_name(const struct options_row *row, char text[OPTIONS_NAME_BYTES])
{
    if (row->letter)
        snprintf(text, OPTIONS_NAME_BYTES, "-%c", row->letter);
    else
        snprintf(text, OPTIONS_NAME_BYTES, "--%s", row->name);
    return text;
}

int options_flag(const struct options_row *row, const char *text, struct error *why)
{
    (void)text;
    (void)why;
    *(bool *)row->value = true;
    return 0;
}

int options_choice(const struct options_row *row, const char *text, struct error *why)
{
    (void)text;
    (void)why;
    *(int *)row->value = (int)row->most;
    return 0;
}

int options_text(const struct options_row *row, const char *text, struct error *why)
{
    (void)why;
    *(const char **)row->value = text;
    return 0;
}

int options_number(const struct options_row *row, const char *text, struct error *why)
{
    char name[OPTIONS_NAME_BYTES];

    return options_take_number(text, options_name(row, name), row->least, row->most, row->value,
                               why);
}

int options_count(const struct options_row *row, const char *text, struct error *why)
{
    char name[OPTIONS_NAME_BYTES];
    uint64_t number = 0;
    int result =
        options_take_number(text, options_name(row, name), row->least, row->most, &number, why);

    if (result == 0)
        *(unsigned *)row->value = (unsigned)number;
    return result;
}

static bool has_value(const struct options_row *row)
{
    return row->take != options_flag && row->take != options_choice;
}

/* The same table in getopt's words. */
static void translate(const struct options_row *rows, struct option *known, char *letters)
{
    int i = 0;

    *letters++ = ':'; /* a missing value is told from an unknown option */
    for (; rows[i].name; i++) {
        assert(i < OPTIONS_MAX);
        known[i] = (struct option){
            .name = rows[i].name,
            .has_arg = has_value(&rows[i]) ? required_argument : no_argument,
            .val = NO_LETTER + i,
        };
        if (!rows[i].letter)
            continue;
        *letters++ = rows[i].letter;
        if (has_value(&rows[i]))
            *letters++ = ':';
    }
    known[i] = (struct option){0};
    *letters = '\0';
}

static const struct options_row *find(const struct options_row *rows, int option)
{
    if (option >= NO_LETTER)
        return &rows[option - NO_LETTER];
    while (rows->letter != option)
        rows++;
    return rows;
}

int options_read(int argc, char **argv, const struct options_row *rows, const char *word,
                 int *first, struct error *why)
{
    struct option known[OPTIONS_MAX + 1];
    char letters[2 * OPTIONS_MAX + 2];
    const struct options_row *row;
    int option;
    int result = 0;

    translate(rows, known, letters);
    opterr = 0;
    optind = 1;
    while (result == 0 && (option = getopt_long(argc, argv, letters, known, NULL)) != -1) {
        if (option == ':')
            return error_set(why, -EINVAL, "%s needs a value", argv[optind - 1]);
        if (option == '?')
            return error_set(why, -EINVAL, "'%s' is not known; roost %s --help", argv[optind - 1],
                             word);
        row = find(rows, option);
        result = row->take(row, optarg, why);
    }
    *first = optind;
    return result;
}
