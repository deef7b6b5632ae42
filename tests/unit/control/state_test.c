#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "any_base.h"
#include "control/state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>

static struct state *open_state(bool forgets)
{
    struct state *opened = NULL;
    struct error why;

    assert_int_equal(0, state_open(&opened, any_base, forgets, &why));
    return opened;
}

/* A pool with those names, ids from 1. Ends with state_forget_pool(). */
static struct state_pool pool_of(const char *declaration, const char *const *names, unsigned count)
{
    struct state_pool pool = {.declaration = strdup(declaration), .count = count};

    pool.members = calloc(count + 1, sizeof(*pool.members));
    for (unsigned i = 0; i < count; i++) {
        snprintf(pool.members[i].name, sizeof(pool.members[i].name), "%s", names[i]);
        pool.members[i].id = i + 1;
        pool.members[i].weight = STATE_WEIGHT_CONFIGURED;
    }
    return pool;
}

static void remember(struct state *opened, const char *service, const char *declaration,
                     const char *const *names, unsigned count)
{
    struct state_pool pool = pool_of(declaration, names, count);
    struct error why;

    assert_int_equal(0, state_replace(opened, service, &pool, &why));
    state_forget_pool(&pool);
}

/* The names of a service, in order, joined by commas. */
static const char *names_of(struct state *opened, const char *service)
{
    static char text[512];
    struct state_pool pool;
    struct error why;

    assert_int_equal(0, state_load(opened, service, &pool, &why));
    text[0] = '\0';
    for (unsigned i = 0; i < pool.count; i++) {
        strcat(text, i ? "," : "");
        strcat(text, pool.members[i].name);
    }
    state_forget_pool(&pool);
    return text;
}

static const char *const three[] = {"Server 1", "Server 2", "Server 3"};

static void what_was_never_remembered_is_not_known(void **state)
{
    struct state *opened = open_state(true);
    struct state_pool pool;
    struct error why;

    (void)state;
    assert_int_equal(0, state_load(opened, "web", &pool, &why));
    assert_null(pool.declaration);
    assert_int_equal(0, pool.count);
    state_forget_pool(&pool);
    state_close(opened);
}

static void a_pool_is_there_again_after_closing(void **state)
{
    struct state *opened = open_state(true);
    struct state_pool pool;
    struct error why;

    (void)state;
    remember(opened, "web", "declared", three, 3);
    state_close(opened);
    opened = open_state(false);
    assert_int_equal(0, state_load(opened, "web", &pool, &why));
    assert_string_equal("declared", pool.declaration);
    assert_int_equal(3, pool.count);
    assert_string_equal("Server 2", pool.members[1].name);
    assert_int_equal(2, pool.members[1].id);
    assert_int_equal(STATE_WEIGHT_CONFIGURED, pool.members[1].weight);
    state_forget_pool(&pool);
    state_close(opened);
}

static void what_was_not_confirmed_never_was(void **state)
{
    struct state *opened = open_state(true);
    struct state_member more[] = {{"S4", 4, 1}, {"S5", 5, 1}};
    struct error why;

    (void)state;
    remember(opened, "web", "declared", three, 3);
    assert_int_equal(0, state_begin_add(opened, "web", more, 2, &why));
    assert_string_equal("Server 1,Server 2,Server 3", names_of(opened, "web"));
    state_close(opened);
    opened = open_state(false);
    assert_int_equal(0, state_confirm_add(opened, "web", &why));
    assert_string_equal("Server 1,Server 2,Server 3", names_of(opened, "web"));
    state_close(opened);
}

static void what_was_confirmed_is_the_youngest(void **state)
{
    struct state *opened = open_state(true);
    struct state_member more[] = {{"S5", 4, 1}, {"S4", 5, 1}};
    struct error why;

    (void)state;
    remember(opened, "web", "declared", three, 3);
    assert_int_equal(0, state_begin_add(opened, "web", more, 2, &why));
    assert_int_equal(0, state_confirm_add(opened, "web", &why));
    state_close(opened);
    opened = open_state(false);
    assert_string_equal("Server 1,Server 2,Server 3,S5,S4", names_of(opened, "web"));
    state_close(opened);
}

static void what_needs_no_confirmation_is_there_at_once_or_not_at_all(void **state)
{
    struct state *opened = open_state(true);
    struct state_member more[] = {{"S5", 4, 1}, {"S4", 5, 1}};
    struct state_member taken[] = {{"S6", 6, 1}, {"S4", 7, 1}};
    struct error why;

    (void)state;
    remember(opened, "web", "declared", three, 3);
    assert_int_equal(0, state_add(opened, "web", more, 2, &why));
    assert_true(state_add(opened, "web", taken, 2, &why) < 0);
    state_close(opened);
    opened = open_state(false);
    assert_string_equal("Server 1,Server 2,Server 3,S5,S4", names_of(opened, "web"));
    state_close(opened);
}

static void what_was_cancelled_leaves_the_names_free(void **state)
{
    struct state *opened = open_state(true);
    struct state_member more[] = {{"S4", 4, 1}};
    struct error why;

    (void)state;
    remember(opened, "web", "declared", three, 3);
    assert_int_equal(0, state_begin_add(opened, "web", more, 1, &why));
    assert_int_equal(0, state_cancel_add(opened, "web", &why));
    assert_int_equal(0, state_begin_add(opened, "web", more, 1, &why));
    assert_int_equal(0, state_confirm_add(opened, "web", &why));
    assert_string_equal("Server 1,Server 2,Server 3,S4", names_of(opened, "web"));
    state_close(opened);
}

