#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replica/driver_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "replica/handle.h"

/* Real processes take real time: at most that long each. */
#define PATIENCE_US (10 * CLOCK_US_PER_S)

static struct loop loop;
static struct ports ports;
static char folder[64];

/* What was heard of one run. */
struct heard {
    struct driver_run *run;
    struct driver_started started;
    unsigned starts;
    unsigned failures;
    unsigned ends;
    enum driver_end end;
    char why[DRIVER_WHY_BYTES];
    uint64_t end_us;
};

static void on_started(struct driver_run *run, const struct driver_started *started)
{
    struct heard *heard = run->holder;

    heard->starts++;
    heard->started = *started;
}

static void on_failed(struct driver_run *run, int result, const char *why)
{
    struct heard *heard = run->holder;

    assert_int_equal(-ENOEXEC, result);
    heard->failures++;
    snprintf(heard->why, sizeof(heard->why), "%s", why);
}

static void on_ended(struct driver_run *run, enum driver_end end, const char *why)
{
    struct heard *heard = run->holder;

    heard->ends++;
    heard->end = end;
    heard->end_us = clock_now_us();
    snprintf(heard->why, sizeof(heard->why), "%s", why);
}

static const struct driver_events events = {
    .on_started = on_started,
    .on_failed = on_failed,
    .on_ended = on_ended,
};

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/driver_process_XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_int_equal(0, loop_init(&loop, NULL));
    ports_init(&ports);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

static int end(void **state)
{
    (void)state;
    ports_finish(&ports);
    loop_finish(&loop);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static struct driver *create(const char *const *command, const char *const *env)
{
    const struct driver_process_settings settings = {
        .folder = folder, .command = command, .env = env, .output_bytes_max = 64 * 1024};
    struct driver *driver = NULL;
    struct error why = {""};

    assert_int_equal(0, driver_process_create(&loop, &settings, &driver, &why));
    return driver;
}

static struct driver *create_shell(const char *script)
{
    const char *const command[] = {"/bin/sh", "-c", script, NULL};

    return create(command, NULL);
}

static void start(struct driver *driver, const char *name, struct heard *heard)
{
    const struct driver_order order = {.name = name, .ports = &ports, .id = 1};

    *heard = (struct heard){0};
    assert_int_equal(0, driver->calls->start(driver, &order, &events, heard, &heard->run, NULL));
    assert_int_equal(0, heard->starts + heard->failures + heard->ends);
}

static void turn_until(const unsigned *counter)
{
    uint64_t until_us = clock_now_us() + PATIENCE_US;

    while (!*counter && clock_now_us() < until_us)
        loop_turn(&loop, 10 * CLOCK_US_PER_MS);
    assert_true(*counter);
    loop_turn(&loop, 0);
}

static void stop(struct heard *heard)
{
    heard->run->driver->calls->stop(heard->run, 0);
    turn_until(&heard->ends);
}

/* What is in a file of the folder; zero-ended. */
static void read_text(const char *file, char *text, size_t capacity)
{
    char path[128];
    ssize_t size;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", folder, file);
    fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    size = read(fd, text, capacity - 1);
    assert_true(size >= 0);
    text[size] = '\0';
    close(fd);
}

static off_t size_of(const char *file)
{
    struct stat status;
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, file);
    return stat(path, &status) == 0 ? status.st_size : -1;
}

/* How many files with handles are there. */
static unsigned count_handles(void)
{
    DIR *open_folder = opendir(folder);
    struct dirent *entry;
    unsigned count = 0;

    while ((entry = readdir(open_folder)) != NULL)
        count += strstr(entry->d_name, ".run") != NULL;
    closedir(open_folder);
    return count;
}

/* ---- what it is given ---- */

static void the_environment_is_exactly_what_is_promised(void **state)
{
    const char *const command[] = {"/usr/bin/env", NULL};
    const char *const env[] = {"KEY=a value", "EMPTY=", NULL};
    struct driver *driver = create(command, env);
    struct heard heard;
    char expected[4096];
    char text[4096];

    (void)state;
    setenv("ROOST_CONTROL_TOKEN", "secret", 1);
    start(driver, "Server 7", &heard);
    turn_until(&heard.ends);
    unsetenv("ROOST_CONTROL_TOKEN");
    read_text("Server 7.log", text, sizeof(text));
    snprintf(expected, sizeof(expected), "PATH=%s\nSERVER_ID=7\nPORT=%u\nKEY=a value\nEMPTY=\n",
             getenv("PATH"), address_port(&heard.started.address));
    assert_string_equal(expected, text);
    driver_destroy(driver);
}

