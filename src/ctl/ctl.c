#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/word.h"
#include "control/crew.h"
#include "ctl/ctl_events.h"
#include "ctl/ctl_find.h"
#include "ctl/ctl_look.h"
#include "ctl/ctl_pool.h"
#include "ctl/ctl_status.h"

/* What only some verbs know: the rest is refused, not passed over. */
enum {
    KNOWS_NAMES = 1 << 0,
    KNOWS_COUNT = 1 << 1,
    KNOWS_EPOCH = 1 << 2,
    KNOWS_UNDO = 1 << 3,
    KNOWS_WATCH = 1 << 4,
    KNOWS_FOLLOW = 1 << 5,
};

struct verb {
    const char *name;
    int (*run)(struct ctl *ctl);
    unsigned knows;
    const char *arguments;
    const char *summary;
};

static const struct verb verbs[] = {
    {"status", ctl_status, KNOWS_WATCH, "[--watch]", "the balancer, its workers and replicas"},
    {"add", ctl_pool_add, KNOWS_NAMES | KNOWS_COUNT | KNOWS_EPOCH, "[-n N] [NAME...]",
     "adds replicas; waits until they serve"},
    {"rm", ctl_pool_remove, KNOWS_NAMES | KNOWS_COUNT | KNOWS_EPOCH, "[-n N] [NAME...]",
     "drains and ends replicas, the rest at random"},
    {"drain", ctl_pool_drain, KNOWS_NAMES | KNOWS_EPOCH | KNOWS_UNDO, "[--undo] NAME...",
     "no new requests, but the replica stays"},
    {"weight", ctl_pool_weight, KNOWS_NAMES | KNOWS_EPOCH, "NAME W",
     "its share of the keys, in relation to the others"},
    {"plan", ctl_pool_plan, KNOWS_NAMES | KNOWS_COUNT, "add|rm|drain|weight ...",
     "what that would move, without doing it"},
    {"explain", ctl_look_explain, KNOWS_NAMES, "KEY", "where a key goes and why"},
    {"events", ctl_events, KNOWS_FOLLOW, "[-f]", "what has happened; -f goes on"},
    {"logs", ctl_look_logs, KNOWS_NAMES, "NAME", "what a replica wrote"},
    {"reload", ctl_pool_reload, 0, "", "reads the configuration again"},
};

static void print_help(FILE *out)
{
    fputs("usage: roost ctl VERB [OPTION...]\n\n"
          "Asks a running balancer, or changes it.\n\n",
          out);
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        fprintf(out, "  %-8s %-24s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
    fputs("\n"
          "  --json             the answer as it came; events: one JSON a line\n"
          "  --service NAME     of several services; otherwise the first\n"
          "  --if-epoch N       change only while the pool is as it was then (plan says it)\n"
          "  --control URL      http://HOST:PORT, HOST:PORT, PORT or unix:/PATH\n"
          "  --state DIR        the balancer of that state folder\n"
          "  -c FILE            the balancer of that configuration\n"
          "  --token-file FILE  the control token; otherwise ROOST_CONTROL_TOKEN, or the\n"
          "                     configuration's\n\n"
          "Without --control, --state and -c: the balancer of make up in this folder, else the\n"
          "one roost serve would be. Exit status 0: done, 1: failed, 2: wrong usage.\n",
          out);
}

/* ---- options ---- */

struct text_option {
    const char *name;
    const char **value;
};

struct switch_option {
    const char *name;
    bool *value;
};

static int read_count(struct ctl_options *options, const char *text, struct error *why)
{
    uint64_t count;

    if (view_to_number(view_of(text), CREW_CHANGE_MAX, &count) < 0 || count == 0)
        return error_set(why, -EINVAL, "-n wants a number from 1 to %d", CREW_CHANGE_MAX);
    options->count = (unsigned)count;
    return 0;
}

static int check_epoch(const char *text, struct error *why)
{
    uint64_t epoch;

    if (view_to_number(view_of(text), INT64_MAX, &epoch) < 0)
        return error_set(why, -EINVAL, "--if-epoch wants a number, as plan says it");
    return 0;
}

/* The value of the option at *argv, which is moved on where it is the next argument; NULL where
 * that option is another one. */
static const char *value_of(char ***argv, const char *name, struct error *why, int *result)
{
    const char *rest = **argv + strlen(name);

    if (strncmp(**argv, name, strlen(name)) != 0 || (*rest && *rest != '='))
        return NULL;
    if (*rest == '=')
        return rest + 1;
    if (!(*argv)[1]) {
        *result = error_set(why, -EINVAL, "%s needs a value", name);
        return NULL;
    }
    return *++*argv;
}

/* Takes an option with a value: 1, not one of those: 0. */
static int take_text(struct ctl_options *options, char ***argv, struct error *why)
{
    const char *count = NULL;
    const struct text_option texts[] = {
        {"--control", &options->control}, {"--token-file", &options->token_file},
        {"--state", &options->state},     {"-c", &options->file},
        {"--config", &options->file},     {"--service", &options->service},
        {"--if-epoch", &options->epoch},  {"-n", &count},
    };
    int result = 0;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        const char *value = value_of(argv, texts[i].name, why, &result);

        if (result < 0)
            return result;
        if (!value)
            continue;
        *texts[i].value = value;
        if (count)
            result = read_count(options, count, why);
        else if (texts[i].value == &options->epoch)
            result = check_epoch(value, why);
        return result < 0 ? result : 1;
    }
    return 0;
}

