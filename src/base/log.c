#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"

#define LINE_BYTES_MAX     4096
#define PROCESS_NAME_BYTES 32
#define FRAME_BYTES        8  /* `,"` and `":""` around a name and its value */
#define VALUE_BYTES_MIN    24 /* a field with less room for its value is left off */

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static int log_fd = STDERR_FILENO;
static enum log_level log_least = LOG_INFO;
static enum log_format log_form = LOG_LOGFMT;
static char process_name[PROCESS_NAME_BYTES];

/* A line under construction: what does not fit is left off, room for its end is kept. */
struct line {
    char text[LINE_BYTES_MAX];
    size_t size;
};

void log_open(int fd, enum log_level least, enum log_format format)
{
    log_fd = fd;
    log_least = least;
    log_form = format;
}

void log_name_process(const char *name)
{
    snprintf(process_name, sizeof(process_name), "%s", name);
}

static size_t room(const struct line *line)
{
    return sizeof(line->text) - line->size - 4;
}

static void put(struct line *line, const char *text)
{
    size_t size = strlen(text);

    if (size > room(line))
        return;
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static bool is_bare(struct view text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '=' || byte == '\\')
            return false;
    }
    return text.size > 0;
}

static void put_text(struct line *line, struct view text)
{
    bool is_quoted = log_form == LOG_JSON || !is_bare(text);

    if (is_quoted)
        put(line, "\"");
    line->size += escape_json(text, line->text + line->size, room(line) - 1);
    if (is_quoted)
        line->text[line->size++] = '"';
}

static void put_field(struct line *line, const struct log_field *field)
{
    char number[VALUE_BYTES_MIN];

    if (strlen(field->name) + FRAME_BYTES + VALUE_BYTES_MIN > room(line))
        return;
    put(line, log_form == LOG_JSON ? "," : " ");
    if (log_form == LOG_JSON)
        put(line, "\"");
    put(line, field->name);
    put(line, log_form == LOG_JSON ? "\":" : "=");
    if (field->text.data) {
        put_text(line, field->text);
        return;
    }
    snprintf(number, sizeof(number), "%" PRId64, field->number);
    put(line, number);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    struct line line = {.size = 0};
    char when[CLOCK_TEXT_BYTES];
    ssize_t written;

    if (level < log_least)
        return;
    clock_to_text(clock_wall_ms(), when);
    put(&line, log_form == LOG_JSON ? "{\"time\":\"" : "time=");
    put(&line, when);
    if (log_form == LOG_JSON)
        put(&line, "\"");
    put_field(&line, &LOG_TEXT("level", level_names[level]));
    put_field(&line, &LOG_TEXT("event", event));
    if (process_name[0])
        put_field(&line, &LOG_TEXT("process", process_name));
    for (const struct log_field *field = fields; field->name; field++)
        put_field(&line, field);
    if (log_form == LOG_JSON)
        line.text[line.size++] = '}';
    line.text[line.size++] = '\n';
    do
        written = write(log_fd, line.text, line.size);
    while (written < 0 && errno == EINTR);
}

int log_level_from_text(struct view text, enum log_level *level)
{
    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
        if (view_equals(text, view_of(level_names[i]))) {
            *level = (enum log_level)i;
            return 0;
        }
    }
    return -EINVAL;
}
