#include "cli/experiment_options.h"

#include <errno.h>
#include <getopt.h>

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
    "  --driver D           process; docker is not built in yet\n";

void experiment_options_help(FILE *out)
{
    fputs(help, out);
}

enum {
    OPTION_DRIVER = 256,
    OPTION_JSON,
    OPTION_OUT,
    OPTION_QUICK,
    OPTION_REQUEST_HASH,
    OPTION_SCHEME,
    OPTION_SEED,
    OPTION_SERVER_HASH,
    OPTION_VERBOSE
};

static const struct option known[] = {
    {"connections", required_argument, NULL, 'c'},
    {"driver", required_argument, NULL, OPTION_DRIVER},
    {"json", no_argument, NULL, OPTION_JSON},
    {"out", required_argument, NULL, OPTION_OUT},
    {"quick", no_argument, NULL, OPTION_QUICK},
    {"request-hash", required_argument, NULL, OPTION_REQUEST_HASH},
    {"requests", required_argument, NULL, 'n'},
    {"scheme", required_argument, NULL, OPTION_SCHEME},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"server-hash", required_argument, NULL, OPTION_SERVER_HASH},
    {"verbose", no_argument, NULL, OPTION_VERBOSE},
    {0},
};

static int take_number(const char *text, const char *what, uint64_t least, uint64_t most,
                       uint64_t *number, struct error *why)
{
    uint64_t value = 0;

    if (view_to_number(view_of(text), most, &value) < 0 || value < least)
        return error_set(why, -EINVAL, "%s is '%s': expected a number from %llu to %llu", what,
                         text, (unsigned long long)least, (unsigned long long)most);
    *number = value;
    return 0;
}

static int take_driver(const char *driver, struct error *why)
{
    if (strcmp(driver, "process") == 0)
        return 0;
    if (strcmp(driver, "docker") == 0)
        return error_set(why, -EINVAL, "--driver docker is not built in yet");
    return error_set(why, -EINVAL, "--driver is '%s': expected process", driver);
}

static int take_option(int option, const char *value, struct experiment_options *options,
                       struct error *why)
{
    uint64_t number = options->connections;
    int result = 0;

    switch (option) {
    case 'c':
        result = take_number(value, "-c", 1, CONNECTIONS_MAX, &number, why);
        options->connections = (unsigned)number;
        return result;
    case 'n':
        return take_number(value, "-n", 1, REQUESTS_MAX, &options->requests, why);
    case OPTION_DRIVER:
        return take_driver(value, why);
    case OPTION_JSON:
        options->is_json = true;
        return 0;
    case OPTION_OUT:
        options->out = value;
        return 0;
    case OPTION_QUICK:
        options->is_quick = true;
        return 0;
    case OPTION_REQUEST_HASH:
        options->scheme.request_hash = value;
        return 0;
    case OPTION_SCHEME:
        options->scheme.scheme = value;
        return 0;
    case OPTION_SEED:
        return take_number(value, "--seed", 0, UINT64_MAX, &options->seed, why);
    case OPTION_SERVER_HASH:
        options->scheme.server_hash = value;
        return 0;
    default:
        options->is_verbose = true;
        return 0;
    }
}

static int take_arguments(int argc, char **argv, struct experiment_options *options,
                          struct error *why)
{
    if (optind == argc)
        return error_set(why, -EINVAL, "which one? roost experiment --help");
    options->name = argv[optind++];
    if (strcmp(options->name, "log") == 0 || strcmp(options->name, "plot") == 0) {
        if (optind == argc)
            return error_set(why, -EINVAL, "%s needs the path of %s", options->name,
                             options->name[0] == 'l' ? "an access log" : "a folder");
        options->file = argv[optind++];
    }
    if (optind < argc)
        return error_set(why, -EINVAL, "'%s' is not understood", argv[optind]);
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
    int option;
    int result;

    *options = (struct experiment_options){
        .connections = CONNECTIONS_DEFAULT,
        .seed = random_below(SEED_MAX),
    };
    opterr = 0;
    optind = 1;
    while ((option = getopt_long(argc, argv, ":c:n:", known, NULL)) != -1) {
        if (option == ':')
            return error_set(why, -EINVAL, "%s needs a value", argv[optind - 1]);
        if (option == '?')
            return error_set(why, -EINVAL, "'%s' is not known; roost experiment --help",
                             argv[optind - 1]);
        result = take_option(option, optarg, options, why);
        if (result < 0)
            return result;
    }
    if (!options->requests)
        options->requests = options->is_quick ? REQUESTS_QUICK : REQUESTS_DEFAULT;
    result = take_arguments(argc, argv, options, why);
    return result < 0 ? result : check_scheme(&options->scheme, why);
}
