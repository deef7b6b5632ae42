#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "replica/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTAINER "4f5e6d7c4f5e6d7c4f5e6d7c4f5e6d7c4f5e6d7c4f5e6d7c4f5e6d7c4f5e6d7c"

/* Fields 3 to 24 as proc(5) names them, and two more. */
#define REST                                                                                       \
    " S 1 4711 4700 0 -1 4194560 94 0 0 0 11 22 33 44 20 0 1 0 987654 2408448 77 18446744073709"   \
    "551615 1\n"

static void assert_rest(const struct proc_stat *stat)
{
    assert_int_equal('S', stat->state);
    assert_int_equal(4700, stat->session);
    assert_int_equal(11 + 22 + 33 + 44, stat->cpu_ticks);
    assert_int_equal(987654, stat->start_ticks);
    assert_int_equal(77, stat->memory_pages);
}

static void a_stat_line_is_read_whatever_the_name_of_the_process_is(void **state)
{
    static const char *const texts[] = {
        "4711 (replica)" REST,       "4711 ()" REST,        "4711 (a b)" REST,
        "4711 (a) S 1 2 3 (b)" REST, "4711 (:-) :-()" REST, "4711 (((((((((()" REST,
        "4711 ())))))))))" REST,     "4711 (a\nb)" REST,    "4711 (\xff\xfe\x01)" REST,
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
        struct proc_stat stat;

        assert_int_equal(0, proc_parse_stat(view_of(texts[i]), &stat));
        assert_rest(&stat);
    }
}

/* Up to the 24th field's first digit nothing is understood, and nothing is read beyond the end. */
static void a_stat_line_that_is_cut_is_refused(void **state)
{
    static const char text[] = "4711 (a) b)" REST;
    const char *memory = strstr(text, " 77 ") + 1;

    (void)state;
    for (const char *end = text; end <= memory; end++) {
        size_t size = (size_t)(end - text);
        char *copy = malloc(size + 1);
        struct proc_stat stat = {.session = 5};

        memcpy(copy, text, size);
        assert_int_equal(-EBADMSG, proc_parse_stat((struct view){copy, size}, &stat));
        assert_int_equal(5, stat.session);
        free(copy);
    }
}

static void a_stat_line_that_is_none_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        ")",
        "4711 replica S 1 2 3",
        "1 (a) SS 1 4711 4700 0 -1 1 94 0 0 0 11 22 33 44 20 0 1 0 987654 2408448 77 0",
        "1 (a) S 1 4711 x 0 -1 1 94 0 0 0 11 22 33 44 20 0 1 0 987654 2408448 77 0",
        "1 (a) S 1 4711 4700 0 -1 1 94 0 0 0 -11 22 33 44 20 0 1 0 987654 2408448 77 0",
        "1 (a) S 1 4711 4700 0 -1 1 94 0 0 0 11 22 33 44 20 0 1 0 99999999999999999999 1 77 0",
        "1 (a) S  1 4711 4700 0 -1 1 94 0 0 0 11 22 33 44 20 0 1 0 987654 2408448 77 0",
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
        struct proc_stat stat;

        assert_int_equal(-EBADMSG, proc_parse_stat(view_of(texts[i]), &stat));
    }
}

static void a_process_that_runs_is_found_and_one_that_does_not_is_not(void **state)
{
    struct proc_stat stat;

    (void)state;
    assert_int_equal(0, proc_read_stat(getpid(), &stat));
    assert_int_equal(getsid(0), stat.session);
    assert_int_equal('R', stat.state);
    assert_true(stat.start_ticks > 0 && stat.memory_pages > 10);
    assert_int_equal(-ESRCH, proc_read_stat(0x3fffffff, &stat));
}

static void a_group_of_version_2_is_found(void **state)
{
    struct proc_group group;

    (void)state;
    assert_int_equal(0, proc_parse_group(VIEW("0::/system.slice/docker-" CONTAINER ".scope\n"),
                                         CONTAINER, &group));
    assert_true(group.is_unified);
    assert_string_equal("/system.slice/docker-" CONTAINER ".scope", group.cpu);
    assert_string_equal(group.cpu, group.memory);
}

static void groups_of_version_1_are_found_also_beside_one_of_version_2(void **state)
{
    static const char *const texts[] = {
        "4:memory:/docker/" CONTAINER "\n2:cpu,cpuacct:/docker/" CONTAINER "\n1:name=systemd:/x\n",
        "0::/docker/" CONTAINER "\n2:cpuacct,cpu:/docker/" CONTAINER "\n4:memory:/docker/" CONTAINER
        "\n",
        "2:cpuacct:/docker/" CONTAINER "\n4:memory:/docker/" CONTAINER "\n0::/docker/" CONTAINER,
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
        struct proc_group group;

        assert_int_equal(0, proc_parse_group(view_of(texts[i]), CONTAINER, &group));
        assert_false(group.is_unified);
        assert_string_equal("/cpuacct/docker/" CONTAINER, group.cpu);
        assert_string_equal("/memory/docker/" CONTAINER, group.memory);
    }
}

