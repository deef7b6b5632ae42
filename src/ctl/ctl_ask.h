/* One question to the balancer: its target put together, its answer read, its errors told. */
#pragma once

#include <jansson.h>

#include "ctl/ctl.h"

/*
 * The path of the service's replicas, of one of them where `name` is not NULL, with `rest` behind
 * it: "/v1/replicas/Server%201/log".
 */
void ctl_ask_path(const struct ctl *ctl, const char *name, const char *rest,
                  char target[CTL_CLIENT_TARGET_BYTES_MAX]);

/* `path` with the parameter and, where one is chosen, the service: "/v1/explain?key=a%20b". */
void ctl_ask_query(const struct ctl *ctl, const char *path, const char *parameter,
                   const char *value, char target[CTL_CLIENT_TARGET_BYTES_MAX]);

/*
 * Asks with `body` (taken over; NULL: none) and returns the answer as JSON, the caller's, or NULL
 * after it was said on stderr what went wrong. With --json the answer was printed already.
 */
json_t *ctl_ask(struct ctl *ctl, enum method method, const char *target, json_t *body);

/* Says an answer that is an error on stderr. */
void ctl_ask_complain(const struct ctl_client_answer *answer);
