#include "experiment/experiment_options.h"

#include <errno.h>
#include <string.h>

#include "base/options.h"
#include "base/random.h"

#define REQUESTS_DEFAULT    10000
#define REQUESTS_QUICK      1000
#define REQUESTS_MAX        100000000
#define CONNECTIONS_DEFAULT 64
#define CONNECTIONS_MAX     10000

/* Seeds are short, so that a person can type one again. */
#define SEED_MAX 1000000000

static const char help[] =
    "usage: roost experiment a1|a2|a3|a4|mixed|all [OPTION...]\n"
    "       roost experiment log ACCESS.LOG [OPTION...]\n"
    "       roost experiment plot DIR\n"
    "\n"
    "Starts a balancer of its own with real replicas, measures, and ends what it started.\n"
    "\n"
    "  a1     10,000 requests over three replicas: who got how many, how fast\n"
    "  a2     the same over 2 to 6 replicas: evenness, speed, keys moved at each step\n"
    "  a3     every endpoint and error; then replicas are killed under load\n"
    "  a4     a1 and a2 for every scheme and every pair of classic functions\n"
    "  mixed  a workload as in production: skewed keys, mixed sizes, slow answers, failures\n"
    "  all    all of these, and one report in HTML\n"
    "  log    requests per replica over time, from an access log (- is standard input)\n"
    "  plot   the pictures and the report of a folder anew\n"
    "\n"
    "  --out DIR            results as JSON and pictures as PNG (all: ./experiments)\n"
    "  --seed N             the same keys again\n"
    "  --quick              small counts\n"
    "  --json               the result as JSON on standard output\n"
    "  --verbose            what is being done\n"
    "  -n, --requests N     of each measurement (10000, --quick 1000)\n"
    "  -c, --connections N  requests at once (64)\n"
    "  --scheme S           a1, a2, a3: the scheme (slot-hrw)\n"
    "  --request-hash F     with --scheme classic\n"
    "  --server-hash F\n"
    "  --driver D           process (default), or docker: replicas are containers of the Engine\n"
    "                       that DOCKER_HOST names\n"
    "  --image NAME         with --driver docker: their image (roost, as make image builds it)\n";

void experiment_options_help(FILE *out)
{
    fputs(help, out);
}

static int take_driver(const struct options_row *row, const char *text, struct error *why)
{
    bool is_docker = strcmp(text, "docker") == 0;

    if (!is_docker && strcmp(text, "process") != 0)
        return error_set(why, -EINVAL, "--driver is '%s': expected process or docker", text);
    *(bool *)row->value = is_docker;
    return 0;
}

static int take_arguments(char **argv, struct experiment_options *options, struct error *why)
{
    if (!*argv)
        return error_set(why, -EINVAL, "which one? roost experiment --help");
    options->name = *argv++;
    if (strcmp(options->name, "log") == 0 || strcmp(options->name, "plot") == 0) {
        if (!*argv)
            return error_set(why, -EINVAL, "%s needs the path of %s", options->name,
                             options->name[0] == 'l' ? "an access log" : "a folder");
        options->file = *argv++;
    }
    if (*argv)
        return error_set(why, -EINVAL, "'%s' is not understood", *argv);
    return 0;
}

/* The scheme is looked at here, so that a wrong word is wrong usage and not a failed start. */
static int check_scheme(const struct experiment_scheme *scheme, struct error *why)
{
    struct balance_options balance = BALANCE_OPTIONS;

    balance.scheme = scheme->scheme;
    balance.request_hash = scheme->request_hash;
    balance.server_hash = scheme->server_hash;
    return balance_check(&balance, why);
}

int experiment_options_parse(int argc, char **argv, struct experiment_options *options,
                             struct error *why)
{
    const struct options_row rows[] = {
        {"connections", 'c', options_count, &options->connections, 1, CONNECTIONS_MAX},
        {"driver", 0, take_driver, &options->is_docker, 0, 0},
        {"help", 'h', options_flag, &options->wants_help, 0, 0},
        {"image", 0, options_text, &options->image, 0, 0},
        {"json", 0, options_flag, &options->is_json, 0, 0},
        {"out", 0, options_text, &options->out, 0, 0},
        {"quick", 0, options_flag, &options->is_quick, 0, 0},
        {"request-hash", 0, options_text, &options->scheme.request_hash, 0, 0},
        {"requests", 'n', options_number, &options->requests, 1, REQUESTS_MAX},
        {"scheme", 0, options_text, &options->scheme.scheme, 0, 0},
        {"seed", 0, options_number, &options->seed, 0, UINT64_MAX},
        {"server-hash", 0, options_text, &options->scheme.server_hash, 0, 0},
        {"verbose", 0, options_flag, &options->is_verbose, 0, 0},
        {0},
    };
    int first = 0;
    int result;

    *options = (struct experiment_options){
        .connections = CONNECTIONS_DEFAULT,
        .seed = random_below(SEED_MAX),
    };
    result = options_read(argc, argv, rows, "experiment", &first, why);
    if (result < 0 || options->wants_help)
        return result;
    if (options->image && !options->is_docker)
        return error_set(why, -EINVAL, "--image is for --driver docker");
    if (!options->image)
        options->image = EXPERIMENT_IMAGE_DEFAULT;
    if (!options->requests)
        options->requests = options->is_quick ? REQUESTS_QUICK : REQUESTS_DEFAULT;
    result = take_arguments(argv + first, options, why);
    return result < 0 ? result : check_scheme(&options->scheme, why);
}
