/*
 * The program's own log: one line an event, logfmt or JSON, to a descriptor.
 *
 *     log_event(LOG_WARN, "replica.down", LOG_TEXT("replica", name), LOG_NUMBER("pid", pid));
 *
 * Values may come from anywhere: they are quoted and escaped, so a line stays a line.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_field {
    const char *name;
    struct view text; /* data NULL: the number is meant */
    int64_t number;
};

#define LOG_TEXT(name_, text_) ((struct log_field){.name = (name_), .text = view_of(text_)})
#define LOG_VIEW(name_, view_) ((struct log_field){.name = (name_), .text = (view_)})
#define LOG_NUMBER(name_, number_)                                                                 \
    ((struct log_field){.name = (name_), .number = (int64_t)(number_)})

#define log_event(level, ...) log_event_(level, __VA_ARGS__, (struct log_field){0})
#define log_event_(level, event, ...)                                                              \
    log_write(level, event, (const struct log_field[]){__VA_ARGS__})

/* Lines go to `fd` (the caller's; not closed) from `least` on. Before the first call: stderr,
 * LOG_INFO, logfmt. */
void log_open(int fd, enum log_level least, enum log_format format);

/* The name that every line bears as `process=`; at most 31 bytes are kept. */
void log_name_process(const char *name);

/* `fields` end with one whose name is NULL. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* "debug", "info", "warn", "error" -> level. -EINVAL for another word. */
MUST_USE int log_level_from_text(struct view text, enum log_level *level);
