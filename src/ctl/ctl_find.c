#include "ctl/ctl_find.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "config/config_flags.h"
#include "config/config_setting.h"
#include "control/folder.h"
#include "control/signpost.h"
#include "http/authority.h"

/* Where `make up` keeps its state. */
#define UP_STATE "run/state"

#define SCHEME       VIEW("http://")
#define SCHEME_TLS   VIEW("https://")
#define UNIX         VIEW("unix:")
#define DEFAULT_PORT "5001"
#define PORT_BYTES   8
#define FILE_BYTES   1024

/* ---- --control ---- */

static int resolve(const char *host, const char *port, struct address *address, struct error *why)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int error = getaddrinfo(host, port, &hints, &found);

    if (error)
        return error_set(why, -EHOSTUNREACH, "--control: %s: %s", host, gai_strerror(error));
    memset(address, 0, sizeof(*address));
    if (found->ai_addrlen <= sizeof(*address)) {
        memcpy(&address->any, found->ai_addr, found->ai_addrlen);
        address->size = found->ai_addrlen;
    }
    freeaddrinfo(found);
    return 0;
}

/* "5001", "host:5001", "[::1]:5001" with or without http://, "unix:/path". */
static int from_url(struct ctl_client *client, const char *url, struct error *why)
{
    struct view rest = view_of(url);
    char host[CTL_CLIENT_HOST_BYTES];
    char port[PORT_BYTES] = DEFAULT_PORT;
    struct view host_view;
    struct view port_view;
    uint64_t number;

    if (view_starts_with(rest, UNIX)) {
        snprintf(client->host, sizeof(client->host), "localhost");
        return address_from_text(rest, &client->address, why);
    }
    if (view_starts_with(rest, SCHEME_TLS))
        return error_set(why, -ENOTSUP, "--control: roost's control port speaks http, not https");
    if (view_starts_with(rest, SCHEME))
        rest = view_after(rest, SCHEME.size);
    rest = view_first(rest, view_find(rest, '/'));
    if (view_to_number(rest, UINT16_MAX, &number) == 0) {
        snprintf(client->host, sizeof(client->host), "127.0.0.1:%u", (unsigned)number);
        snprintf(port, sizeof(port), "%u", (unsigned)number);
        return resolve("127.0.0.1", port, &client->address, why);
    }
    if (!authority_split(rest, &host_view, &port_view) || host_view.size == 0 ||
        view_to_text(rest, client->host, sizeof(client->host)) < 0)
        return error_set(why, -EINVAL, "--control: '%s' is no address such as 127.0.0.1:5001", url);
    if (host_view.data[0] == '[')
        host_view = view_after(view_first(host_view, host_view.size - 1), 1);
    if (view_to_text(host_view, host, sizeof(host)) < 0 ||
        (port_view.size && view_to_text(port_view, port, sizeof(port)) < 0))
        return error_set(why, -EINVAL, "--control: '%s' is no address such as 127.0.0.1:5001", url);
    return resolve(host, port, &client->address, why);
}

/* ---- state folders ---- */

static void use_address(struct ctl_client *client, const struct address *address)
{
    client->address = *address;
    if (address->any.sa_family == AF_UNIX)
        snprintf(client->host, sizeof(client->host), "localhost");
    else
        address_to_text(address, client->host);
}

static bool from_state(struct ctl_client *client, const char *state)
{
    struct folder folder = {.run_fd = -1, .lock_fd = -1};
    struct address address;
    bool is_there = false;

    if (folder_look(&folder, state, NULL) == 0)
        is_there = signpost_read(&folder, &address) == 0;
    folder_close(&folder);
    if (is_there)
        use_address(client, &address);
    return is_there;
}

/* Why nobody was found there: nobody runs, or it cannot be looked into. */
static int explain_nobody(const char *state, struct error *why)
{
    struct folder folder = {.run_fd = -1, .lock_fd = -1};
    int result = folder_look(&folder, state, why);

    folder_close(&folder);
    if (result < 0 && result != -ENOENT)
        return result;
    return error_set(why, -ENOENT, "no balancer runs with the state folder %s", state);
}

static void set_state_flag(struct config_flags *flags, const char *state)
{
    for (unsigned i = 0; i < config_setting_count; i++) {
        if (config_settings[i].flag && strcmp(config_settings[i].flag, "state") == 0)
            flags->values[i] = state;
    }
}

/* As roost serve would be started here. */
static int from_config(struct ctl_client *client, const struct ctl_options *options,
                       const struct config *config, struct error *why)
{
    struct address address;
    int result;

    if (!options->file && !options->state && from_state(client, UP_STATE))
        return 0;
    if (from_state(client, config->state))
        return 0;
    if (options->state)
        return explain_nobody(options->state, why);
    if (config->control.addresses.count == 0)
        return error_set(why, -ENOENT, "there is no control address");
    result = address_from_text(view_of(config->control.addresses.items[0]), &address, why);
    if (result == 0)
        use_address(client, &address);
    return result;
}

/* ---- the token ---- */

static void use_token(struct ctl_client *client, const char *token)
{
    (void)!view_to_text(view_trim(view_of(token)), client->token, sizeof(client->token));
}

static int read_token(struct ctl_client *client, const char *path, struct error *why)
{
    char text[FILE_BYTES];
    FILE *file = fopen(path, "re");
    bool has_line;

    if (!file)
        return error_set(why, -errno, "--token-file %s: %s", path, strerror(errno));
    has_line = fgets(text, sizeof(text), file) != NULL;
    fclose(file);
    if (!has_line)
        return error_set(why, -EINVAL, "--token-file %s: it is empty", path);
    text[strcspn(text, "\r\n")] = '\0';
    use_token(client, text);
    return 0;
}

static int find_by_config(const struct ctl_options *options, struct ctl_client *client,
                          struct error *why)
{
    /* Which folder it is was said: what else is set here is no matter of this balancer. */
    bool is_said = options->state && !options->file;
    char *const nothing[] = {NULL};
    struct config_flags flags = {.file = options->file};
    struct config config;
    int result;

    if (options->state)
        set_state_flag(&flags, options->state);
    result = config_load(&config, options->file, &flags, is_said ? nothing : environ, NULL, why);
    if (result < 0)
        return result;
    result = from_config(client, options, &config, why);
    if (config.control.token)
        use_token(client, config.control.token);
    config_finish(&config);
    return result;
}

int ctl_find(const struct ctl_options *options, struct ctl_client *client, struct error *why)
{
    const char *token = getenv("ROOST_CONTROL_TOKEN");
    int result = options->control ? from_url(client, options->control, why)
                                  : find_by_config(options, client, why);

    if (result < 0)
        return result;
    if (token)
        use_token(client, token);
    return options->token_file ? read_token(client, options->token_file, why) : 0;
}