static void port_and_name_are_filled_in_everywhere(void **state)
{
    const char *const command[] = {"/bin/echo", "--port={port}", "{name}{name}", "{other", NULL};
    struct driver *driver = create(command, NULL);
    struct heard heard;
    char expected[128];
    char text[128];

    (void)state;
    start(driver, "a b", &heard);
    turn_until(&heard.ends);
    read_text("a b.log", text, sizeof(text));
    snprintf(expected, sizeof(expected), "--port=%u a ba b {other\n",
             address_port(&heard.started.address));
    assert_string_equal(expected, text);
    driver_destroy(driver);
}

static void it_stands_alone_in_a_session_of_its_own(void **state)
{
    struct driver *driver = create_shell("exec sleep 1000");
    struct heard heard;

    (void)state;
    start(driver, "a", &heard);
    turn_until(&heard.starts);
    assert_int_equal(heard.started.pid, getsid(heard.started.pid));
    assert_int_equal(heard.started.pid, getpgid(heard.started.pid));
    stop(&heard);
    driver_destroy(driver);
}

static void it_inherits_no_descriptor_of_ours(void **state)
{
    /* By the shell alone: for another program it would open a pipe that may be there still. */
    struct driver *driver =
        create_shell("for fd in /proc/$$/fd/*; do [ -e $fd ] && echo ${fd##*/}; done; "
                     "readlink /proc/$$/fd/0");
    int leaky = open("/dev/null", O_RDONLY);
    struct heard heard;
    char text[128];

    (void)state;
    assert_true(leaky >= 0);
    start(driver, "a", &heard);
    turn_until(&heard.ends);
    close(leaky);
    read_text("a.log", text, sizeof(text));
    assert_string_equal("0\n1\n2\n/dev/null\n", text);
    driver_destroy(driver);
}

static void its_signals_are_as_in_a_fresh_shell(void **state)
{
    const char *const command[] = {"/bin/grep", "-E", "Sig(Blk|Ign)", "/proc/self/status", NULL};
    struct driver *driver = create(command, NULL);
    struct heard heard;
    sigset_t signals;
    sigset_t before;
    char text[128];

    (void)state;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, &before);
    signal(SIGPIPE, SIG_IGN);
    start(driver, "a", &heard);
    turn_until(&heard.ends);
    sigprocmask(SIG_SETMASK, &before, NULL);
    signal(SIGPIPE, SIG_DFL);
    read_text("a.log", text, sizeof(text));
    assert_string_equal("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n", text);
    driver_destroy(driver);
}

/* ---- its end ---- */

static void a_program_that_is_not_there_is_named(void **state)
{
    const char *const command[] = {"./no-such-app", NULL};
    struct driver *driver = create(command, NULL);
    struct heard heard;

    (void)state;
    start(driver, "a", &heard);
    turn_until(&heard.failures);
    assert_string_equal("cannot run './no-such-app': No such file or directory", heard.why);
    assert_int_equal(0, heard.starts + heard.ends);
    assert_int_equal(0, count_handles());
    driver_destroy(driver);
}

static void an_end_by_itself_is_told_with_status_and_last_words(void **state)
{
    struct driver *driver = create_shell("echo first; echo 'cannot open: x' >&2; exit 3");
    struct heard heard;

    (void)state;
    start(driver, "a", &heard);
    turn_until(&heard.ends);
    assert_int_equal(1, heard.starts);
    assert_int_equal(DRIVER_EXITED, heard.end);
    assert_string_equal("exit status 3: cannot open: x", heard.why);
    assert_int_equal(0, count_handles());
    driver_destroy(driver);
}

static void a_kill_is_noticed_at_once(void **state)
{
    struct driver *driver = create_shell("exec sleep 1000");
    uint64_t least_us = UINT64_MAX;

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        struct heard heard;
        uint64_t killed_us;

        start(driver, "a", &heard);
        turn_until(&heard.starts);
        killed_us = clock_now_us();
        kill(heard.started.pid, SIGKILL);
        turn_until(&heard.ends);
        assert_int_equal(DRIVER_KILLED, heard.end);
        assert_string_equal("killed by SIGKILL", heard.why);
        if (heard.end_us - killed_us < least_us)
            least_us = heard.end_us - killed_us;
    }
    /* The best of five: the machine may be busy with something else. */
    assert_in_range(least_us, 0, 10 * CLOCK_US_PER_MS);
    driver_destroy(driver);
}

