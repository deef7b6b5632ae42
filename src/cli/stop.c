#include "cli/stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

#include "base/word.h"
#include "config/config.h"
#include "config/config_flags.h"
#include "config/config_setting.h"
#include "control/folder.h"
#include "control/leftover.h"

/* How long each way of asking gets: once in order, once at once, then by force. */
#define ORDERLY_MS  (60 * 1000)
#define AT_ONCE_MS  (10 * 1000)
#define BY_FORCE_MS (5 * 1000)

static void print_help(void)
{
    puts("usage: roost stop [--state DIR]\n\n"
         "Drains and ends everything that belongs to a state folder, also after a crash. Where\n"
         "nothing runs there is nothing to do.\n\n"
         "  --state DIR   the state folder (the one roost serve would use)\n"
         "  -c FILE       the configuration that names it");
}

static bool ends_within(int process, int signal, int most_ms)
{
    struct pollfd gone = {.fd = process, .events = POLLIN};

    syscall(SYS_pidfd_send_signal, process, signal, NULL, 0);
    return poll(&gone, 1, most_ms) != 0;
}

/* Ends the keeper that runs, if one does. */
static int end_keeper(struct folder *folder, struct error *why)
{
    struct folder_record record;
    bool has_ended;
    int process;

    if (folder_read_record(folder, "keeper", &record) < 0)
        return 0;
    process = folder_open_process(&record);
    if (process < 0)
        return 0;
    has_ended = ends_within(process, SIGTERM, ORDERLY_MS) ||
                ends_within(process, SIGTERM, AT_ONCE_MS) ||
                ends_within(process, SIGKILL, BY_FORCE_MS);
    close(process);
    if (!has_ended)
        return error_set(why, -EBUSY, "the keeper (pid %d) does not end", (int)record.pid);
    return 0;
}

static int end_all(struct folder *folder, struct error *why)
{
    int result = end_keeper(folder, why);

    if (result == 0)
        result = folder_lock(folder, why);
    if (result == 0)
        result = leftover_end(folder, why);
    if (result == 0)
        folder_forget(folder, "keeper");
    return result;
}

static bool has_state_flag(const struct config_flags *flags)
{
    for (unsigned i = 0; i < config_setting_count; i++) {
        if (flags->values[i] && strcmp(config_settings[i].flag, "state") == 0)
            return true;
    }
    return false;
}

/* The state folder: the flag's, whatever else is set here, or as `roost serve` finds it. */
static int find_state(struct config *config, struct config_flags *flags, struct error *why)
{
    bool is_said = has_state_flag(flags) && !flags->file;
    char *const nothing[] = {NULL};
    struct config_notes notes = {0};

    return config_load(config, flags->file, flags, is_said ? nothing : environ, &notes, why);
}

int stop_main(int argc, char **argv)
{
    struct folder folder = {.run_fd = -1, .lock_fd = -1};
    struct config_flags flags = {0};
    struct config config;
    struct error why;
    int result;

    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_help();
        return WORD_DONE;
    }
    result = config_flags_parse(&argc, argv, &flags, &why);
    if (result == 0 && argc > 1)
        result = error_set(&why, -EINVAL, "stop does not know '%s'; roost stop --help", argv[1]);
    if (result < 0) {
        fprintf(stderr, "roost: %s\n", why.text);
        return WORD_USAGE;
    }
    log_open(STDERR_FILENO, LOG_ERROR, LOG_LOGFMT);
    result = find_state(&config, &flags, &why);
    if (result == 0) {
        result = folder_look(&folder, config.state, &why);
        if (result == 0)
            result = end_all(&folder, &why);
        else if (result == -ENOENT)
            result = 0;
        folder_close(&folder);
        config_finish(&config);
    }
    if (result < 0)
        fprintf(stderr, "roost: %s\n", why.text);
    return result < 0 ? WORD_FAILED : WORD_DONE;
}
