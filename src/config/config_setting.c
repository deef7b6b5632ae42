#include "config/config_setting.h"

#include <stdio.h>

#include "config/config_listen.h"
#include "config/config_value.h"

#define PREFIX          "ROOST_"
#define NEAR_MAX        2 /* changes that still look like a typo */
#define ONLY_CLASSIC    (1u << CONFIG_SCHEME_CLASSIC)
#define FIRST(path)     "services[]." path
#define VALUE_BYTES_MAX 32

/* Scheme and driver come first: whether the others have an effect depends on them. */
/* clang-format off */
const struct config_setting config_settings[] = {
    {"SCHEME", NULL, "scheme", FIRST("balance.scheme"), CONFIG_SETTING_FIELD, true, 0,
     "NAME", "how keys find replicas (slot-hrw)"},
    {"DRIVER", NULL, "driver", FIRST("replicas.driver"), CONFIG_SETTING_FIELD, true, 0,
     "NAME", "who starts the replicas: process, docker or static (process)"},
    {"NUM_SERVERS", "N", "num-servers", FIRST("replicas.count"), CONFIG_SETTING_FIELD, true, 0,
     "N", "how many replicas (3)"},
    {"NUM_SLOTS", "M", "num-slots", FIRST("balance.slots"), CONFIG_SETTING_FIELD, true, ONLY_CLASSIC,
     "M", "slots of the classic ring (512)"},
    {"NUM_VIRTUAL_SERVERS", "K", "num-virtual-servers", FIRST("balance.virtual"), CONFIG_SETTING_FIELD, true, 0,
     "K", "virtual servers of each replica on the classic ring (log2 M)"},
    {"REQUEST_HASH", NULL, "request-hash", FIRST("balance.request_hash"), CONFIG_SETTING_FIELD, true, 0,
     "NAME", "the classic ring's function of requests (quadratic)"},
    {"SERVER_HASH", NULL, "server-hash", FIRST("balance.server_hash"), CONFIG_SETTING_FIELD, true, 0,
     "NAME", "the classic ring's function of servers (quadratic)"},
    {"PORT", NULL, "port", NULL, CONFIG_SETTING_PORT, true, 0,
     "PORT", "where the traffic comes in (5000)"},
    {"CONTROL_PORT", NULL, "control-port", NULL, CONFIG_SETTING_CONTROL_PORT, true, 0,
     "PORT", "API and dashboard (the port after the traffic's)"},
    {"LISTEN", NULL, "listen", NULL, CONFIG_SETTING_LISTEN, true, 0,
     "ADDRESS", "address or addresses of the traffic, with or without a port (127.0.0.1,[::1])"},
    {"CONTROL_LISTEN", NULL, "control-listen", NULL, CONFIG_SETTING_CONTROL_LISTEN, true, 0,
     "ADDRESS", "the same of the control port, or a unix socket's path"},
    {"SERVER_IMAGE", NULL, "server-image", FIRST("replicas.image"), CONFIG_SETTING_FIELD, true, 0,
     "IMAGE", "the image of Docker replicas (roost)"},
    {"DOCKER_NETWORK", NULL, "docker-network", FIRST("replicas.network"), CONFIG_SETTING_FIELD, true, 0,
     "NAME", "the network Docker replicas join (roost)"},
    {"HEARTBEAT_INTERVAL", NULL, "heartbeat-interval", FIRST("health.interval"), CONFIG_SETTING_SECONDS, true, 0,
     "TIME", "between two probes, in seconds or as 500ms (500ms)"},
    {"CONTROL_TOKEN", NULL, NULL, NULL, CONFIG_SETTING_TOKEN, false, 0,
     NULL, "the token that changes need; no flag, since arguments are seen by everybody"},
    {"OPEN", NULL, "open", "control.open", CONFIG_SETTING_SWITCH, false, 0,
     NULL, "allow the classic changes to everybody who reaches the traffic port"},
    {"STATE", NULL, "state", "state", CONFIG_SETTING_FIELD, false, 0,
     "DIR", "the folder that remembers the pool"},
    {"WORKERS", NULL, "workers", "workers", CONFIG_SETTING_FIELD, false, 0,
     "N", "processes that carry traffic (one for each core)"},
    {"LOG_LEVEL", NULL, "log-level", "log.level", CONFIG_SETTING_FIELD, false, 0,
     "LEVEL", "debug, info, warn or error (info)"},
    {"LOG_FORMAT", NULL, "log-format", "log.format", CONFIG_SETTING_FIELD, false, 0,
     "FORMAT", "of the program's own log: logfmt or json (logfmt)"},
    {"ACCESS_LOG", NULL, "access-log", "log.access", CONFIG_SETTING_FIELD, false, 0,
     "PATH", "a path, stdout or off (stdout)"},
};
/* clang-format on */