static void an_abort_of_its_own_is_no_kill(void **state)
{
    struct driver *driver = create_shell("ulimit -c 0; kill -SEGV $$");
    struct heard heard;

    (void)state;
    start(driver, "a", &heard);
    turn_until(&heard.ends);
    assert_int_equal(DRIVER_EXITED, heard.end);
    assert_string_equal("killed by SIGSEGV", heard.why);
    driver_destroy(driver);
}

/* The pid that a script wrote as the first line of its output. */
static pid_t written_pid(const char *file)
{
    uint64_t until_us = clock_now_us() + PATIENCE_US;
    char text[64] = "";

    while (!strchr(text, '\n') && clock_now_us() < until_us) {
        loop_turn(&loop, CLOCK_US_PER_MS);
        read_text(file, text, sizeof(text));
    }
    return (pid_t)strtol(text, NULL, 10);
}

/* Gone, or dead and only waiting for whoever adopted it to notice. */
static bool has_ended(pid_t pid)
{
    char path[64];
    char text[256] = "";
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (!file)
        return true;
    (void)!fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    return strstr(text, ") Z ") != NULL;
}

static void wait_for_end(pid_t pid)
{
    uint64_t until_us = clock_now_us() + PATIENCE_US;

    assert_true(pid > 1);
    while (!has_ended(pid) && clock_now_us() < until_us)
        loop_turn(&loop, CLOCK_US_PER_MS);
    assert_true(has_ended(pid));
}

static void its_whole_group_ends_with_a_stop(void **state)
{
    struct driver *driver = create_shell("sleep 1000 & echo $!; wait");
    struct heard heard;
    pid_t other;

    (void)state;
    start(driver, "a", &heard);
    turn_until(&heard.starts);
    other = written_pid("a.log");
    driver->calls->stop(heard.run, 5000);
    turn_until(&heard.ends);
    assert_int_equal(DRIVER_KILLED, heard.end);
    wait_for_end(other);
    driver_destroy(driver);
}

static void its_whole_group_ends_with_its_leader(void **state)
{
    struct driver *driver = create_shell("sleep 1000 & echo $!; wait");
    struct heard heard;
    pid_t other;

    (void)state;
    start(driver, "a", &heard);
    turn_until(&heard.starts);
    other = written_pid("a.log");
    kill(heard.started.pid, SIGKILL);
    turn_until(&heard.ends);
    wait_for_end(other);
    driver_destroy(driver);
}

static void one_that_will_not_listen_is_killed_after_its_grace(void **state)
{
    struct driver *driver = create_shell("trap '' TERM; echo 1; while :; do sleep 0.05; done");
    struct heard heard;
    uint64_t asked_us;

    (void)state;
    start(driver, "a", &heard);
    turn_until(&heard.starts);
    written_pid("a.log");
    asked_us = clock_now_us();
    driver->calls->stop(heard.run, 200);
    turn_until(&heard.ends);
    assert_true(heard.end_us - asked_us >= 190 * CLOCK_US_PER_MS);
    assert_string_equal("killed by SIGKILL", heard.why);
    driver_destroy(driver);
}

static void a_stop_before_the_start_is_told_ends_it_too(void **state)
{
    struct driver *driver = create_shell("exec sleep 1000");
    struct heard heard;
    uint64_t until_us = clock_now_us() + PATIENCE_US;

    (void)state;
    start(driver, "a", &heard);
    driver->calls->stop(heard.run, 0);
    while (!heard.ends && !heard.failures && clock_now_us() < until_us)
        loop_turn(&loop, CLOCK_US_PER_MS);
    assert_int_equal(1, heard.ends + heard.failures);
    assert_int_equal(0, count_handles());
    driver_destroy(driver);
}

/* ---- ports and output ---- */

