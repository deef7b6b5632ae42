#include "config/config_flags.h"

#include <errno.h>
#include <stdio.h>

#include "base/buffer.h"

#include "config/config_setting.h"

#define FLAG_BYTES     64
#define HELP_BYTES_MAX 8192

/* "--port=80" and "--port" answer what follows the name, "--porter" NULL. */
static const char *flag_rest(const char *argument, const char *name)
{
    size_t size = strlen(name);

    if (strncmp(argument, "--", 2) != 0 || strncmp(argument + 2, name, size) != 0)
        return NULL;
    argument += 2 + size;
    return *argument == '\0' || *argument == '=' ? argument : NULL;
}

/* How many of the arguments at `argv` were one flag and its value; 0: none of ours. */
static int take_value(char **argv, const char *rest, const char **value, struct error *why)
{
    if (*rest == '=') {
        *value = rest + 1;
        return 1;
    }
    if (!argv[1])
        return error_set(why, -EINVAL, "%s needs a value", argv[0]);
    *value = argv[1];
    return 2;
}

static int take_setting(char **argv, struct config_flags *flags, struct error *why)
{
    for (unsigned i = 0; i < config_setting_count; i++) {
        const struct config_setting *setting = &config_settings[i];
        const char *rest = setting->flag ? flag_rest(argv[0], setting->flag) : NULL;

        if (!rest)
            continue;
        if (setting->kind != CONFIG_SETTING_SWITCH || *rest)
            return take_value(argv, rest, &flags->values[i], why);
        flags->values[i] = "true";
        return 1;
    }
    return 0;
}

static int take_flag(char **argv, struct config_flags *flags, struct error *why)
{
    const char *rest = flag_rest(argv[0], "config");

    if (rest)
        return take_value(argv, rest, &flags->file, why);
    if (strcmp(argv[0], "-c") == 0)
        return take_value(argv, "", &flags->file, why);
    if (strcmp(argv[0], "--reset") == 0) {
        flags->is_reset = true;
        return 1;
    }
    if (strcmp(argv[0], "--leave-replicas") == 0) {
        flags->leaves_replicas = true;
        return 1;
    }
    return take_setting(argv, flags, why);
}

int config_flags_parse(int *argc, char **argv, struct config_flags *flags, struct error *why)
{
    struct config_flags parsed = {0};
    int kept = 1;

    for (int i = 1; i < *argc;) {
        int taken = strcmp(argv[i], "--") == 0 ? 0 : take_flag(argv + i, &parsed, why);

        if (taken < 0)
            return taken;
        if (!taken && strcmp(argv[i], "--") == 0) {
            while (i < *argc)
                argv[kept++] = argv[i++];
            break;
        }
        if (!taken)
            argv[kept++] = argv[i++];
        i += taken;
    }
    argv[kept] = NULL;
    *argc = kept;
    *flags = parsed;
    return 0;
}

/* One line: the flag with its argument, what it says, and its name in the environment. */
static int help_line(const struct config_setting *setting, struct buffer *out)
{
    char flag[FLAG_BYTES];

    snprintf(flag, sizeof(flag), "--%s%s%s", setting->flag, setting->argument ? " " : "",
             setting->argument ? setting->argument : "");
    return buffer_print(out, "  %-28s %s; %s%s\n", flag, setting->help,
                        setting->has_bare_name ? "" : "ROOST_", setting->name);
}

char *config_flags_help(void)
{
    struct buffer out;
    char *text;
    int error;

    buffer_init(&out, HELP_BYTES_MAX);
    error = buffer_print(&out, "  %-28s %s\n", "-c, --config FILE",
                         "the configuration, YAML or .json; without it the embedded default");
    for (unsigned i = 0; i < config_setting_count && !error; i++) {
        if (config_settings[i].flag)
            error = help_line(&config_settings[i], &out);
    }
    if (!error)
        error = buffer_print(&out, "  %-28s %s\n  %-28s %s\n", "--reset",
                             "forget what the state folder remembers", "--leave-replicas",
                             "do not stop the replicas when roost stops");
    (void)error;
    text = strndup(buffer_view(&out).data, buffer_size(&out));
    buffer_finish(&out);
    return text;
}
