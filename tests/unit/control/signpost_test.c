#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "any_base.h"
#include "control/signpost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct folder open_folder(const char *name)
{
    struct folder folder = {.run_fd = -1, .lock_fd = -1};
    struct error why;
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", any_base, name);
    assert_int_equal(0, folder_open(&folder, path, &why));
    return folder;
}

static struct address address_of(const char *text)
{
    struct address address;

    assert_int_equal(0, address_from_text(view_of(text), &address, NULL));
    return address;
}

static void the_first_address_of_the_keeper_that_runs_is_found(void **state)
{
    const struct address written[] = {address_of("127.0.0.1:5001"), address_of("[::1]:5001")};
    struct folder folder = open_folder("first");
    struct address found;
    struct error why;

    (void)state;
    assert_int_equal(0, folder_write_record(&folder, "keeper", getpid(), &why));
    assert_int_equal(0, signpost_write(&folder, written, 2, &why));
    assert_int_equal(0, signpost_read(&folder, &found));
    assert_true(address_equals(&written[0], &found));
    folder_close(&folder);
}

static void a_path_is_an_address_too(void **state)
{
    const struct address written = address_of("unix:/run/roost/control.sock");
    struct folder folder = open_folder("path");
    struct address found;
    struct error why;

    (void)state;
    assert_int_equal(0, folder_write_record(&folder, "keeper", getpid(), &why));
    assert_int_equal(0, signpost_write(&folder, &written, 1, &why));
    assert_int_equal(0, signpost_read(&folder, &found));
    assert_true(address_equals(&written, &found));
    folder_close(&folder);
}

static void what_a_keeper_left_that_is_gone_counts_for_nothing(void **state)
{
    const struct address written = address_of("127.0.0.1:5001");
    struct folder folder = open_folder("gone");
    struct address found;
    struct error why;

    (void)state;
    assert_int_equal(0, signpost_write(&folder, &written, 1, &why));
    assert_int_equal(-ENOENT, signpost_read(&folder, &found));
    assert_int_equal(0, folder_write_record(&folder, "keeper", getpid(), &why));
    assert_int_equal(0, signpost_read(&folder, &found));
    folder_forget(&folder, "keeper");
    assert_int_equal(-ENOENT, signpost_read(&folder, &found));
    folder_close(&folder);
}

static void what_is_no_address_is_none(void **state)
{
    static const char *const texts[] = {"", "\n", "hello\n", "127.0.0.1\n", "127.0.0.1:5001x\n"};
    struct folder folder = open_folder("nonsense");
    struct address found;
    struct error why;

    (void)state;
    assert_int_equal(0, folder_write_record(&folder, "keeper", getpid(), &why));
    assert_int_equal(-ENOENT, signpost_read(&folder, &found));
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        int fd = openat(folder.run_fd, "control", O_WRONLY | O_CREAT | O_TRUNC, 0600);
        size_t size = strlen(texts[i]);

        assert_int_equal(size, write(fd, texts[i], size));
        close(fd);
        assert_int_equal(-ENOENT, signpost_read(&folder, &found));
    }
    folder_close(&folder);
}

static void a_folder_that_takes_nothing_is_said(void **state)
{
    const struct address written = address_of("127.0.0.1:5001");
    struct folder folder = {.run = "/nowhere", .run_fd = -1, .lock_fd = -1};
    struct error why;

    (void)state;
    assert_int_equal(-EBADF, signpost_write(&folder, &written, 1, &why));
    assert_non_null(strstr(why.text, "/nowhere/control"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_address_of_the_keeper_that_runs_is_found),
        cmocka_unit_test(a_path_is_an_address_too),
        cmocka_unit_test(what_a_keeper_left_that_is_gone_counts_for_nothing),
        cmocka_unit_test(what_is_no_address_is_none),
        cmocka_unit_test(a_folder_that_takes_nothing_is_said),
    };

    return cmocka_run_group_tests_name("control/signpost", tests, any_base_make, any_base_remove);
}