static void a_process_that_is_not_the_containers_is_told_from_it(void **state)
{
    struct proc_group group = {.is_unified = true};

    (void)state;
    assert_int_equal(-ENOENT, proc_parse_group(VIEW("0::/init.scope\n"), CONTAINER, &group));
    assert_int_equal(-ENOENT, proc_parse_group(VIEW("0::/docker/" CONTAINER), "", &group));
    assert_int_equal(-EBADMSG, proc_parse_group(VIEW(""), CONTAINER, &group));
    assert_int_equal(-EBADMSG, proc_parse_group(VIEW("nonsense"), CONTAINER, &group));
    assert_int_equal(-EBADMSG, proc_parse_group(VIEW("0::\n"), CONTAINER, &group));
    assert_int_equal(-EBADMSG, proc_parse_group(VIEW("0::x\n"), CONTAINER, &group));
    assert_true(group.is_unified);
    assert_int_equal(-ENOENT, proc_find_group(getpid(), CONTAINER, &group));
    assert_int_equal(-ESRCH, proc_find_group(0x3fffffff, CONTAINER, &group));
}

static void write_file(const char *root, const char *folder, const char *name, const char *text)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s%s", root, folder);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s%s/%s", root, folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(strlen(text), write(fd, text, strlen(text)));
    close(fd);
}

static void remove_all(const char *root)
{
    static const char *const paths[] = {"/v2/cpu.stat",
                                        "/v2/memory.current",
                                        "/v2/memory.stat",
                                        "/cpu/cpuacct.usage",
                                        "/mem/memory.usage_in_bytes",
                                        "/mem/memory.stat",
                                        "/v2",
                                        "/cpu",
                                        "/mem",
                                        ""};
    char path[256];

    for (unsigned i = 0; i < ARRAY_SIZE(paths); i++) {
        snprintf(path, sizeof(path), "%s%s", root, paths[i]);
        assert_int_equal(0, remove(path));
    }
}

static void what_a_group_has_used_is_read_in_both_versions(void **state)
{
    const struct proc_group two = {.cpu = "/v2", .memory = "/v2", .is_unified = true};
    const struct proc_group one = {.cpu = "/cpu", .memory = "/mem"};
    char root[] = "/tmp/proc_test_XXXXXX";
    struct proc_group_usage usage;

    (void)state;
    assert_non_null(mkdtemp(root));
    write_file(root, "/v2", "cpu.stat", "usage_usec 1234567\nuser_usec 1\nsystem_usec 2\n");
    write_file(root, "/v2", "memory.current", "5000000\n");
    write_file(root, "/v2", "memory.stat", "anon 7\ninactive_file 1000000\nactive_file 3\n");
    assert_int_equal(0, proc_read_group(root, &two, &usage));
    assert_int_equal(1234567, usage.cpu_us);
    assert_int_equal(4000000, usage.memory_bytes);

    write_file(root, "/cpu", "cpuacct.usage", "1234567890\n");
    write_file(root, "/mem", "memory.usage_in_bytes", "900\n");
    write_file(root, "/mem", "memory.stat", "inactive_file 5\ntotal_inactive_file 1000\n");
    assert_int_equal(0, proc_read_group(root, &one, &usage));
    assert_int_equal(1234567, usage.cpu_us);
    assert_int_equal(0, usage.memory_bytes);

    write_file(root, "/v2", "cpu.stat", "nonsense\n");
    assert_int_equal(-EBADMSG, proc_read_group(root, &two, &usage));
    write_file(root, "/v2", "cpu.stat", "");
    assert_int_equal(-EBADMSG, proc_read_group(root, &two, &usage));
    remove_all(root);
    assert_int_equal(-ENOENT, proc_read_group(root, &one, &usage));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stat_line_is_read_whatever_the_name_of_the_process_is),
        cmocka_unit_test(a_stat_line_that_is_cut_is_refused),
        cmocka_unit_test(a_stat_line_that_is_none_is_refused),
        cmocka_unit_test(a_process_that_runs_is_found_and_one_that_does_not_is_not),
        cmocka_unit_test(a_group_of_version_2_is_found),
        cmocka_unit_test(groups_of_version_1_are_found_also_beside_one_of_version_2),
        cmocka_unit_test(a_process_that_is_not_the_containers_is_told_from_it),
        cmocka_unit_test(what_a_group_has_used_is_read_in_both_versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
