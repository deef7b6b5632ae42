#include "load/load_progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define BAR_WIDTH   24
#define TERMINAL_US (CLOCK_US_PER_S / 5)
#define PLAIN_US    CLOCK_US_PER_S
#define WIPE        "\r\033[K"

static double in_ms(uint64_t us)
{
    return (double)us / (double)CLOCK_US_PER_MS;
}

static void print_bar(double share)
{
    int full = (int)(share * BAR_WIDTH);

    fprintf(stderr, WIPE "[%.*s%*s] %3.0f %%  ", full, "########################", BAR_WIDTH - full,
            "", share * 100);
}

static void print(struct load_progress *progress, uint64_t now_us)
{
    struct load_result *result = &progress->run->result;
    double seconds = (double)(now_us - progress->last_us) / (double)CLOCK_US_PER_S;
    double rate = (double)(result->answers - progress->last_answers) / seconds;
    double share = progress->share < 0 ? load_run_progress(progress->run) : progress->share;

    if (progress->is_terminal)
        print_bar(share);
    else
        fprintf(stderr, "%3.0f %%  ", share * 100);
    fprintf(stderr, "%s%s%.0f requests/s  %llu lost  p50 %.2f ms  p99 %.2f ms", progress->title,
            progress->title[0] ? "  " : "", rate, (unsigned long long)result->lost,
            in_ms(load_histogram_quantile_us(&result->recent, 0.5)),
            in_ms(load_histogram_quantile_us(&result->recent, 0.99)));
    if (!progress->is_terminal)
        fputc('\n', stderr);
    progress->has_printed = true;
    progress->last_us = now_us;
    progress->last_answers = result->answers;
    load_result_forget_recent(result);
}

static void wait_on(struct load_progress *progress)
{
    loop_start_timer(progress->run->loop, &progress->timer,
                     progress->is_terminal ? TERMINAL_US : PLAIN_US);
}

static void on_timer(struct timer *timer)
{
    struct load_progress *progress = CONTAINER_OF(timer, struct load_progress, timer);

    print(progress, clock_now_us());
    wait_on(progress);
}

void load_progress_start(struct load_progress *progress, struct load_run *run, const char *title)
{
    *progress = (struct load_progress){
        .run = run,
        .title = title,
        .share = -1,
        .last_us = clock_now_us(),
        .is_terminal = isatty(STDERR_FILENO),
    };
    timer_init(&progress->timer, on_timer);
    wait_on(progress);
}

void load_progress_finish(struct load_progress *progress)
{
    timer_stop(&progress->timer);
    if (progress->has_printed && progress->is_terminal)
        fputs(WIPE, stderr);
}
