#include "ctl/ctl_table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define CELL_BYTES 512
#define GAP        "  "

void ctl_table_init(struct ctl_table *table, const char *const *names)
{
    *table = (struct ctl_table){.names = names};
    while (names[table->column_count] && table->column_count < CTL_TABLE_COLUMNS_MAX)
        table->column_count++;
}

void ctl_table_finish(struct ctl_table *table)
{
    for (unsigned i = 0; i < table->row_count; i++)
        free(table->cells[i]);
    free(table->cells);
    table->cells = NULL;
    table->row_count = 0;
}

void ctl_table_add(struct ctl_table *table, const char *format, ...)
{
    char text[CELL_BYTES];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    table->cells = memory_resize(table->cells, (table->row_count + 1) * sizeof(*table->cells));
    table->cells[table->row_count++] = memory_copy_text(text);
}

void ctl_table_add_json(struct ctl_table *table, const json_t *value)
{
    if (json_is_integer(value))
        ctl_table_add(table, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        ctl_table_add(table, "%.3f", json_real_value(value));
    else if (json_is_string(value) && json_string_length(value))
        ctl_table_add(table, "%s", json_string_value(value));
    else
        ctl_table_add(table, "-");
}

static bool is_number(const struct ctl_table *table, unsigned column)
{
    return table->names[column][0] == '>';
}

static const char *title(const struct ctl_table *table, unsigned column)
{
    return table->names[column] + is_number(table, column);
}

static void print_cell(const struct ctl_table *table, unsigned column, int width, const char *text,
                       FILE *out)
{
    bool is_last = column + 1 == table->column_count;

    if (is_number(table, column))
        fprintf(out, "%*s", width, text);
    else
        fprintf(out, "%-*s", is_last ? 0 : width, text);
    fputs(is_last ? "\n" : GAP, out);
}

void ctl_table_print(const struct ctl_table *table, FILE *out)
{
    int widths[CTL_TABLE_COLUMNS_MAX];

    if (table->column_count == 0)
        return;
    for (unsigned i = 0; i < table->column_count; i++)
        widths[i] = (int)strlen(title(table, i));
    for (unsigned i = 0; i < table->row_count; i++) {
        int *width = &widths[i % table->column_count];
        int size = (int)strlen(table->cells[i]);

        *width = size > *width ? size : *width;
    }
    for (unsigned i = 0; i < table->column_count; i++)
        print_cell(table, i, widths[i], title(table, i), out);
    for (unsigned i = 0; i < table->row_count; i++) {
        unsigned column = i % table->column_count;

        print_cell(table, column, widths[column], table->cells[i], out);
    }
}
