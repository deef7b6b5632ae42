/* The command line: the first word says what is meant. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/attribute.h"
#include "base/word.h"
#include "cli/check.h"
#include "cli/dockhand.h"
#include "cli/serve.h"
#include "cli/stop.h"
#include "cli/worker.h"
#include "ctl/ctl.h"
#include "experiment/experiment.h"
#include "load/load.h"
#include "ring/ring.h"
#include "sample/replica.h"

struct word {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the word; returns the exit status */
    const char *summary;               /* NULL: for ourselves, not listed */
};

static const struct word words[] = {
    {"serve", serve_main, "the balancer and its replicas"},
    {"ctl", ctl_main, "asks a running balancer, or changes its pool"},
    {"stop", stop_main, "drains and ends what belongs to a state folder"},
    {"ring", ring_main, "the hash library without a server: pick, shares, plan, compare, replay"},
    {"load", load_main, "an asynchronous HTTP load generator"},
    {"experiment", experiment_main, "measures the balancer: a1, a2, a3, a4, mixed, all, log"},
    {"check", check_main, "validates a configuration"},
    {"replica", replica_main, "a sample server, the one that is balanced where no other is named"},
    {"worker", worker_word_main, NULL},
    {"dockhand", dockhand_word_main, NULL},
};

static void print_help(FILE *out)
{
    fputs("usage: roost WORD [OPTION...]\n\n", out);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (words[i].summary)
            fprintf(out, "  %-12s%s\n", words[i].name, words[i].summary);
    }
    fputs("\nroost WORD --help says more; roost --version says which roost this is.\n", out);
}

static bool asks_for_help(const char *argument)
{
    return strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static int run_word(const struct word *word, int argc, char **argv)
{
    if (!word->summary && argc > 1 && asks_for_help(argv[1])) {
        printf("roost %s is started by roost serve, not by hand.\n", word->name);
        return WORD_DONE;
    }
    return word->run(argc, argv);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return WORD_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("roost " ROOST_VERSION);
        return WORD_DONE;
    }
    if (asks_for_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return WORD_DONE;
    }
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strcmp(argv[1], words[i].name) == 0)
            return run_word(&words[i], argc - 1, argv + 1);
    }
    fprintf(stderr, "roost: there is no word '%s'; roost --help lists them\n", argv[1]);
    return WORD_USAGE;
}
