#include "replica/command.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "replica/driver.h"

/* What every replica gets before its own `env`: PATH, SERVER_ID, PORT. */
#define OWN_ENTRIES 3

static void free_words(char **words)
{
    if (!words)
        return;
    for (unsigned i = 0; words[i]; i++)
        free(words[i]);
    free(words);
}

static unsigned count_words(const char *const *words)
{
    unsigned count = 0;

    while (words && words[count])
        count++;
    return count;
}

static char **copy_words(const char *const *words)
{
    unsigned count = count_words(words);
    char **copy = memory_allocate((count + 1) * sizeof(*copy));

    for (unsigned i = 0; i < count; i++)
        copy[i] = memory_copy_text(words[i]);
    return copy;
}

int command_init(struct command *command, const char *const *words, const char *const *env,
                 struct error *why)
{
    if (count_words(words) == 0 || !words[0][0])
        return error_set(why, -EINVAL, "the command is empty");
    if (count_words(words) > COMMAND_WORDS_MAX || count_words(env) > COMMAND_WORDS_MAX)
        return error_set(why, -EINVAL, "a command and an environment have at most %d words",
                         COMMAND_WORDS_MAX);
    for (unsigned i = 0; env && env[i]; i++) {
        if (!strchr(env[i], '=') || env[i][0] == '=')
            return error_set(why, -EINVAL, "'%s' is no NAME=value", env[i]);
    }
    command->words = copy_words(words);
    command->env = copy_words(env);
    return 0;
}

void command_finish(struct command *command)
{
    free_words(command->words);
    free_words(command->env);
    *command = (struct command){0};
}

const char *command_program(const struct command *command)
{
    return command->words[0];
}

/* One word with {port} and {name} replaced; NULL where it gets too long. Owner: the caller. */
static char *fill_word(const char *word, const char *name, const char *port)
{
    struct view rest = view_of(word);
    struct buffer filled;
    bool fits = true;
    char *text = NULL;

    buffer_init(&filled, COMMAND_WORD_BYTES);
    while (rest.size && fits) {
        struct view piece = view_first(rest, 1);
        size_t used = 1;

        if (view_starts_with(rest, VIEW("{port}"))) {
            piece = view_of(port);
            used = 6;
        } else if (view_starts_with(rest, VIEW("{name}"))) {
            piece = view_of(name);
            used = 6;
        }
        fits = buffer_append(&filled, piece) == 0;
        rest = view_after(rest, used);
    }
    if (fits && buffer_append(&filled, (struct view){"", 1}) == 0)
        text = memory_copy_text(buffer_view(&filled).data);
    buffer_finish(&filled);
    return text;
}

static char *make_entry(const char *name, const char *value)
{
    size_t size = strlen(name) + strlen(value) + 2;
    char *entry = memory_allocate(size);

    snprintf(entry, size, "%s=%s", name, value);
    return entry;
}

/* Adds NAME=value unless `env` has that name. */
static void add_own(char **environment, unsigned *count, char *const *env, const char *name,
                    const char *value)
{
    size_t size = strlen(name);

    for (unsigned i = 0; env[i]; i++) {
        if (strncmp(env[i], name, size) == 0 && env[i][size] == '=')
            return;
    }
    environment[(*count)++] = make_entry(name, value);
}

static char **make_environment(const struct command *command, const char *name, const char *port)
{
    unsigned env_count = count_words((const char *const *)command->env);
    char **environment = memory_allocate((env_count + OWN_ENTRIES + 1) * sizeof(*environment));
    const char *path = getenv("PATH");
    unsigned count = 0;

    add_own(environment, &count, command->env, "PATH", path && path[0] ? path : COMMAND_PATH);
    add_own(environment, &count, command->env, "SERVER_ID", driver_server_id(name));
    add_own(environment, &count, command->env, "PORT", port);
    for (unsigned i = 0; i < env_count; i++)
        environment[count++] = memory_copy_text(command->env[i]);
    return environment;
}

int command_fill(const struct command *command, const char *name, uint16_t port,
                 struct command_words *words, struct error *why)
{
    unsigned count = count_words((const char *const *)command->words);
    char port_text[8];

    snprintf(port_text, sizeof(port_text), "%u", port);
    *words = (struct command_words){.argv = memory_allocate((count + 1) * sizeof(char *))};
    for (unsigned i = 0; i < count; i++) {
        words->argv[i] = fill_word(command->words[i], name, port_text);
        if (!words->argv[i]) {
            command_words_finish(words);
            return error_set(why, -E2BIG, "a word of the command is longer than %d bytes",
                             COMMAND_WORD_BYTES);
        }
    }
    words->environment = make_environment(command, name, port_text);
    return 0;
}

void command_words_finish(struct command_words *words)
{
    free_words(words->argv);
    free_words(words->environment);
    *words = (struct command_words){0};
}
