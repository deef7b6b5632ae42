#include "control/reload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/log.h"
#include "base/memory.h"
#include "control/api.h"
#include "control/cores.h"
#include "control/keeper.h"

#define TOKEN_VARIABLE "ROOST_CONTROL_TOKEN="

/* ---- the answer ---- */

/* A sentence may quote what is no text, or be cut within a character. */
static json_t *sentence(const char *text)
{
    char quoted[ERROR_TEXT_BYTES * ESCAPE_GROWTH_MAX + 2];
    json_t *json = json_string(text);
    size_t size;

    if (json)
        return json;
    size = 1 + escape_json(view_of(text), quoted + 1, sizeof(quoted) - 2);
    quoted[0] = '"';
    quoted[size] = '"';
    json = json_loadb(quoted, size + 1, JSON_DECODE_ANY, NULL);
    return json ? json : json_string("the configuration is wrong");
}

static json_t *sentences(const struct config_notes *notes, bool are_errors)
{
    json_t *list = json_array();

    for (unsigned i = 0; notes && i < notes->count; i++) {
        if (notes->items[i].is_error == are_errors)
            json_array_append_new(list, sentence(notes->items[i].sentence.text));
    }
    return list;
}

static json_t *outcome(const struct reload *reload)
{
    const struct keeper *keeper = reload->keeper;

    return json_pack("{s:i, s:i, s:o, s:I, s:O, s:o}", "generation",
                     (int)keeper->workers.generations, "workers", (int)keeper->workers.count,
                     "listeners", listeners_json(&keeper->listeners), "epoch",
                     (json_int_t)keeper->publish.epoch, "changed", reload->difference.changed,
                     "warnings", sentences(reload->notes, false));
}

/* Nothing of it is left but the answer. */
static void end(struct reload *reload, uint16_t status, json_t *body)
{
    struct api_request *request = reload->request;

    reload->request = NULL;
    reload->is_renewing = false;
    reload_compare_forget(&reload->difference);
    free(reload->notes);
    reload->notes = NULL;
    if (!request) {
        json_decref(body);
        return;
    }
    api_answer_json(request, status, body);
    api_release(request);
}

static void forget_config(struct config *config)
{
    if (!config)
        return;
    config_finish(config);
    free(config);
}

/* Nothing has changed; takes over the reference to `body`. */
static void refuse(struct reload *reload, uint16_t status, json_t *body)
{
    log_event(LOG_ERROR, "reload.refused",
              LOG_TEXT("reason", json_string_value(json_object_get(body, "error"))));
    forget_config(reload->next);
    reload->next = NULL;
    end(reload, status, body);
}

/* The new one is in force everywhere. */
static void succeed(struct reload *reload)
{
    json_t *body = outcome(reload);

    log_event(LOG_INFO, "reload.done",
              LOG_NUMBER("generation", reload->keeper->workers.generations),
              LOG_NUMBER("workers", reload->keeper->workers.count),
              LOG_NUMBER("epoch", reload->keeper->publish.epoch),
              LOG_NUMBER("changed", json_array_size(reload->difference.changed)));
    forget_config(reload->owned);
    reload->owned = reload->next;
    reload->next = NULL;
    end(reload, 200, body);
}

/* ---- reading ---- */

/* The secret was taken out of the environment at the start: it is lent again to be checked with. */
static int load(const struct reload *reload, struct config *config, struct config_notes *notes,
                struct error *why)
{
    const char *token = reload->keeper->config->control.token;
    char **environment;
    size_t count = 0;
    int result;

    while (environ[count])
        count++;
    environment = memory_allocate((count + 2) * sizeof(*environment));
    memcpy(environment, environ, count * sizeof(*environment));
    if (token) {
        size_t bytes = sizeof(TOKEN_VARIABLE) + strlen(token);

        environment[count] = memory_allocate(bytes);
        snprintf(environment[count], bytes, "%s%s", TOKEN_VARIABLE, token);
    }
    result = config_load(config, reload->flags->file, reload->flags, environment, notes, why);
    if (environment[count])
        explicit_bzero(environment[count], strlen(environment[count]));
    free(environment[count]);
    free(environment);
    return result;
}

static json_t *restart_body(const struct reload_difference *difference)
{
    char list[256] = "";
    const json_t *key;
    size_t i;

    json_array_foreach(difference->restart, i, key)
    {
        size_t size = strlen(list);

        snprintf(list + size, sizeof(list) - size, "%s%s", i ? ", " : "", json_string_value(key));
    }
    return json_pack("{s:o, s:O}", "error",
                     json_sprintf("nothing was changed: this needs a restart: %s", list), "restart",
                     difference->restart);
}

