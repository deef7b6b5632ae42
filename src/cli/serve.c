#include "cli/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api_routes.h"
#include "base/log.h"
#include "base/word.h"
#include "config/config_flags.h"
#include "control/descend.h"
#include "control/keeper.h"

static void print_help(void)
{
    char *flags = config_flags_help();

    printf("usage: roost serve [OPTION...]\n\n"
           "The balancer: starts its replicas and spreads the requests of the traffic port over\n"
           "them. Without a file it starts three sample replicas.\n\n%s",
           flags);
    free(flags);
}

static void print_notes(const struct config_notes *notes)
{
    for (unsigned i = 0; i < notes->count; i++)
        fprintf(stderr, "roost: %s%s\n",
                notes->items[i].is_error ? "" : "warning: ", notes->items[i].sentence.text);
}

/* The secret has been read: no process started from here on is given it. */
static void forget_token(void)
{
    unsetenv("ROOST_CONTROL_TOKEN");
    unsetenv("CONTROL_TOKEN");
}

int serve_main(int argc, char **argv)
{
    struct config_notes notes = {0};
    struct config_flags flags = {0};
    struct config config;
    struct error why;
    int status;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_help();
        return WORD_DONE;
    }
    if (config_flags_parse(&argc, argv, &flags, &why) < 0) {
        fprintf(stderr, "roost: %s\n", why.text);
        return WORD_USAGE;
    }
    if (argc > 1) {
        fprintf(stderr, "roost: serve does not know '%s'; roost serve --help\n", argv[1]);
        return WORD_USAGE;
    }
    status = config_load(&config, flags.file, &flags, environ, &notes, &why);
    print_notes(&notes);
    if (status < 0) {
        if (notes.errors == 0)
            fprintf(stderr, "roost: %s\n", why.text);
        return WORD_FAILED;
    }
    forget_token();
    log_open(STDERR_FILENO, config.log.level, config.log.format);
    status = descend(&config, &why);
    if (status < 0) {
        fprintf(stderr, "roost: %s\n", why.text);
        config_finish(&config);
        return WORD_FAILED;
    }
    status = keeper_run(&config, &flags, api_routes);
    config_finish(&config);
    return status;
}