static void it_gets_its_port_again(void **state)
{
    struct driver *driver = create_shell("exec sleep 1000");
    struct heard heard;
    struct address first;
    struct driver_order order = {.name = "a", .ports = &ports, .id = 1, .previous = &first};

    (void)state;
    start(driver, "a", &heard);
    turn_until(&heard.starts);
    first = heard.started.address;
    stop(&heard);
    heard = (struct heard){0};
    assert_int_equal(0, driver->calls->start(driver, &order, &events, &heard, &heard.run, NULL));
    turn_until(&heard.starts);
    assert_true(address_equals(&first, &heard.started.address));
    stop(&heard);
    driver_destroy(driver);
}

static void its_output_is_kept_within_its_limit(void **state)
{
    struct driver *driver = create_shell("yes 0123456789 | head -c 300000; exec sleep 1000");
    uint64_t until_us = clock_now_us() + PATIENCE_US;
    struct heard heard;

    (void)state;
    start(driver, "a", &heard);
    while (size_of("a.log") < 300000 && clock_now_us() < until_us)
        loop_turn(&loop, CLOCK_US_PER_MS);
    assert_int_equal(300000, size_of("a.log"));
    clock_set(clock_now_us() + DRIVER_PROCESS_CHECK_US + 10 * CLOCK_US_PER_MS);
    loop_turn(&loop, 0);
    clock_set(0);
    assert_int_equal(0, size_of("a.log"));
    assert_int_equal(64 * 1024, size_of("a.log.1"));
    stop(&heard);
    driver_destroy(driver);
}

/* ---- what outlives us ---- */

static void adopt_text(struct driver *driver, const char *handle, struct heard *heard, int expected)
{
    const struct driver_order order = {.name = "a", .ports = &ports, .id = 2};
    struct error why = {""};

    *heard = (struct heard){0};
    assert_int_equal(
        expected, driver->calls->adopt(driver, &order, handle, &events, heard, &heard->run, &why));
}

static void what_was_let_go_runs_on_and_can_be_adopted(void **state)
{
    struct driver *driver = create_shell("exec sleep 1000");
    struct driver *later = create_shell("exec sleep 1000");
    struct heard heard;
    struct heard adopted;

    (void)state;
    start(driver, "a", &heard);
    turn_until(&heard.starts);
    driver->calls->let_go(heard.run);
    loop_turn(&loop, 0);
    driver_destroy(driver);
    assert_int_equal(0, heard.ends);
    adopt_text(later, heard.started.handle, &adopted, 0);
    turn_until(&adopted.starts);
    assert_int_equal(heard.started.pid, adopted.started.pid);
    assert_true(address_equals(&heard.started.address, &adopted.started.address));
    assert_string_equal(heard.started.handle, adopted.started.handle);
    stop(&adopted);
    assert_int_equal(0, count_handles());
    driver_destroy(later);
}

static void another_process_with_the_same_pid_is_refused(void **state)
{
    struct driver *driver = create_shell("exec sleep 1000");
    struct heard heard;
    struct heard adopted;
    struct handle handle;
    char text[HANDLE_TEXT_BYTES];

    (void)state;
    start(driver, "a", &heard);
    turn_until(&heard.starts);
    assert_int_equal(0, handle_from_text(heard.started.handle, &handle));
    handle.start_ticks--;
    handle_to_text(&handle, text);
    adopt_text(driver, text, &adopted, -ESRCH);
    handle.start_ticks++;
    handle.boot[0] = handle.boot[0] == 'a' ? 'b' : 'a';
    handle_to_text(&handle, text);
    adopt_text(driver, text, &adopted, -ESRCH);
    adopt_text(driver, "pid=1 start=1 boot=00000000 port=1", &adopted, -EINVAL);
    adopt_text(driver, "something else", &adopted, -EINVAL);
    stop(&heard);
    adopt_text(driver, heard.started.handle, &adopted, -ESRCH);
    driver_destroy(driver);
}

static unsigned found_count;
static bool is_list_over;
static char found_name[DRIVER_NAME_BYTES];
static char found_handle[DRIVER_HANDLE_BYTES];

static void on_found(void *owner, const char *name, const char *handle, const char *why)
{
    (void)owner;
    assert_null(why);
    if (!name) {
        is_list_over = true;
        return;
    }
    found_count++;
    snprintf(found_name, sizeof(found_name), "%s", name);
    snprintf(found_handle, sizeof(found_handle), "%s", handle);
}

static void list_all(struct driver *driver)
{
    found_count = 0;
    is_list_over = false;
    driver->calls->list(driver, on_found, NULL);
    assert_false(is_list_over);
    loop_turn(&loop, 0);
    assert_true(is_list_over);
}

