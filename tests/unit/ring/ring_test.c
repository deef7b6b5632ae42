/* `roost ring` as one uses it: arguments in, standard output and exit status out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/attribute.h"
#include "base/word.h"
#include "ring/ring.h"

#define OUTPUT_BYTES   65536
#define ARGUMENTS_MAX  24
#define SCRATCH_PREFIX "/tmp/roost-ring-test-"

static char output[OUTPUT_BYTES];

/* Runs it with standard input, output and error in files; `output` is what was printed. */
static int run(const char *input, const char *line)
{
    char copy[1024];
    char *arguments[ARGUMENTS_MAX] = {"ring"};
    int count = 1;
    int kept[3];
    FILE *files[3];
    int answer;
    size_t size;

    snprintf(copy, sizeof(copy), "%s", line);
    for (char *rest = copy, *text; (text = strsep(&rest, " "));) {
        assert_true(count < ARGUMENTS_MAX - 1);
        for (char *c = text; *c; c++)
            *c = *c == '_' ? ' ' : *c; /* so that a name may have a space */
        arguments[count++] = text;
    }
    fflush(stdout);
    for (int i = 0; i < 3; i++) {
        kept[i] = dup(i);
        files[i] = tmpfile();
        assert_non_null(files[i]);
        if (i == 0) {
            fputs(input, files[i]);
            rewind(files[i]);
        }
        dup2(fileno(files[i]), i);
    }
    clearerr(stdin);
    answer = ring_main(count, arguments);
    fflush(stdout);
    for (int i = 0; i < 3; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
    rewind(files[1]);
    size = fread(output, 1, sizeof(output) - 1, files[1]);
    output[size] = 0;
    for (int i = 0; i < 3; i++)
        fclose(files[i]);
    return answer;
}

static json_t *run_json(const char *line)
{
    json_t *answer;

    assert_int_equal(run("", line), WORD_DONE);
    answer = json_loads(output, 0, NULL);
    if (!answer)
        fail_msg("no JSON: %s", output);
    return answer;
}

static void shares_are_those_of_the_assignment(void **state)
{
    json_t *answer = run_json("shares --scheme classic --json");
    json_t *shares = json_object_get(answer, "shares");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(answer, "scheme")), "classic");
    assert_int_equal((int)(json_real_value(json_object_get(shares, "Server 1")) * 1000), 843);
    assert_int_equal((int)(json_real_value(json_object_get(shares, "Server 2")) * 1000), 46);
    assert_int_equal((int)(json_real_value(json_object_get(shares, "Server 3")) * 1000), 109);
    json_decref(answer);
    answer = run_json("shares --scheme classic --request-hash mix32 --server-hash fnv1a"
                      " --first-id 0 --keys 100000-999999 --json");
    shares = json_object_get(answer, "shares");
    assert_int_equal((int)(json_real_value(json_object_get(shares, "Server 1")) * 1000), 199);
    json_decref(answer);
}

static void shares_of_every_scheme_sum_to_one(void **state)
{
    static const char *const schemes[] = {"slot-hrw",    "ketama",     "maglev", "classic",
                                          "round-robin", "least-conn", "p2c"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        char line[128];
        const char *name;
        json_t *value;
        json_t *answer;
        double sum = 0;

        snprintf(line, sizeof(line), "shares --names a,b,c_d --weights 1,0,3 --json --scheme %s",
                 schemes[i]);
        answer = run_json(line);
        assert_int_equal(json_object_size(json_object_get(answer, "shares")), 3);
        json_object_foreach(json_object_get(answer, "shares"), name, value)
        {
            sum += json_number_value(value);
            if (strcmp(name, "b") == 0)
                assert_true(json_number_value(value) == 0);
        }
        assert_true(sum > 0.999999 && sum < 1.000001);
        json_decref(answer);
    }
}

static void pick_answers_for_arguments_and_lines(void **state)
{
    (void)state;
    assert_int_equal(run("", "pick --scheme classic --verbose 123456 132574"), WORD_DONE);
    assert_string_equal(output, "123456\tServer 1\tslot 145\tS1_0\n"
                                "132574\tServer 3\tslot 81\tS3_6\n");
    assert_int_equal(run("100000\n211111\nlast", "pick --replicas 10"), WORD_DONE);
    assert_memory_equal(output, "100000\tServer 1\n211111\tServer 3\nlast\tServer ", 40);
    assert_int_equal(run("", "pick --replicas 0 key"), WORD_DONE);
    assert_string_equal(output, "key\t-\n");
    assert_int_equal(run("", "pick --json key"), WORD_DONE);
    assert_memory_equal(output, "{\"key\":\"key\",\"name\":\"Server ", 28);
}

