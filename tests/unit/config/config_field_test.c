#include "any_config.h"

#include "config/config_field.h"
#include "config/config_setting.h"

static void every_field_stands_under_a_section_that_is_there(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_field_count; i++) {
        const char *path = config_fields[i].path;
        struct view parent = {path, (size_t)(config_field_key(&config_fields[i]) - path)};

        assert_ptr_equal(config_field_find(view_of(path)), &config_fields[i]);
        assert_true(strlen(path) < CONFIG_PATH_BYTES);
        assert_non_null(config_fields[i].help);
        if (!parent.size)
            continue;
        parent.size--;
        if (parent.data[parent.size - 1] == ']')
            parent.size -= 2;
        assert_non_null(config_field_find(parent));
    }
}

static void every_setting_names_a_field(void **state)
{
    (void)state;
    for (unsigned i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];

        assert_true(!setting->path || config_field_find(view_of(setting->path)));
        assert_non_null(setting->help);
    }
}

static void typos_find_what_was_meant(void **state)
{
    (void)state;
    assert_string_equal(config_field_nearest(VIEW(""), VIEW("service"))->path, "services");
    assert_string_equal(config_field_nearest(VIEW(""), VIEW("listne"))->path, "listen");
    assert_string_equal(config_field_nearest(VIEW("limits"), VIEW("header_bytes"))->path,
                        "limits.header-bytes");
    assert_string_equal(config_field_nearest(VIEW("services[].balance"), VIEW("slot"))->path,
                        "services[].balance.slots");
    assert_string_equal(
        config_field_nearest(VIEW("services[].balance"), VIEW("request-hash"))->path,
        "services[].balance.request_hash");
    assert_null(config_field_nearest(VIEW(""), VIEW("slots")));
    assert_null(config_field_nearest(VIEW("limits"), VIEW("zzzzzz")));
    assert_null(config_field_nearest(VIEW("nowhere"), VIEW("slots")));
}

static void distance_counts_single_changes(void **state)
{
    char text[CONFIG_PATH_BYTES + 1];

    (void)state;
    assert_int_equal(config_field_distance(VIEW("kitten"), VIEW("sitting"), 10), 3);
    assert_int_equal(config_field_distance(VIEW(""), VIEW("abc"), 10), 3);
    assert_int_equal(config_field_distance(VIEW("abc"), VIEW("abc"), 10), 0);
    assert_int_equal(config_field_distance(VIEW("abc"), VIEW("xyz"), 2), 3);
    memset(text, 'x', sizeof(text));
    assert_int_equal(config_field_distance((struct view){text, sizeof(text)}, VIEW("x"), 5), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_stands_under_a_section_that_is_there),
        cmocka_unit_test(every_setting_names_a_field),
        cmocka_unit_test(typos_find_what_was_meant),
        cmocka_unit_test(distance_counts_single_changes),
    };

    return cmocka_run_group_tests_name("config/config_field", tests, NULL, NULL);
}
