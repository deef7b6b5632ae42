#include "control/config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/descriptor.h"

#include "control/config_derive.h"
#include "control/config_loading.h"
#include "control/config_read.h"
#include "control/config_setting.h"
#include "control/document.h"

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

static int read_document(const char *path, struct document *document, struct error *why)
{
    struct buffer bytes;
    int error;

    buffer_init(&bytes, CONFIG_FILE_BYTES_MAX);
    error = read_file(path, &bytes, why);
    if (!error) {
        error = is_json(path) ? document_json_read(document, buffer_view(&bytes), why)
                              : document_yaml_read(document, buffer_view(&bytes), why);
        /* LINE:COLUMN comes first in a parser's sentence. */
        if (error < 0 && why) {
            struct error sentence = *why;

            error = error_set(why, error, "%s:%s", path, sentence.text);
        }
    }
    buffer_finish(&bytes);
    return error;
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

int config_load(struct config *config, const char *path, const struct config_flags *flags,
                char *const *environment, struct config_notes *notes, struct error *why)
{
    static const struct config_flags no_flags;
    struct config_notes own_notes = {0};
    struct document document = {0};
    struct config loaded;
    struct config_loading loading = {.config = &loaded,
                                     .file = path ? path : "the embedded default",
                                     .environment = environment,
                                     .flags = flags ? flags : &no_flags,
                                     .notes = notes ? notes : &own_notes};
    int error = 0;

    *loading.notes = (struct config_notes){0};
    config_init_default(&loaded);
    if (path) {
        struct error sentence;

        loaded.file = arena_copy(&loaded.memory, view_of(path));
        error = read_document(path, &document, &sentence);
        if (error < 0) {
            config_loading_note_sentence(&loading, sentence.text);
            error_set(why, error, "%s", sentence.text);
        }
    }
    loading.root = document.root;
    if (!error && !build(&loading))
        error = refuse(loading.notes, why);
    document_finish(&document);
    if (error < 0) {
        config_finish(&loaded);
        return error;
    }
    *config = loaded;
    return 0;
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