/* ---- using it ---- */

static void use(struct keeper *keeper, const struct config *config, unsigned workers)
{
    keeper->config = config;
    keeper->picture.config = config;
    keeper->picture.workers = workers;
    for (unsigned i = 0; i < config->service_count; i++) {
        keeper->crews[i].whole = config;
        keeper->crews[i].config = &config->services[i];
    }
    tick_configure(&keeper->tick, config);
    outlier_watch_configure(&keeper->outliers);
}

/* All as it was. */
static void undo(struct reload *reload)
{
    struct keeper *keeper = reload->keeper;

    reload_addresses_restore(&reload->addresses);
    use(keeper, reload->before, reload->workers_before);
    publish_change(&keeper->publish, NULL, NULL);
}

static void on_adopted(struct publish_waiter *waiter)
{
    succeed(CONTAINER_OF(waiter, struct reload, waiter));
}

static int apply(struct reload *reload, struct error *why)
{
    struct keeper *keeper = reload->keeper;
    unsigned count = reload->next->workers ? reload->next->workers : cores_count();
    int result;

    reload->before = keeper->config;
    reload->workers_before = keeper->workers.count;
    reload->is_renewing = reload->difference.has_addresses || count != keeper->workers.count;
    result = reload_addresses_change(&reload->addresses, &keeper->listeners, reload->next,
                                     keeper->publish.table, count, why);
    if (result == 0) {
        use(keeper, reload->next, count);
        result = publish_now(&keeper->publish, why);
    }
    if (result == 0 && reload->is_renewing)
        result = workers_renew(&keeper->workers, count, keeper_drain_ms(keeper), why);
    if (result == 0 && !reload->is_renewing)
        publish_await(&keeper->publish, &reload->waiter, on_adopted);
    if (result < 0)
        undo(reload);
    return result;
}

static void compare_and_apply(struct reload *reload)
{
    struct error why;

    reload_compare(reload->keeper->config, reload->next, &reload->difference);
    if (json_array_size(reload->difference.restart)) {
        refuse(reload, 409, restart_body(&reload->difference));
        return;
    }
    if (json_array_size(reload->difference.changed) == 0) {
        log_event(LOG_INFO, "reload.unchanged");
        forget_config(reload->next);
        reload->next = NULL;
        end(reload, 200, outcome(reload));
        return;
    }
    if (apply(reload, &why) < 0)
        refuse(reload, 409, json_pack("{s:o}", "error", sentence(why.text)));
}

/* ---- who calls ---- */

void reload_begin(struct reload *reload, struct api_request *request)
{
    struct config *next;
    struct error why;

    if (reload->next || !keeper_is_serving(reload->keeper)) {
        log_event(LOG_WARN, "reload.busy");
        if (request)
            api_fail(request, reload->next ? 409 : 503, "%s",
                     reload->next ? "a reload is under way" : "roost is starting or stopping");
        return;
    }
    if (request)
        api_hold(request);
    reload->request = request;
    reload->notes = memory_allocate(sizeof(*reload->notes));
    next = memory_allocate(sizeof(*next));
    if (load(reload, next, reload->notes, &why) < 0) {
        free(next);
        refuse(reload, 400,
               json_pack("{s:o, s:o}", "error", sentence(why.text), "errors",
                         sentences(reload->notes, true)));
        return;
    }
    reload->next = next;
    compare_and_apply(reload);
}

void reload_on_renewed(struct reload *reload, int result)
{
    if (!reload->is_renewing)
        return;
    if (result < 0) {
        undo(reload);
        refuse(reload, 503,
               json_pack("{s:s}", "error", "the new workers end before they are ready"));
        return;
    }
    reload_addresses_close_left(&reload->keeper->listeners);
    succeed(reload);
}

void reload_on_retired(struct reload *reload)
{
    reload_addresses_forget_left(&reload->keeper->listeners);
}

void reload_cancel(struct reload *reload)
{
    if (!reload->next)
        return;
    publish_cancel(&reload->waiter);
    /* The configuration that was being replaced may still be in use: both end with the keeper. */
    end(reload, 503, json_pack("{s:s}", "error", "roost is starting or stopping"));
}

void reload_handle(struct api_request *request)
{
    reload_begin(&request->api->keeper->reload, request);
}

void reload_init(struct reload *reload, struct keeper *keeper, const struct config_flags *flags)
{
    *reload = (struct reload){.keeper = keeper, .flags = flags};
}

void reload_finish(struct reload *reload)
{
    reload_compare_forget(&reload->difference);
    free(reload->notes);
    forget_config(reload->next);
    forget_config(reload->owned);
    *reload = (struct reload){0};
}
