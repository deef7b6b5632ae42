/*
 * Any text as a configuration: it is refused with sentences of one line each, or it is printed as
 * a text that is read again as the same.
 */
#include <stdint.h>
#include <string.h>

#include "insist.h"
#include "config/config.h"
#include "config/config_print.h"

static char *const environment[] = {"HOME=/nowhere", "ROOST_CONTROL_TOKEN=secret", NULL};

static void check_notes(const struct config_notes *notes, const struct error *why)
{
    INSIST(notes->errors > 0 && notes->count > 0 && why->text[0]);
    for (unsigned i = 0; i < notes->count; i++) {
        const char *text = notes->items[i].sentence.text;

        INSIST(*text && strlen(text) < ERROR_TEXT_BYTES && !strchr(text, '\n'));
    }
}

static void print(const struct config *config, struct buffer *out)
{
    buffer_init(out, CONFIG_PRINT_BYTES_MAX);
    INSIST(config_print(config, out) == 0);
    INSIST(!memmem(out->data, buffer_size(out), "secret", 6));
}

static void check_config(const struct config *config)
{
    struct config again;
    struct buffer once;
    struct buffer twice;

    INSIST(config->listener_count > 0 && config->service_count > 0 && config->state);
    for (unsigned i = 0; i < config->service_count; i++)
        INSIST(config->services[i].replicas.count == config->services[i].replicas.names.count);
    print(config, &once);
    INSIST(config_load_text(&again, "printed", buffer_view(&once), false, NULL, environment, NULL,
                            NULL) == 0);
    print(&again, &twice);
    INSIST(view_equals(buffer_view(&once), buffer_view(&twice)));
    buffer_finish(&once);
    buffer_finish(&twice);
    config_finish(&again);
}

static void load(struct view text, bool is_json)
{
    struct config_notes notes;
    struct config config;
    struct error why;

    if (config_load_text(&config, "fuzz", text, is_json, NULL, environment, &notes, &why) < 0) {
        check_notes(&notes, &why);
        return;
    }
    INSIST(notes.errors == 0);
    /* A word of the text may be the token's. */
    if (!memmem(text.data, text.size, "secret", 6))
        check_config(&config);
    config_finish(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view text = {size ? (const char *)data : "", size};

    load(text, false);
    if (size && (*data == '{' || *data == '['))
        load(text, true);
    return 0;
}
