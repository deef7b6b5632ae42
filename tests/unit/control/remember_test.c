#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/remember.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_declaration.h"

#define NAMES_MAX 8

/* A service that declares `count` replicas, the first `given` of `names` by name. */
static struct config_service service_of(char **names, unsigned given, unsigned count)
{
    struct config_service service = {0};

    service.replicas.driver = CONFIG_DRIVER_PROCESS;
    service.replicas.names = (struct config_texts){names, count};
    service.replicas.given_names = given;
    service.replicas.count = count;
    return service;
}

static char *default_names[] = {"Server 1", "Server 2", "Server 3", "Server 4", "Server 5"};

/* What was known: `declared` as the configuration was then, with these members (comma-separated),
 * ids from 11 on. */
static struct state_pool known_of(const struct config_service *declared, const char *members)
{
    struct state_pool known = {0};
    char text[256];

    known.declaration = config_declaration_text(declared);
    known.members = calloc(NAMES_MAX, sizeof(*known.members));
    snprintf(text, sizeof(text), "%s", members);
    for (char *name = strtok(text, ","); name; name = strtok(NULL, ",")) {
        struct state_member *member = &known.members[known.count++];

        snprintf(member->name, sizeof(member->name), "%s", name);
        member->id = 10 + known.count;
        member->weight = 3;
    }
    return known;
}

static void expect(const struct config_service *service, struct state_pool *known,
                   enum remember_result result, const char *members)
{
    struct state_pool pool;
    char text[256] = "";

    assert_int_equal(result, remember_pool(service, known, &pool));
    for (unsigned i = 0; i < pool.count; i++) {
        strcat(text, i ? "," : "");
        strcat(text, pool.members[i].name);
        assert_int_not_equal(0, pool.members[i].id);
        for (unsigned j = 0; j < i; j++)
            assert_int_not_equal(pool.members[i].id, pool.members[j].id);
    }
    assert_string_equal(members, text);
    state_forget_pool(&pool);
    state_forget_pool(known);
}

static void nothing_known_is_the_declaration(void **state)
{
    struct config_service service = service_of(default_names, 0, 3);
    struct state_pool known = {0};

    (void)state;
    expect(&service, &known, REMEMBER_NEW, "Server 1,Server 2,Server 3");
}

static void the_same_declaration_lets_the_state_win(void **state)
{
    struct config_service service = service_of(default_names, 0, 3);
    struct state_pool known = known_of(&service, "Server 3,S9");

    (void)state;
    expect(&service, &known, REMEMBER_SAME, "Server 3,S9");
}

static void an_empty_pool_is_a_pool(void **state)
{
    struct config_service service = service_of(default_names, 0, 3);
    struct state_pool known = known_of(&service, "");

    (void)state;
    expect(&service, &known, REMEMBER_SAME, "");
}

static void fewer_keep_the_oldest(void **state)
{
    struct config_service before = service_of(default_names, 0, 4);
    struct config_service now = service_of(default_names, 0, 2);
    struct state_pool known = known_of(&before, "Server 4,S9,Server 1");

    (void)state;
    expect(&now, &known, REMEMBER_CHANGED, "Server 4,S9");
}

static void more_keep_all_and_are_filled(void **state)
{
    struct config_service before = service_of(default_names, 0, 3);
    struct config_service now = service_of(default_names, 0, 5);
    struct state_pool known = known_of(&before, "Server 2,S9,Server 4");

    (void)state;
    expect(&now, &known, REMEMBER_CHANGED, "Server 2,S9,Server 4,Server 1,Server 3");
}

static void a_count_that_is_there_already_changes_nobody(void **state)
{
    struct config_service before = service_of(default_names, 0, 3);
    struct config_service now = service_of(default_names, 0, 4);
    struct state_pool known = known_of(&before, "Server 1,Server 2,Server 3,S9");

    (void)state;
    expect(&now, &known, REMEMBER_CHANGED, "Server 1,Server 2,Server 3,S9");
}

static void declared_names_come_before_the_oldest(void **state)
{
    char *old_names[] = {"a", "b", "c"};
    char *new_names[] = {"c", "x", "Server 1"};
    struct config_service before = service_of(old_names, 3, 3);
    struct config_service now = service_of(new_names, 2, 3);
    struct state_pool known = known_of(&before, "b,c,d");

    (void)state;
    expect(&now, &known, REMEMBER_CHANGED, "b,c,x");
}

static void all_names_declared_drain_all_others(void **state)
{
    char *new_names[] = {"x", "y"};
    struct config_service before = service_of(default_names, 0, 3);
    struct config_service now = service_of(new_names, 2, 2);
    struct state_pool known = known_of(&before, "Server 1,Server 2,Server 3");

    (void)state;
    expect(&now, &known, REMEMBER_CHANGED, "x,y");
}