static int take_switch(struct ctl_options *options, const char *argument)
{
    const struct switch_option switches[] = {
        {"--json", &options->is_json},    {"--watch", &options->watches},
        {"-w", &options->watches},        {"-f", &options->follows},
        {"--follow", &options->follows},  {"--undo", &options->undoes},
        {"--help", &options->wants_help}, {"-h", &options->wants_help},
    };

    for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
        if (strcmp(argument, switches[i].name) != 0)
            continue;
        *switches[i].value = true;
        return 1;
    }
    return 0;
}

static int take_name(struct ctl_options *options, const char *argument, struct error *why)
{
    if (!options->verb) {
        options->verb = argument;
        return 0;
    }
    if (options->name_count == CTL_NAMES_MAX)
        return error_set(why, -E2BIG, "more than %d names", CTL_NAMES_MAX);
    options->names[options->name_count++] = argument;
    return 0;
}

static int parse(char **argv, struct ctl_options *options, struct error *why)
{
    bool has_options = true;

    for (argv++; *argv; argv++) {
        int result = 0;

        if (has_options && strcmp(*argv, "--") == 0) {
            has_options = false;
            continue;
        }
        if (has_options)
            result = take_text(options, &argv, why);
        if (has_options && result == 0)
            result = take_switch(options, *argv);
        if (result < 0)
            return result;
        if (result > 0)
            continue;
        if (has_options && (*argv)[0] == '-' && (*argv)[1])
            return error_set(why, -EINVAL, "'%s' is not known", *argv);
        result = take_name(options, *argv, why);
        if (result < 0)
            return result;
    }
    return 0;
}

/* ---- doing ---- */

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    }
    return NULL;
}

/* Refuses what was given and the verb does nothing with. */
static int check_known(const struct verb *verb, const struct ctl_options *options,
                       struct error *why)
{
    const struct {
        unsigned kind;
        bool is_given;
        const char *text;
    } given[] = {
        {KNOWS_COUNT, options->count > 0, "-n"},
        {KNOWS_EPOCH, options->epoch != NULL, "--if-epoch"},
        {KNOWS_UNDO, options->undoes, "--undo"},
        {KNOWS_WATCH, options->watches, "--watch"},
        {KNOWS_FOLLOW, options->follows, "-f"},
        {KNOWS_NAMES, options->name_count > 0, options->names[0]},
    };

    for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
        if (given[i].is_given && !(verb->knows & given[i].kind))
            return error_set(why, -EINVAL, "%s knows no '%s'", verb->name, given[i].text);
    }
    return 0;
}

static int run(const struct verb *verb, const struct ctl_options *options)
{
    struct ctl ctl = {.options = options};
    struct error why;
    int status = WORD_FAILED;
    int result = ctl_find(options, &ctl.client, &why);

    if (result == 0)
        result = ctl_client_open(&ctl.client, &why);
    if (result == 0)
        status = verb->run(&ctl);
    else
        fprintf(stderr, "roost ctl: %s\n", why.text);
    ctl_client_close(&ctl.client);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    perror("roost ctl: standard output");
    return WORD_FAILED;
}

static int main_with(char **argv, struct ctl_options *options)
{
    const struct verb *verb;
    struct error why;

    if (parse(argv, options, &why) < 0) {
        fprintf(stderr, "roost ctl: %s; see roost ctl --help\n", why.text);
        return WORD_USAGE;
    }
    if (options->wants_help) {
        print_help(stdout);
        return WORD_DONE;
    }
    if (!options->verb) {
        print_help(stderr);
        return WORD_USAGE;
    }
    verb = find_verb(options->verb);
    if (!verb) {
        fprintf(stderr, "roost ctl: there is no verb '%s'; see roost ctl --help\n", options->verb);
        return WORD_USAGE;
    }
    if (check_known(verb, options, &why) < 0) {
        fprintf(stderr, "roost ctl: %s; see roost ctl --help\n", why.text);
        return WORD_USAGE;
    }
    return run(verb, options);
}

int ctl_main(int argc, char **argv)
{
    struct ctl_options *options = memory_allocate(sizeof(*options));
    int status;

    (void)argc;
    status = main_with(argv, options);
    free(options);
    return status;
}
