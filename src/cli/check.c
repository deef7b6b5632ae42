#include "cli/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/word.h"
#include "control/config_flags.h"

struct options {
    bool is_help;
    bool prints;
};

static void print_help(void)
{
    char *flags = config_flags_help();

    printf(
        "usage: roost check [-c FILE] [--print] [FLAG...]\n\n"
        "Reads a configuration as `roost serve` would and says what is wrong with it: file, line,\n"
        "column, what was expected and what was found. Exit status 0: it is fine, 1: it is not.\n\n"
        "  %-28s %s\n\n%s",
        "--print", "write the effective whole as YAML", flags);
    free(flags);
}

/* What config_flags_parse() left is ours; false for what nobody knows. */
static bool parse_options(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            options->is_help = true;
        else if (strcmp(argv[i], "--print") == 0)
            options->prints = true;
        else {
            fprintf(stderr, "roost check: '%s' is not known; roost check --help\n", argv[i]);
            return false;
        }
    }
    return true;
}

static void print_notes(const struct config_notes *notes)
{
    unsigned all = notes->errors + notes->warnings;

    for (unsigned i = 0; i < notes->count; i++) {
        const struct config_note *note = &notes->items[i];

        fprintf(stderr, "%s%s\n", note->is_error ? "" : "warning: ", note->sentence.text);
    }
    if (all > notes->count)
        fprintf(stderr, "... and %u more\n", all - notes->count);
}

static int check(const struct config_flags *flags)
{
    struct config_notes notes;
    struct config config;
    struct error why;
    int error = config_load(&config, flags->file, flags, environ, &notes, &why);

    print_notes(&notes);
    if (error < 0)
        return WORD_FAILED;
    printf("%s: fine\n", flags->file ? flags->file : "the embedded default");
    config_finish(&config);
    return WORD_DONE;
}

int check_main(int argc, char **argv)
{
    struct options options = {0};
    struct config_flags flags;
    struct error why;

    if (config_flags_parse(&argc, argv, &flags, &why) < 0) {
        fprintf(stderr, "roost check: %s\n", why.text);
        return WORD_USAGE;
    }
    if (!parse_options(argc, argv, &options))
        return WORD_USAGE;
    if (options.is_help) {
        print_help();
        return WORD_DONE;
    }
    return check(&flags);
}
