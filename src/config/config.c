#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/descriptor.h"

#include "config/config_derive.h"
#include "config/config_loading.h"
#include "config/config_read.h"
#include "config/config_setting.h"
#include "config/document.h"

#define EMBEDDED_NAME "the embedded default" /* in sentences */

void config_init_default(struct config *config)
{
    *config = (struct config){0};
    config_loading_set_defaults(config, CONFIG_IN_CONFIG, config);
}

void config_finish(struct config *config)
{
    struct arena memory = config->memory;

    if (config->control.token)
        explicit_bzero(config->control.token, strlen(config->control.token));
    arena_finish(&memory);
    *config = (struct config){0};
}

static int read_bytes(int fd, struct buffer *out)
{
    for (;;) {
        char *room = buffer_reserve(out, 4096);
        ssize_t size = room ? read(fd, room, 4096) : -1;

        if (!room)
            return -EFBIG;
        if (size < 0)
            return -errno;
        if (size == 0)
            return 0;
        buffer_commit(out, (size_t)size);
    }
}

static int read_file(const char *path, struct buffer *out, struct error *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 ? -errno : read_bytes(fd, out);

    descriptor_close(&fd);
    if (error == -EFBIG)
        return error_set(why, error, "%s: the file is longer than %u bytes", path,
                         CONFIG_FILE_BYTES_MAX);
    if (error < 0)
        return error_set(why, error, "%s: %s", path, strerror(-error));
    return 0;
}

static bool is_json(const char *path)
{
    size_t size = strlen(path);

    return size > 5 && strcmp(path + size - 5, ".json") == 0;
}

/* A configuration without services has one, at its defaults. */
static void ensure_service(struct config *config)
{
    if (config->service_count)
        return;
    config->services = arena_take(&config->memory, sizeof(*config->services));
    config->service_count = 1;
    config_loading_set_defaults(config, CONFIG_IN_SERVICE, config->services);
}

/* Everything that follows the file; false where an error was noted. */
static bool build(struct config_loading *loading)
{
    struct config *config = loading->config;

    if (!loading->root && !config->file)
        config->compat = TABLE_COMPAT_ASSIGNMENT;
    config_read_document(loading);
    ensure_service(config);
    config_setting_apply(loading);
    config_derive_effects(loading);
    config_derive_defaults(loading);
    /* What was wrong alone need not fit together. */
    if (!loading->notes->errors)
        config_derive_check(loading);
    config->is_reset = loading->flags->is_reset;
    config->leaves_replicas = loading->flags->leaves_replicas;
    return loading->notes->errors == 0;
}

static const struct error *first_error(const struct config_notes *notes)
{
    for (unsigned i = 0; i < notes->count; i++) {
        if (notes->items[i].is_error)
            return &notes->items[i].sentence;
    }
    return NULL;
}

/* The sentence for whoever reads only one. */
static int refuse(const struct config_notes *notes, struct error *why)
{
    const struct error *first = first_error(notes);

    /* Warnings alone may have filled the list. */
    if (!first)
        return error_set(why, -EINVAL, "the configuration has %u errors", notes->errors);
    if (notes->errors == 1)
        return error_set(why, -EINVAL, "%s", first->text);
    return error_set(why, -EINVAL, "%.480s (and %u more)", first->text, notes->errors - 1);
}

/* What is loaded from: a text with a name, or neither. */
struct source {
    const char *name; /* NULL: the embedded default */
    struct view text;
    bool is_json;
};

static int read_document(struct config_loading *loading, const struct source *source,
                         struct document *document, struct error *why)
{
    struct error sentence;
    int error;

    if (!source->name)
        return 0;
    loading->config->file = arena_copy(&loading->config->memory, view_of(source->name));
    error = source->is_json ? document_json_read(document, source->text, &sentence)
                            : document_yaml_read(document, source->text, &sentence);
    if (error < 0) {
        /* LINE:COLUMN comes first in a parser's sentence. */
        error_set(why, error, "%.200s:%.300s", source->name, sentence.text);
        config_loading_note_syntax(loading, sentence.text);
    }
    loading->root = document->root;
    return error;
}

static int load(struct config *config, const struct source *source,
                const struct config_flags *flags, char *const *environment,
                struct config_notes *notes, struct error *why)
{
    static const struct config_flags no_flags;
    struct document document = {0};
    struct config loaded;
    struct config_loading loading = {.config = &loaded,
                                     .file = source->name ? source->name : EMBEDDED_NAME,
                                     .environment = environment,
                                     .flags = flags ? flags : &no_flags,
                                     .notes = notes};
    int error;

    config_init_default(&loaded);
    error = read_document(&loading, source, &document, why);
    if (!error && !build(&loading))
        error = refuse(notes, why);
    document_finish(&document);
    if (error < 0) {
        config_finish(&loaded);
        return error;
    }
    *config = loaded;
    return 0;
}

int config_load_text(struct config *config, const char *name, struct view text, bool is_json,
                     const struct config_flags *flags, char *const *environment,
                     struct config_notes *notes, struct error *why)
{
    struct source source = {.name = name, .text = text, .is_json = is_json};
    struct config_notes own_notes;

    notes = notes ? notes : &own_notes;
    memset(notes, 0, sizeof(*notes));
    return load(config, &source, flags, environment, notes, why);
}

int config_load(struct config *config, const char *path, const struct config_flags *flags,
                char *const *environment, struct config_notes *notes, struct error *why)
{
    struct buffer bytes;
    struct error sentence;
    int error;

    buffer_init(&bytes, CONFIG_FILE_BYTES_MAX);
    error = path ? read_file(path, &bytes, &sentence) : 0;
    if (error == 0) {
        error = config_load_text(config, path, buffer_view(&bytes), path && is_json(path), flags,
                                 environment, notes, why);
    } else {
        error_set(why, error, "%s", sentence.text);
        if (notes)
            *notes = (struct config_notes){.count = 1, .errors = 1, .items = {{true, sentence}}};
    }
    buffer_finish(&bytes);
    return error;
}

static const char *word(struct view path, unsigned number)
{
    return config_field_find(path)->words[number];
}

const char *config_compat_name(enum table_compat compat)
{
    return word(VIEW("compat"), compat);
}

const char *config_driver_name(enum config_driver driver)
{
    return word(VIEW("services[].replicas.driver"), driver);
}

const char *config_scheme_name(enum config_scheme scheme)
{
    return word(VIEW("services[].balance.scheme"), scheme);
}

const char *config_request_hash_name(enum config_request_hash hash)
{
    return word(VIEW("services[].balance.request_hash"), hash);
}

const char *config_server_hash_name(enum config_server_hash hash)
{
    return word(VIEW("services[].balance.server_hash"), hash);
}