const unsigned config_setting_count = ARRAY_SIZE(config_settings);

_Static_assert(ARRAY_SIZE(config_settings) <= CONFIG_SETTINGS_MAX, "config_flags is too small");

/* A value and where it stood. Strong ones win over the file. */
struct value {
    const char *text; /* NULL: nowhere */
    bool is_strong;
    char source[CONFIG_SOURCE_BYTES];
};

static bool value_look(struct value *value, const struct config_loading *loading,
                       const char *prefix, const char *name)
{
    char variable[CONFIG_SOURCE_BYTES / 2];

    if (!name)
        return false;
    snprintf(variable, sizeof(variable), "%s%s", prefix, name);
    value->text = config_loading_environment(loading, variable);
    snprintf(value->source, sizeof(value->source), "%s in the environment", variable);
    return value->text;
}

static struct value value_of(const struct config_loading *loading, unsigned number)
{
    const struct config_setting *setting = &config_settings[number];
    struct value value = {.text = loading->flags->values[number], .is_strong = true};

    if (value.text) {
        snprintf(value.source, sizeof(value.source), "--%s", setting->flag);
        return value;
    }
    if (value_look(&value, loading, PREFIX, setting->name) ||
        value_look(&value, loading, PREFIX, setting->short_name))
        return value;
    value.is_strong = false;
    if (setting->has_bare_name && !value_look(&value, loading, "", setting->name))
        value_look(&value, loading, "", setting->short_name);
    return value;
}

static bool has_bit(unsigned bits, unsigned bit)
{
    return bits == 0 || bits & (1u << bit);
}

/* Says so and answers false where the setting changes nothing. */
static bool has_effect(struct config_loading *loading, const struct config_setting *setting,
                       const struct config_field *field, const char *source)
{
    const struct config_service *service = &loading->config->services[0];
    enum config_scheme scheme = service->balance.scheme;
    enum config_driver driver = service->replicas.driver;

    if (field->part != CONFIG_IN_SERVICE)
        return true;
    if (!has_bit(setting->schemes, scheme) || !has_bit(field->schemes, scheme)) {
        config_loading_note_source(loading, false, source, "has no effect under the scheme %s",
                                   config_scheme_name(scheme));
        return false;
    }
    if (!has_bit(field->drivers, driver)) {
        config_loading_note_source(loading, false, source, "has no effect under the driver %s",
                                   config_driver_name(driver));
        return false;
    }
    return true;
}

/* Seconds with three decimal places are milliseconds, as a factor is thousandths. */
static const struct config_field seconds_field = {
    .path = "seconds", .type = CONFIG_FACTOR, .least = 0, .most = UINT32_MAX};

/* The notations that the environment has and the file has not. */
static struct view in_file_notation(const struct config_setting *setting, const char *text,
                                    char out[VALUE_BYTES_MAX])
{
    uint32_t ms;

    if (setting->kind == CONFIG_SETTING_SWITCH && strcmp(text, "1") == 0)
        return VIEW("true");
    if (setting->kind == CONFIG_SETTING_SWITCH && strcmp(text, "0") == 0)
        return VIEW("false");
    if (setting->kind != CONFIG_SETTING_SECONDS ||
        config_value_parse(&seconds_field, view_of(text), NULL, &ms, NULL) < 0)
        return view_of(text);
    snprintf(out, VALUE_BYTES_MAX, "%ums", ms);
    return view_of(out);
}