static void an_addition_is_whole_or_not_at_all(void **state)
{
    struct state *opened = open_state(true);
    struct state_member more[] = {{"S4", 4, 1}, {"Server 2", 5, 1}};
    struct error why;

    (void)state;
    remember(opened, "web", "declared", three, 3);
    assert_true(state_begin_add(opened, "web", more, 2, &why) < 0);
    assert_int_equal(0, state_confirm_add(opened, "web", &why));
    assert_string_equal("Server 1,Server 2,Server 3", names_of(opened, "web"));
    state_close(opened);
}

static void removing_and_weighing_touch_their_service_only(void **state)
{
    struct state *opened = open_state(true);
    char gone[][STATE_NAME_BYTES] = {"Server 3", "Server 1"};
    struct state_pool pool;
    struct error why;

    (void)state;
    remember(opened, "web", "declared", three, 3);
    remember(opened, "api", "declared", three, 3);
    assert_int_equal(0, state_remove(opened, "web", gone, 2, &why));
    assert_int_equal(0, state_set_weight(opened, "web", "Server 2", 7, &why));
    assert_string_equal("Server 2", names_of(opened, "web"));
    assert_string_equal("Server 1,Server 2,Server 3", names_of(opened, "api"));
    assert_int_equal(0, state_load(opened, "web", &pool, &why));
    assert_int_equal(7, pool.members[0].weight);
    state_forget_pool(&pool);
    assert_int_equal(0, state_load(opened, "api", &pool, &why));
    assert_int_equal(STATE_WEIGHT_CONFIGURED, pool.members[1].weight);
    state_forget_pool(&pool);
    state_close(opened);
}

static void services_that_are_gone_are_forgotten(void **state)
{
    const char *const kept[] = {"web"};
    struct state *opened = open_state(true);
    struct error why;

    (void)state;
    remember(opened, "web", "declared", three, 3);
    remember(opened, "old", "declared", three, 2);
    remember(opened, "older", "declared", three, 1);
    assert_int_equal(0, state_keep_services(opened, kept, 1, &why));
    assert_string_equal("", names_of(opened, "old"));
    assert_string_equal("", names_of(opened, "older"));
    assert_string_equal("Server 1,Server 2,Server 3", names_of(opened, "web"));
    state_close(opened);
}

static void names_are_data_and_not_sql(void **state)
{
    const char *const odd[] = {"'); DROP TABLE member; --", "\"", "%s"};
    struct state *opened = open_state(true);

    (void)state;
    remember(opened, "we'b", "it's", odd, 3);
    assert_string_equal("'); DROP TABLE member; --,\",%s", names_of(opened, "we'b"));
    state_close(opened);
}

static void numbers_are_remembered(void **state)
{
    struct state *opened = open_state(true);
    struct error why;

    (void)state;
    assert_int_equal(0, state_number(opened, "epoch"));
    assert_int_equal(0, state_set_number(opened, "epoch", 1000, &why));
    assert_int_equal(0, state_set_number(opened, "epoch", 2000, &why));
    state_close(opened);
    opened = open_state(false);
    assert_int_equal(2000, state_number(opened, "epoch"));
    state_close(opened);
}

static void rubbish_is_refused_with_what_to_do(void **state)
{
    struct state *opened = open_state(true);
    char path[128];
    struct error why;
    FILE *file;

    (void)state;
    state_close(opened);
    snprintf(path, sizeof(path), "%s/state.db", any_base);
    file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("rubbish", file);
    fclose(file);
    assert_true(state_open(&opened, any_base, false, &why) < 0);
    assert_non_null(strstr(why.text, "--reset"));
    opened = open_state(true);
    state_close(opened);
}

static void a_disk_that_takes_no_more_changes_nothing(void **state)
{
    struct state *opened = open_state(true);
    struct rlimit before;
    struct rlimit small;
    struct state_member more[] = {{"S4", 4, 1}};
    char gone[][STATE_NAME_BYTES] = {"Server 1"};
    struct error why;

    (void)state;
    remember(opened, "web", "declared", three, 3);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 1;
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &small));
    assert_true(state_begin_add(opened, "web", more, 1, &why) < 0);
    assert_true(state_remove(opened, "web", gone, 1, &why) < 0);
    assert_int_equal(0, setrlimit(RLIMIT_FSIZE, &before));
    assert_string_equal("Server 1,Server 2,Server 3", names_of(opened, "web"));
    assert_int_equal(0, state_begin_add(opened, "web", more, 1, &why));
    assert_int_equal(0, state_confirm_add(opened, "web", &why));
    assert_string_equal("Server 1,Server 2,Server 3,S4", names_of(opened, "web"));
    state_close(opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_never_remembered_is_not_known),
        cmocka_unit_test(a_pool_is_there_again_after_closing),
        cmocka_unit_test(what_was_not_confirmed_never_was),
        cmocka_unit_test(what_was_confirmed_is_the_youngest),
        cmocka_unit_test(what_needs_no_confirmation_is_there_at_once_or_not_at_all),
        cmocka_unit_test(what_was_cancelled_leaves_the_names_free),
        cmocka_unit_test(an_addition_is_whole_or_not_at_all),
        cmocka_unit_test(removing_and_weighing_touch_their_service_only),
        cmocka_unit_test(services_that_are_gone_are_forgotten),
        cmocka_unit_test(names_are_data_and_not_sql),
        cmocka_unit_test(numbers_are_remembered),
        cmocka_unit_test(rubbish_is_refused_with_what_to_do),
        cmocka_unit_test(a_disk_that_takes_no_more_changes_nothing),
    };

    return cmocka_run_group_tests_name("control/state", tests, any_base_make, any_base_remove);
}
