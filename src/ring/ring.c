#include "ring/ring.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/word.h"
#include "ring/ring_compare.h"
#include "ring/ring_options.h"
#include "ring/ring_pick.h"
#include "ring/ring_plan.h"
#include "ring/ring_replay.h"
#include "ring/ring_shares.h"

struct verb {
    const char *name;
    int (*run)(const struct ring_options *options);
    bool takes_arguments;
    const char *usage;
    const char *summary;
};

static const struct verb verbs[] = {
    {"pick", ring_pick, true, " [KEY...]",
     "which replica a key goes to; keys also from standard input"},
    {"shares", ring_shares, false, "", "what share of all keys each replica has, exactly"},
    {"plan", ring_plan, false, " [--add A,B] [--remove C]",
     "what a change of the members would move"},
    {"compare", ring_compare, false, "", "all schemes side by side: evenness, movement, cost"},
    {"replay", ring_replay, true, " LOG",
     "an access log against a scheme: evenness, moves, cache hits"},
};

static void print_help(FILE *out)
{
    fputs("usage: roost ring VERB [OPTION...]\n\n", out);
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        fprintf(out, "  %-9s %s\n", verbs[i].name, verbs[i].summary);
    fputs("\nroost ring VERB --help says more.\n", out);
}

static int run_verb(const struct verb *verb, int argc, char **argv)
{
    struct ring_options options;
    struct error why;
    int answer = ring_options_parse(argc, argv, &options, &why);

    if (answer < 0) {
        fprintf(stderr, "roost ring %s: %s\n", verb->name, why.text);
        return WORD_USAGE;
    }
    if (options.is_help) {
        printf("usage: roost ring %s [OPTION...]%s\n\n%s.\n\n", verb->name, verb->usage,
               verb->summary);
        ring_options_help(stdout);
        answer = WORD_DONE;
    } else if (options.argument_count && !verb->takes_arguments) {
        fprintf(stderr, "roost ring %s: '%s' is not known; see --help\n", verb->name,
                options.arguments[0]);
        answer = WORD_USAGE;
    } else {
        answer = verb->run(&options);
    }
    ring_options_finish(&options);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return answer;
    perror("roost ring: standard output");
    return WORD_FAILED;
}

int ring_main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return WORD_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return WORD_DONE;
    }
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        if (strcmp(argv[1], verbs[i].name) == 0)
            return run_verb(&verbs[i], argc - 1, argv + 1);
    }
    fprintf(stderr, "roost ring: there is no verb '%s'; roost ring --help lists them\n", argv[1]);
    return WORD_USAGE;
}