static void a_plan_accounts_for_every_slot(void **state)
{
    json_t *plan = run_json("plan --replicas 4 --remove Server_2 --add new --cap off --json");
    json_t *shares = json_object_get(plan, "shares");
    json_t *moves = json_object_get(plan, "moves");
    json_int_t before = 0;
    json_int_t after = 0;
    json_int_t moved = 0;

    (void)state;
    assert_int_equal(json_array_size(shares), 5);
    for (size_t i = 0; i < json_array_size(shares); i++) {
        before += json_integer_value(json_object_get(json_array_get(shares, i), "before"));
        after += json_integer_value(json_object_get(json_array_get(shares, i), "after"));
    }
    for (size_t i = 0; i < json_array_size(moves); i++)
        moved += json_integer_value(json_object_get(json_array_get(moves, i), "slots"));
    assert_int_equal(before, 65536);
    assert_int_equal(after, 65536);
    assert_int_equal(moved, json_integer_value(json_object_get(plan, "moved")));
    json_decref(plan);
}

static void compare_has_a_row_for_every_scheme(void **state)
{
    char line[128];
    char path[] = SCRATCH_PREFIX "XXXXXX";
    int fd = mkstemp(path);
    json_t *rows;
    FILE *file;

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    snprintf(line, sizeof(line), "compare --replicas 5 --json --plot %s", path);
    rows = run_json(line);
    assert_int_equal(json_array_size(rows), 7);
    for (size_t i = 0; i < 7; i++) {
        json_t *row = json_array_get(rows, i);

        assert_true(json_number_value(json_object_get(row, "peak_to_average")) >= 1);
        assert_true(json_number_value(json_object_get(row, "bytes")) > 0);
    }
    json_decref(rows);
    file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(output, sizeof(output), file));
    assert_memory_equal(output, "<svg", 4);
    fclose(file);
    unlink(path);
}

static void a_log_is_replayed_with_its_changes(void **state)
{
    static char log[40000];
    size_t size = 0;
    json_t *answer;
    json_t *changes;

    (void)state;
    for (unsigned i = 0; i < 200; i++)
        size += (size_t)snprintf(log + size, sizeof(log) - size,
                                 "10.0.0.%u - - [20/Nov/2026:05:00:00 +0000] \"GET /item/%u?x=%u "
                                 "HTTP/1.1\" 200 100 \"-\" \"curl\"\n",
                                 i % 7, i % 50, i);
    snprintf(log + size, sizeof(log) - size, "nonsense\n");
    assert_int_equal(
        run(log, "replay - --json --cap off --cache 100 --changes 101:+new,151:-Server_1"),
        WORD_DONE);
    answer = json_loads(output, 0, NULL);
    assert_non_null(answer);
    assert_int_equal(json_integer_value(json_object_get(answer, "requests")), 200);
    assert_int_equal(json_integer_value(json_object_get(answer, "skipped")), 1);
    assert_int_equal(json_integer_value(json_object_get(answer, "keys")), 50);
    changes = json_object_get(answer, "changes");
    assert_int_equal(json_array_size(changes), 2);
    assert_in_range(json_integer_value(json_object_get(json_array_get(changes, 0), "moved")), 1,
                    30);
    /* 50 misses at first, then one for each key that a change moved, once it comes back. */
    assert_true(json_number_value(json_object_get(answer, "hit_rate")) > 0.5);
    json_decref(answer);
}

static void wrong_usage_is_said_and_is_status_2(void **state)
{
    static const char *const lines[] = {
        "",
        "fly",
        "shares --scheme best",
        "shares --replicas x",
        "shares --replicas 99999",
        "shares --names a,b --weights 1",
        "shares --names a,b --weights 1,70000",
        "shares --keys 9-1",
        "shares --keys 1",
        "shares --keys 0-999999999",
        "shares --cap much",
        "shares --cap 1.234",
        "shares --slots 300",
        "shares --scheme",
        "shares --scheme classic --virtual 600",
        "shares --wings 2",
        "plan",
        "replay",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        if (run("", lines[i]) != WORD_USAGE)
            fail_msg("'%s' is no wrong usage", lines[i]);
        assert_string_equal(output, "");
    }
}

static void what_fails_is_status_1(void **state)
{
    static const char *const lines[] = {
        "shares --scheme classic --replicas 57",
        "shares --names a,a",
        "shares --names a,,b",
        "plan --remove nobody",
        "plan --add Server_1",
        "plan --scheme p2c --add x",
        "replay /nowhere/at/all",
        "compare --plot /nowhere/at/all --replicas 1 --json",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        if (run("", lines[i]) != WORD_FAILED)
            fail_msg("'%s' does not fail", lines[i]);
    }
}

static void help_is_on_every_verb(void **state)
{
    static const char *const lines[] = {"--help",         "pick --help",   "shares --help",
                                        "compare --help", "replay --help", "plan -h"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        assert_int_equal(run("", lines[i]), WORD_DONE);
        assert_memory_equal(output, "usage: roost ring ", 18);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_those_of_the_assignment),
        cmocka_unit_test(shares_of_every_scheme_sum_to_one),
        cmocka_unit_test(pick_answers_for_arguments_and_lines),
        cmocka_unit_test(a_plan_accounts_for_every_slot),
        cmocka_unit_test(compare_has_a_row_for_every_scheme),
        cmocka_unit_test(a_log_is_replayed_with_its_changes),
        cmocka_unit_test(wrong_usage_is_said_and_is_status_2),
        cmocka_unit_test(what_fails_is_status_1),
        cmocka_unit_test(help_is_on_every_verb),
    };

    return cmocka_run_group_tests_name("ring/ring", tests, NULL, NULL);
}
