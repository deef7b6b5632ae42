#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replica/output.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static int folder_fd;

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/output_XXXXXX");
    assert_non_null(mkdtemp(folder));
    folder_fd = open(folder, O_RDONLY | O_DIRECTORY);
    return folder_fd < 0;
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
    close(folder_fd);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static void write_text(int fd, const char *text)
{
    assert_int_equal(strlen(text), write(fd, text, strlen(text)));
}

static off_t size_of(const char *file)
{
    struct stat status;

    return fstatat(folder_fd, file, &status, 0) == 0 ? status.st_size : -1;
}

static void what_was_there_is_appended_to(void **state)
{
    int fd = output_open(folder_fd, "a");

    (void)state;
    write_text(fd, "one\n");
    close(fd);
    fd = output_open(folder_fd, "a");
    write_text(fd, "two\n");
    close(fd);
    assert_int_equal(8, size_of("a.log"));
}

static void a_link_put_in_its_place_is_not_followed(void **state)
{
    (void)state;
    assert_int_equal(0, symlinkat("/dev/null", folder_fd, "a.log"));
    assert_true(output_open(folder_fd, "a") < 0);
}

static void the_file_starts_anew_at_its_limit_while_it_is_written_to(void **state)
{
    int fd = output_open(folder_fd, "a");
    char old[16] = "";
    int old_fd;

    (void)state;
    write_text(fd, "0123456789");
    output_limit(folder_fd, "a", 10);
    assert_int_equal(10, size_of("a.log"));
    write_text(fd, "abcde");
    output_limit(folder_fd, "a", 10);
    assert_int_equal(0, size_of("a.log"));
    assert_int_equal(10, size_of("a.log.1"));
    write_text(fd, "next");
    assert_int_equal(4, size_of("a.log"));
    old_fd = openat(folder_fd, "a.log.1", O_RDONLY);
    assert_int_equal(10, read(old_fd, old, sizeof(old)));
    assert_string_equal("56789abcde", old);
    close(old_fd);
    close(fd);
}

static void expect_last_line(const char *output, const char *expected)
{
    char line[OUTPUT_LINE_BYTES];
    int fd;

    unlinkat(folder_fd, "a.log", 0);
    fd = output_open(folder_fd, "a");
    write_text(fd, output);
    close(fd);
    output_last_line(folder_fd, "a", line);
    assert_string_equal(expected, line);
}

static void the_last_line_is_found(void **state)
{
    char big[5000];

    (void)state;
    expect_last_line("", "");
    expect_last_line("\n\n", "");
    expect_last_line("one", "one");
    expect_last_line("one\ntwo\n", "two");
    expect_last_line("one\ntwo\r\n\n", "two");
    expect_last_line("one\n\x1b[31mred\x07\n", "[31mred");
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    memcpy(big + 4000, "\nthe end", 8);
    big[4008] = '\0';
    expect_last_line(big, "the end");
    unlinkat(folder_fd, "a.log", 0);
    output_last_line(folder_fd, "a", big);
    assert_string_equal("", big);
}

static bool is_first(void *owner, const char *name)
{
    (void)owner;
    return strcmp(name, "r0") == 0;
}

static void the_oldest_logs_go_but_none_that_is_used(void **state)
{
    char name[32];

    (void)state;
    for (unsigned i = 0; i < OUTPUT_FILES_MAX + 10; i++) {
        struct timespec times[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};
        int fd;

        snprintf(name, sizeof(name), "r%u", i);
        fd = output_open(folder_fd, name);
        assert_int_equal(0, futimens(fd, times));
        close(fd);
    }
    output_prune(folder_fd, is_first, NULL);
    assert_int_equal(0, size_of("r0.log"));
    assert_int_equal(-1, size_of("r1.log"));
    assert_int_equal(-1, size_of("r9.log"));
    assert_int_equal(0, size_of("r10.log"));
    snprintf(name, sizeof(name), "r%u.log", OUTPUT_FILES_MAX + 9);
    assert_int_equal(0, size_of(name));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(what_was_there_is_appended_to),
        TEST(a_link_put_in_its_place_is_not_followed),
        TEST(the_file_starts_anew_at_its_limit_while_it_is_written_to),
        TEST(the_last_line_is_found),
        TEST(the_oldest_logs_go_but_none_that_is_used),
    };

    return cmocka_run_group_tests_name("replica/output", tests, NULL, NULL);
}
