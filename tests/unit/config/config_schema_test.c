#include "any_config.h"

#include <jansson.h>

#include "config/config_field.h"
#include "config/config_schema.h"

static const json_t *properties_of(const json_t *schema)
{
    const json_t *items = json_object_get(schema, "items");

    return json_object_get(items ? items : schema, "properties");
}

/* The schema of the field at a path of the table. */
static const json_t *find(const json_t *schema, const char *path)
{
    while (*path && schema) {
        size_t size = strcspn(path, ".[");
        char key[64];

        snprintf(key, sizeof(key), "%.*s", (int)size, path);
        schema = json_object_get(properties_of(schema), key);
        path += size + strspn(path + size, "[].");
    }
    return schema;
}

static void the_schema_has_every_field_with_its_help(void **state)
{
    char *text = config_schema();
    json_t *schema = json_loads(text, 0, NULL);

    (void)state;
    assert_non_null(schema);
    assert_string_equal(json_string_value(json_object_get(schema, "$schema")),
                        "https://json-schema.org/draft/2020-12/schema");
    for (size_t i = 0; i < config_field_count; i++) {
        const json_t *field = find(schema, config_fields[i].path);

        assert_non_null(field);
        assert_string_equal(json_string_value(json_object_get(field, "description")),
                            config_fields[i].help);
    }
    json_decref(schema);
    free(text);
}

static void ranges_words_and_defaults_are_in_it(void **state)
{
    char *text = config_schema();
    json_t *schema = json_loads(text, 0, NULL);
    const json_t *field = find(schema, "services[].balance.slots");

    (void)state;
    assert_string_equal(json_string_value(json_object_get(field, "type")), "integer");
    assert_int_equal(json_integer_value(json_object_get(field, "minimum")), 2);
    assert_int_equal(json_integer_value(json_object_get(field, "maximum")), 1048576);
    field = find(schema, "services[].balance.scheme");
    assert_int_equal(json_array_size(json_object_get(field, "enum")), 7);
    assert_string_equal(json_string_value(json_object_get(field, "default")), "slot-hrw");
    field = find(schema, "limits.connections");
    assert_int_equal(json_integer_value(json_object_get(field, "default")), 20000);
    field = find(schema, "services[]");
    assert_true(
        json_is_false(json_object_get(json_object_get(field, "items"), "additionalProperties")));
    json_decref(schema);
    free(text);
}

static void the_documentation_has_a_row_for_every_field(void **state)
{
    char *text = config_schema_markdown();

    (void)state;
    for (size_t i = 0; i < config_field_count; i++) {
        char row[CONFIG_PATH_BYTES + 8];

        snprintf(row, sizeof(row), "\n| `%s` | ", config_fields[i].path);
        assert_non_null(strstr(text, row));
    }
    assert_non_null(strstr(text, "| `--num-servers` | `ROOST_NUM_SERVERS` | `NUM_SERVERS`, `N` |"));
    assert_null(strstr(text, "(null)"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schema_has_every_field_with_its_help),
        cmocka_unit_test(ranges_words_and_defaults_are_in_it),
        cmocka_unit_test(the_documentation_has_a_row_for_every_field),
    };

    return cmocka_run_group_tests_name("config/config_schema", tests, NULL, NULL);
}