static void nobody_is_left_of_a_count_of_none(void **state)
{
    struct config_service before = service_of(default_names, 0, 3);
    struct config_service now = service_of(default_names, 0, 0);
    struct state_pool known = known_of(&before, "Server 1,S9");

    (void)state;
    expect(&now, &known, REMEMBER_CHANGED, "");
}

static void ids_and_weights_of_those_kept_are_kept(void **state)
{
    struct config_service before = service_of(default_names, 0, 3);
    struct config_service now = service_of(default_names, 0, 4);
    struct state_pool known = known_of(&before, "S8,S9");
    struct state_pool pool;

    (void)state;
    assert_int_equal(REMEMBER_CHANGED, remember_pool(&now, &known, &pool));
    assert_int_equal(4, pool.count);
    assert_int_equal(11, pool.members[0].id);
    assert_int_equal(3, pool.members[0].weight);
    assert_int_equal(1, pool.members[2].id);
    assert_int_equal(2, pool.members[3].id);
    assert_int_equal(STATE_WEIGHT_CONFIGURED, pool.members[2].weight);
    state_forget_pool(&pool);
    state_forget_pool(&known);
}

/* A static service of these addresses, the first `given` of them no host names. */
static struct config_service static_of(struct config_pair *pairs, char **names, unsigned given,
                                       unsigned count)
{
    struct config_service service = service_of(names, given, given);

    service.replicas.driver = CONFIG_DRIVER_STATIC;
    service.replicas.addresses = (struct config_pairs){pairs, count};
    return service;
}

static void replicas_of_a_host_name_stay_while_it_is_declared_as_it_was(void **state)
{
    struct config_pair pairs[] = {
        {"a", "10.0.0.1:80"}, {"b", "10.0.0.2:80"}, {"h", "app.test:80"}, {"i", "other.test:80"}};
    struct config_pair others[] = {{"a", "10.0.0.1:80"}, {"h", "app.test:81"}};
    struct config_pair fewer[] = {{"a", "10.0.0.1:80"}, {"h", "app.test:80"}};
    char *names[] = {"a", "b"};
    struct config_service before = static_of(pairs, names, 2, 4);
    struct config_service other = static_of(others, names, 1, 2);
    struct config_service less = static_of(fewer, names, 1, 2);
    struct config_service none = static_of(pairs, names, 2, 2);
    struct state_pool known = known_of(&before, "h-10.1.0.1,b,h-fd00..1,a,i-10.1.0.1");

    (void)state;
    expect(&before, &known, REMEMBER_SAME, "h-10.1.0.1,b,h-fd00..1,a,i-10.1.0.1");
    known = known_of(&before, "h-10.1.0.1,b,h-fd00..1,a,i-10.1.0.1");
    expect(&less, &known, REMEMBER_CHANGED, "h-10.1.0.1,h-fd00..1,a");
    known = known_of(&before, "h-10.1.0.1,b,h-fd00..1,a,i-10.1.0.1");
    expect(&other, &known, REMEMBER_CHANGED, "a");
    known = known_of(&before, "h-10.1.0.1,b,a");
    expect(&none, &known, REMEMBER_CHANGED, "b,a");
    known = known_of(&none, "b,a,h-10.1.0.1");
    expect(&before, &known, REMEMBER_CHANGED, "b,a");
}

static void another_command_is_another_kind_and_another_count_is_not(void **state)
{
    char *words[] = {"./app"};
    struct config_service before = service_of(default_names, 0, 3);
    struct config_service now = service_of(default_names, 0, 5);
    struct state_pool known = known_of(&before, "Server 1");
    struct state_pool unknown = {0};

    (void)state;
    assert_false(remember_is_other_kind(&now, &known));
    assert_false(remember_is_other_kind(&now, &unknown));
    now.replicas.command = (struct config_texts){words, 1};
    assert_true(remember_is_other_kind(&now, &known));
    now.replicas.command.count = 0;
    now.replicas.driver = CONFIG_DRIVER_STATIC;
    assert_true(remember_is_other_kind(&now, &known));
    state_forget_pool(&known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_known_is_the_declaration),
        cmocka_unit_test(the_same_declaration_lets_the_state_win),
        cmocka_unit_test(an_empty_pool_is_a_pool),
        cmocka_unit_test(fewer_keep_the_oldest),
        cmocka_unit_test(more_keep_all_and_are_filled),
        cmocka_unit_test(a_count_that_is_there_already_changes_nobody),
        cmocka_unit_test(declared_names_come_before_the_oldest),
        cmocka_unit_test(all_names_declared_drain_all_others),
        cmocka_unit_test(nobody_is_left_of_a_count_of_none),
        cmocka_unit_test(ids_and_weights_of_those_kept_are_kept),
        cmocka_unit_test(replicas_of_a_host_name_stay_while_it_is_declared_as_it_was),
        cmocka_unit_test(another_command_is_another_kind_and_another_count_is_not),
    };

    return cmocka_run_group_tests_name("control/remember", tests, NULL, NULL);
}
