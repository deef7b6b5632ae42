#include "api/api_routes.h"

#include "api/api_classic.h"
#include "api/api_events.h"
#include "api/api_explain.h"
#include "api/api_health.h"
#include "api/api_plan.h"
#include "api/api_ring.h"
#include "api/api_stats.h"
#include "api/api_v1_log.h"
#include "api/api_v1_replicas.h"
#include "api/api_v1_status.h"
#include "control/reload.h"

const struct api_route api_routes[] = {
    {METHOD_GET, "/rep", api_classic_list, API_CLASSIC},
    {METHOD_POST, "/add", api_classic_add, API_CLASSIC | API_MUTATION},
    {METHOD_DELETE, "/rm", api_classic_remove, API_CLASSIC | API_MUTATION},
    {METHOD_GET, "/stats", api_stats, API_CLASSIC},
    {METHOD_GET, "/healthcheck", api_health_check, API_OPEN},
    {METHOD_GET, "/livez", api_health_live, API_OPEN},
    {METHOD_GET, "/readyz", api_health_ready, API_OPEN},
    {METHOD_GET, "/v1/status", api_v1_status, 0},
    {METHOD_GET, "/v1/services", api_v1_status_services, 0},
    {METHOD_GET, "/v1/services/*/replicas", api_v1_replicas_list, 0},
    {METHOD_POST, "/v1/services/*/replicas", api_v1_replicas_add, API_MUTATION},
    {METHOD_DELETE, "/v1/services/*/replicas", api_v1_replicas_remove, API_MUTATION},
    {METHOD_GET, "/v1/services/*/replicas/*", api_v1_replicas_get, 0},
    {METHOD_PATCH, "/v1/services/*/replicas/*", api_v1_replicas_change, API_MUTATION},
    {METHOD_DELETE, "/v1/services/*/replicas/*", api_v1_replicas_remove_one, API_MUTATION},
    {METHOD_GET, "/v1/services/*/replicas/*/log", api_v1_log, API_MUTATION},
    {METHOD_GET, "/v1/replicas", api_v1_replicas_list, 0},
    {METHOD_POST, "/v1/replicas", api_v1_replicas_add, API_MUTATION},
    {METHOD_DELETE, "/v1/replicas", api_v1_replicas_remove, API_MUTATION},
    {METHOD_GET, "/v1/replicas/*", api_v1_replicas_get, 0},
    {METHOD_PATCH, "/v1/replicas/*", api_v1_replicas_change, API_MUTATION},
    {METHOD_DELETE, "/v1/replicas/*", api_v1_replicas_remove_one, API_MUTATION},
    {METHOD_GET, "/v1/replicas/*/log", api_v1_log, API_MUTATION},
    {METHOD_POST, "/v1/plan", api_plan, 0},
    {METHOD_GET, "/v1/explain", api_explain, 0},
    {METHOD_GET, "/v1/ring", api_ring, 0},
    {METHOD_GET, "/v1/events", api_events, 0},
    {METHOD_POST, "/v1/reload", reload_handle, API_MUTATION},
    {.path = NULL},
};
