#include "cli/check.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/word.h"
#include "config/config_flags.h"
#include "config/config_print.h"
#include "config/config_schema.h"

enum form { FORM_VERDICT, FORM_PRINT, FORM_SCHEMA, FORM_MARKDOWN, FORM_HELP };

struct option {
    const char *name;
    enum form form;
};

static const struct option options[] = {
    {"--print", FORM_PRINT}, {"--schema", FORM_SCHEMA}, {"--markdown", FORM_MARKDOWN},
    {"--help", FORM_HELP},   {"-h", FORM_HELP},
};

static void print_help(void)
{
    char *flags = config_flags_help();

    printf(
        "usage: roost check [-c FILE] [--print | --schema] [FLAG...]\n\n"
        "Reads a configuration as roost serve would and says what is wrong with it: file, line,\n"
        "column, what was expected, what was found. Exit status 0: it is fine, 1: it is not.\n\n"
        "  %-28s %s\n  %-28s %s\n\n%s",
        "--print", "the effective whole as YAML, every default filled in", "--schema",
        "a JSON Schema for editors", flags);
    free(flags);
}

/* What config_flags_parse() left is ours; false for what nobody knows. */
static bool parse_form(int argc, char **argv, enum form *form)
{
    *form = FORM_VERDICT;
    for (int i = 1; i < argc; i++) {
        bool is_known = false;

        for (size_t j = 0; j < ARRAY_SIZE(options) && !is_known; j++) {
            is_known = strcmp(argv[i], options[j].name) == 0;
            if (is_known)
                *form = options[j].form;
        }
        if (!is_known) {
            fprintf(stderr, "roost check: '%s' is not known; see roost check --help\n", argv[i]);
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

/* Whether everything written so far arrived. */
static int flushed(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return WORD_DONE;
    perror("roost check: standard output");
    return WORD_FAILED;
}

static int print_whole(const struct config *config)
{
    struct buffer text;
    int error;

    buffer_init(&text, CONFIG_PRINT_BYTES_MAX);
    error = config_print(config, &text);
    if (error == 0)
        printf("%.*s", VIEW_ARGUMENTS(buffer_view(&text)));
    buffer_finish(&text);
    return error < 0 ? WORD_FAILED : flushed();
}

static int check(const struct config_flags *flags, bool prints)
{
    struct config_notes notes;
    struct config config;
    int status;

    if (config_load(&config, flags->file, flags, environ, &notes, NULL) < 0) {
        print_notes(&notes);
        return WORD_FAILED;
    }
    print_notes(&notes);
    if (prints) {
        status = print_whole(&config);
    } else {
        printf("%s is fine\n", flags->file ? flags->file : "the embedded default");
        status = flushed();
    }
    config_finish(&config);
    return status;
}

static int print_text(char *text)
{
    puts(text);
    free(text);
    return flushed();
}

int check_main(int argc, char **argv)
{
    struct config_flags flags;
    struct error why;
    enum form form;

    if (config_flags_parse(&argc, argv, &flags, &why) < 0) {
        fprintf(stderr, "roost check: %s\n", why.text);
        return WORD_USAGE;
    }
    if (!parse_form(argc, argv, &form))
        return WORD_USAGE;
    if (form == FORM_HELP) {
        print_help();
        return WORD_DONE;
    }
    if (form == FORM_SCHEMA)
        return print_text(config_schema());
    if (form == FORM_MARKDOWN)
        return print_text(config_schema_markdown());
    return check(&flags, form == FORM_PRINT);
}
