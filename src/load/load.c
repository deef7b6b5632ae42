#include "load/load.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/word.h"
#include "load/load_progress.h"
#include "load/load_report.h"
#include "net/signals.h"

#define QUEUED_BYTES_MAX (1024u * 1024 * 1024)

struct load {
    struct loop loop;
    struct sock_group socks;
    struct load_run run;
    struct load_progress progress;
    struct signals signals;
    bool is_cut; /* the second signal: what still runs is left */
};

static void on_signal(struct signals *signals, uint32_t signal)
{
    struct load *load = CONTAINER_OF(signals, struct load, signals);

    (void)signal;
    load->is_cut = load->run.is_stopping;
    load_run_stop(&load->run);
}

static int run(struct load *load, const struct load_options *options, struct error *why)
{
    int result = load_run_start(&load->run, &load->socks, &options->plan, why);

    if (result < 0)
        return result;
    if (!options->is_quiet)
        load_progress_start(&load->progress, &load->run, "");
    while (!load_run_is_done(&load->run) && !load->is_cut)
        loop_turn(&load->loop, CLOCK_US_PER_S);
    if (!options->is_quiet)
        load_progress_finish(&load->progress);
    load_result_close(&load->run.result, clock_now_us());
    load_report_print(options, &load->run.result);
    result = load->run.result.answers ? 0 : -EIO;
    load_run_finish(&load->run);
    return result < 0 ? error_set(why, result, "nobody answered") : 0;
}

static int run_options(const struct load_options *options)
{
    static const int heard[] = {SIGTERM, SIGINT, 0};
    struct load load = {.is_cut = false};
    struct error why;
    int result = loop_init(&load.loop, &why);

    if (result == 0) {
        descriptor_raise_limit();
        sock_group_init(&load.socks, &load.loop, QUEUED_BYTES_MAX);
        result = signals_start(&load.signals, &load.loop, heard, on_signal, &why);
        if (result == 0)
            result = run(&load, options, &why);
        signals_stop(&load.signals);
        sock_group_finish(&load.socks);
        loop_finish(&load.loop);
    }
    if (result < 0)
        fprintf(stderr, "roost load: %s\n", why.text);
    return result < 0 ? WORD_FAILED : WORD_DONE;
}

int load_main(int argc, char **argv)
{
    struct load_options options;
    struct error why;
    int result;

    result = load_options_parse(argc, argv, &options, &why);
    if (result < 0) {
        fprintf(stderr, "roost load: %s\n", why.text);
        return result == -EINVAL ? WORD_USAGE : WORD_FAILED;
    }
    if (options.wants_help) {
        load_options_help(stdout);
        result = WORD_DONE;
    } else {
        result = run_options(&options);
    }
    load_options_finish(&options);
    return result;
}
