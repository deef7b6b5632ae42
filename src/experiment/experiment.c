#include "experiment/experiment.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/word.h"
#include "experiment/experiment_a1.h"
#include "experiment/experiment_a2.h"
#include "experiment/experiment_a3.h"
#include "experiment/experiment_a4.h"
#include "experiment/experiment_log.h"
#include "experiment/experiment_mixed.h"
#include "experiment/experiment_plot.h"

typedef int (*run_fn)(struct experiment_rig *rig, const struct experiment_options *options,
                      json_t **result, struct error *why);

struct experiment {
    const char *name;
    run_fn run;
    void (*print)(const json_t *result);
    bool is_of_all; /* part of `all` */
};

static const struct experiment experiments[] = {
    {"a1", experiment_a1, experiment_a1_print, true},
    {"a2", experiment_a2, experiment_a2_print, true},
    {"a3", experiment_a3, experiment_a3_print, true},
    {"a4", experiment_a4, experiment_a4_print, true},
    {"mixed", experiment_mixed, experiment_mixed_print, true},
    {"log", experiment_log, experiment_log_print, false},
};

#define OUT_DEFAULT "experiments" /* of `all` */

/* The command line, before its reading puts it into another order. */
static json_t *copy_words(int argc, char **argv)
{
    json_t *words = json_pack("[s]", "roost");

    for (int i = 0; i < argc; i++)
        json_array_append_new(words, json_string(argv[i]));
    return words;
}

/* Where and when it was measured: a number without that is worth nothing. */
static json_t *describe(json_t *words, const struct experiment_options *options)
{
    char when[CLOCK_TEXT_BYTES];
    struct utsname machine;

    clock_to_text(clock_wall_ms(), when);
    uname(&machine);
    return json_pack("{s:o, s:s, s:I, s:b, s:s, s:s, s:{s:s, s:s, s:s, s:i}}", "command", words,
                     "version", ROOST_VERSION, "seed", (json_int_t)options->seed, "quick",
                     options->is_quick, "driver", options->is_docker ? "docker" : "process", "when",
                     when, "machine", "system", machine.sysname, "release", machine.release,
                     "architecture", machine.machine, "cores", (int)sysconf(_SC_NPROCESSORS_ONLN));
}

/* Before anything is measured: a folder that cannot be written should not be found out at the end.
 */
static int make_folder(const struct experiment_options *options, struct error *why)
{
    struct stat facts;

    if (!options->out)
        return 0;
    if (mkdir(options->out, 0777) < 0 && errno != EEXIST)
        return error_set(why, -errno, "%s: %m", options->out);
    if (stat(options->out, &facts) == 0 && !S_ISDIR(facts.st_mode))
        return error_set(why, -ENOTDIR, "%s: is no folder", options->out);
    if (access(options->out, W_OK | X_OK) < 0)
        return error_set(why, -errno, "%s: %m", options->out);
    return 0;
}

static int save(const struct experiment_options *options, const char *name, const json_t *result,
                struct error *why)
{
    char path[EXPERIMENT_PATH_BYTES];

    if (!options->out)
        return 0;
    if ((size_t)snprintf(path, sizeof(path), "%s/%s.json", options->out, name) >= sizeof(path))
        return error_set(why, -ENAMETOOLONG, "%s: too long", options->out);
    if (json_dump_file(result, path, JSON_INDENT(1) | JSON_REAL_PRECISION(7)) < 0)
        return error_set(why, -EIO, "%s: cannot be written", path);
    return 0;
}

static void show(const struct experiment *experiment, const struct experiment_options *options,
                 const json_t *result)
{
    if (!options->is_json) {
        experiment->print(result);
        return;
    }
    json_dumpf(result, stdout, JSON_COMPACT | JSON_REAL_PRECISION(7));
    putchar('\n');
}

static int run_one(const struct experiment *experiment, struct experiment_rig *rig,
                   const struct experiment_options *options, json_t *about, struct error *why)
{
    json_t *result = NULL;
    int status = experiment->run(rig, options, &result, why);

    if (status < 0)
        return status;
    if (rig->docker && !json_object_get(about, "docker"))
        json_object_set_new(about, "docker",
                            json_pack("{s:s, s:s, s:s}", "version", rig->docker->version, "image",
                                      rig->docker->image, "node", rig->docker->node));
    json_object_set_new(result, "experiment", json_string(experiment->name));
    json_object_set(result, "about", about);
    show(experiment, options, result);
    status = save(options, experiment->name, result, why);
    json_decref(result);
    return status;
}

static const struct experiment *find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(experiments); i++) {
        if (strcmp(experiments[i].name, name) == 0)
            return &experiments[i];
    }
    return NULL;
}

/* One of them with its picture, or with NULL all and the report. */
static int run_chosen(const struct experiment *chosen, struct experiment_rig *rig,
                      const struct experiment_options *options, json_t *about, struct error *why)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i < ARRAY_SIZE(experiments); i++) {
        if (chosen ? chosen == &experiments[i] : experiments[i].is_of_all)
            status = run_one(&experiments[i], rig, options, about, why);
    }
    if (status < 0 || !options->out)
        return status;
    return experiment_plot(options->out, chosen ? chosen->name : NULL, why);
}

static int run(const struct experiment *chosen, const struct experiment_options *options,
               json_t *about)
{
    struct experiment_rig rig;
    struct error why;
    int status = make_folder(options, &why);

    if (status < 0) {
        fprintf(stderr, "roost experiment: %s\n", why.text);
        return WORD_FAILED;
    }
    status = experiment_rig_init(&rig, options, &why);
    if (status == 0) {
        status = run_chosen(chosen, &rig, options, about, &why);
        experiment_rig_finish(&rig);
    }
    if (status < 0)
        fprintf(stderr, "roost experiment: %s\n", why.text);
    return status < 0 ? WORD_FAILED : WORD_DONE;
}

static int draw(const char *folder)
{
    struct error why;

    if (experiment_plot(folder, NULL, &why) == 0)
        return WORD_DONE;
    fprintf(stderr, "roost experiment: %s\n", why.text);
    return WORD_FAILED;
}

static int read_options(int argc, char **argv, struct experiment_options *options,
                        const struct experiment **chosen, struct error *why)
{
    int status = experiment_options_parse(argc, argv, options, why);

    if (status < 0 || options->wants_help)
        return status;
    *chosen = find(options->name);
    if (strcmp(options->name, "all") == 0 && !options->out)
        options->out = OUT_DEFAULT;
    if (!*chosen && strcmp(options->name, "all") != 0 && strcmp(options->name, "plot") != 0)
        return error_set(why, -EINVAL, "there is no '%s'; roost experiment --help", options->name);
    return 0;
}

int experiment_main(int argc, char **argv)
{
    const struct experiment *chosen = NULL;
    struct experiment_options options;
    struct error why;
    json_t *about;
    json_t *words;
    int status;

    words = copy_words(argc, argv);
    if (read_options(argc, argv, &options, &chosen, &why) < 0) {
        fprintf(stderr, "roost experiment: %s\n", why.text);
        json_decref(words);
        return WORD_USAGE;
    }
    if (options.wants_help) {
        experiment_options_help(stdout);
        json_decref(words);
        return WORD_DONE;
    }
    about = describe(words, &options);
    status = strcmp(options.name, "plot") == 0 ? draw(options.file) : run(chosen, &options, about);
    json_decref(about);
    return status;
}
