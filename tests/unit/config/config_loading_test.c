#include "any_config.h"

#include "config/config_loading.h"

static void paths_name_the_index(void **state)
{
    char path[CONFIG_PATH_BYTES];

    (void)state;
    config_loading_path(config_field_find(VIEW("services[].balance.slots")), 12, path);
    assert_string_equal(path, "services[12].balance.slots");
    config_loading_path(config_field_find(VIEW("listen[].address")), 0, path);
    assert_string_equal(path, "listen[0].address");
    config_loading_path(config_field_find(VIEW("limits.replicas")), 3, path);
    assert_string_equal(path, "limits.replicas");
}

static void places_are_the_fields_of_the_part(void **state)
{
    struct config_service services[2];
    struct config_listener listener;
    struct config config = {.services = services, .listeners = &listener};
    struct config_loading loading = {.config = &config};

    (void)state;
    assert_ptr_equal(
        config_loading_place(&loading, config_field_find(VIEW("services[].health.path")), 1),
        &services[1].health.path);
    assert_ptr_equal(
        config_loading_place(&loading, config_field_find(VIEW("listen[].services")), 0),
        &listener.services);
    assert_ptr_equal(config_loading_place(&loading, config_field_find(VIEW("workers")), 9),
                     &config.workers);
}

static void an_empty_variable_is_none(void **state)
{
    char *const environment[] = {"AB=1", "A=", "B=x=y", NULL};
    struct config_loading loading = {.environment = environment};

    (void)state;
    assert_null(config_loading_environment(&loading, "A"));
    assert_string_equal(config_loading_environment(&loading, "AB"), "1");
    assert_string_equal(config_loading_environment(&loading, "B"), "x=y");
    assert_null(config_loading_environment(&loading, "C"));
    loading.environment = NULL;
    assert_null(config_loading_environment(&loading, "AB"));
}

static void a_long_sentence_is_cut_and_not_lost(void **state)
{
    struct config_notes notes = {0};
    struct config_loading loading = {.file = "f", .notes = &notes};
    char text[2 * ERROR_TEXT_BYTES];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    config_loading_note(&loading, true, NULL, "p", "%s", text);
    assert_int_equal(strlen(notes.items[0].sentence.text), ERROR_TEXT_BYTES - 1);
    assert_int_equal(strncmp(notes.items[0].sentence.text, "f: p: xxx", 9), 0);
    loading.file = text;
    config_loading_note_syntax(&loading, text);
    assert_int_equal(notes.errors, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_name_the_index),
        cmocka_unit_test(places_are_the_fields_of_the_part),
        cmocka_unit_test(an_empty_variable_is_none),
        cmocka_unit_test(a_long_sentence_is_cut_and_not_lost),
    };

    return cmocka_run_group_tests_name("config/config_loading", tests, NULL, NULL);
}