static void write_file(const char *file, const char *text)
{
    char path[128];
    FILE *out;

    snprintf(path, sizeof(path), "%s/%s", folder, file);
    out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void all_that_runs_is_listed_and_nothing_else(void **state)
{
    struct driver *driver = create_shell("exec sleep 1000");
    struct heard heard;

    (void)state;
    start(driver, "Server 1", &heard);
    turn_until(&heard.starts);
    write_file("stale@99.run", "pid=99 start=1 boot=00000000 port=4000");
    write_file("bad@98.run", "nonsense");
    write_file("Server 1@97.run.half", heard.started.handle);
    list_all(driver);
    assert_int_equal(1, found_count);
    assert_string_equal("Server 1", found_name);
    assert_string_equal(heard.started.handle, found_handle);
    assert_int_equal(-1, size_of("stale@99.run"));
    stop(&heard);
    list_all(driver);
    assert_int_equal(0, found_count);
    driver_destroy(driver);
}

static void its_handle_is_there_before_the_command_runs(void **state)
{
    char script[128];
    struct driver *driver;
    struct heard heard;
    char expected[HANDLE_TEXT_BYTES];
    char text[HANDLE_TEXT_BYTES];

    (void)state;
    snprintf(script, sizeof(script), "cat %s/a@$$.run", folder);
    driver = create_shell(script);
    start(driver, "a", &heard);
    turn_until(&heard.ends);
    read_text("a.log", text, sizeof(text));
    snprintf(expected, sizeof(expected), "%s", heard.started.handle);
    assert_string_equal(expected, text);
    driver_destroy(driver);
}

static void a_name_that_leads_elsewhere_is_refused(void **state)
{
    struct driver *driver = create_shell("exec sleep 1000");
    const char *const names[] = {"../a", ".a", "a/b"};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        const struct driver_order order = {.name = names[i], .ports = &ports, .id = 1};
        struct heard heard = {0};

        assert_int_equal(-EINVAL,
                         driver->calls->start(driver, &order, &events, &heard, &heard.run, NULL));
    }
    driver_destroy(driver);
}

static void a_command_without_words_is_refused(void **state)
{
    const char *const nothing[] = {NULL};
    const char *const command[] = {"true", NULL};
    const char *const env[] = {"=x", NULL};
    struct driver_process_settings settings = {.folder = folder, .command = nothing};
    struct driver *driver;
    struct error why;

    (void)state;
    assert_int_equal(-EINVAL, driver_process_create(&loop, &settings, &driver, &why));
    settings.command = command;
    settings.env = env;
    assert_int_equal(-EINVAL, driver_process_create(&loop, &settings, &driver, &why));
    assert_string_equal("'=x' is no NAME=value", why.text);
    settings.env = NULL;
    settings.folder = "/no/such/folder";
    assert_int_equal(-ENOENT, driver_process_create(&loop, &settings, &driver, &why));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(the_environment_is_exactly_what_is_promised),
        TEST(port_and_name_are_filled_in_everywhere),
        TEST(it_stands_alone_in_a_session_of_its_own),
        TEST(it_inherits_no_descriptor_of_ours),
        TEST(its_signals_are_as_in_a_fresh_shell),
        TEST(a_program_that_is_not_there_is_named),
        TEST(an_end_by_itself_is_told_with_status_and_last_words),
        TEST(a_kill_is_noticed_at_once),
        TEST(an_abort_of_its_own_is_no_kill),
        TEST(its_whole_group_ends_with_a_stop),
        TEST(its_whole_group_ends_with_its_leader),
        TEST(one_that_will_not_listen_is_killed_after_its_grace),
        TEST(a_stop_before_the_start_is_told_ends_it_too),
        TEST(it_gets_its_port_again),
        TEST(its_output_is_kept_within_its_limit),
        TEST(what_was_let_go_runs_on_and_can_be_adopted),
        TEST(another_process_with_the_same_pid_is_refused),
        TEST(all_that_runs_is_listed_and_nothing_else),
        TEST(its_handle_is_there_before_the_command_runs),
        TEST(a_name_that_leads_elsewhere_is_refused),
        TEST(a_command_without_words_is_refused),
    };

    return cmocka_run_group_tests_name("replica/driver_process", tests, NULL, NULL);
}