static void apply_field(struct config_loading *loading, unsigned number, const struct value *value)
{
    const struct config_setting *setting = &config_settings[number];
    const struct config_field *field = config_field_find(view_of(setting->path));
    char path[CONFIG_PATH_BYTES];
    char changed[VALUE_BYTES_MAX];
    struct error why;

    config_loading_path(field, 0, path);
    if (!value->is_strong && config_loading_has(loading, path))
        return;
    if (!has_effect(loading, setting, field, value->source))
        return;
    if (config_value_parse(field, in_file_notation(setting, value->text, changed),
                           &loading->config->memory, config_loading_place(loading, field, 0),
                           &why) < 0) {
        config_loading_note_source(loading, true, value->source, "%s", why.text);
        return;
    }
    memcpy(loading->sources[number], value->source, sizeof(value->source));
}

bool config_setting_is_token(const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] == 0x7f)
            return false;
    }
    return size > 0 && size <= CONFIG_TOKEN_BYTES_MAX;
}

static void apply_token(struct config_loading *loading, const struct value *value)
{
    if (config_setting_is_token(value->text))
        loading->config->control.token = arena_copy(&loading->config->memory, view_of(value->text));
    else
        config_loading_note_source(loading, true, value->source,
                                   "expected a token: 1 to %d visible ASCII characters",
                                   CONFIG_TOKEN_BYTES_MAX);
}

static void warn_about_typo(struct config_loading *loading, struct view name)
{
    const char *nearest = NULL;
    unsigned least = NEAR_MAX + 1;

    for (unsigned i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        unsigned distance = config_field_distance(name, view_of(setting->name), NEAR_MAX);

        if (distance == 0 ||
            (setting->short_name && view_equals(name, view_of(setting->short_name))))
            return;
        if (distance < least && strlen(setting->name) > 2 * NEAR_MAX) {
            least = distance;
            nearest = setting->name;
        }
    }
    if (nearest)
        config_loading_note_source(loading, false, "environment",
                                   PREFIX "%.*s is not known; did you mean " PREFIX "%s?",
                                   VIEW_ARGUMENTS(name), nearest);
}

static void warn_about_typos(struct config_loading *loading)
{
    for (char *const *at = loading->environment; at && *at; at++) {
        struct view entry = view_of(*at);
        struct view name = view_first(entry, view_find(entry, '='));

        if (view_starts_with(name, VIEW(PREFIX)))
            warn_about_typo(loading, view_after(name, sizeof(PREFIX) - 1));
    }
}

void config_setting_apply(struct config_loading *loading)
{
    struct config_listen listen = {0};

    for (unsigned i = 0; i < config_setting_count; i++) {
        enum config_setting_kind kind = config_settings[i].kind;
        struct value value = value_of(loading, i);

        if (!value.text)
            continue;
        if (kind == CONFIG_SETTING_TOKEN)
            apply_token(loading, &value);
        else if (config_settings[i].path)
            apply_field(loading, i, &value);
        else
            config_listen_take(loading, &listen, kind, value.text, value.is_strong, value.source);
    }
    config_listen_apply(loading, &listen);
    warn_about_typos(loading);
}

const char *config_setting_source(const struct config_loading *loading, const char *path)
{
    if (loading->control_source[0] && strcmp(path, "control.address") == 0)
        return loading->control_source;
    for (unsigned i = 0; i < config_setting_count; i++) {
        char own[CONFIG_PATH_BYTES];

        if (!loading->sources[i][0] || !config_settings[i].path)
            continue;
        config_loading_path(config_field_find(view_of(config_settings[i].path)), 0, own);
        if (strcmp(own, path) == 0)
            return loading->sources[i];
    }
    return NULL;
}
