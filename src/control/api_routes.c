#include "control/api_classic.h"
#include "control/api_health.h"
#include "control/api_stats.h"

const struct api_route api_routes[] = {
    {METHOD_GET, "/rep", api_classic_list, API_CLASSIC},
    {METHOD_POST, "/add", api_classic_add, API_CLASSIC | API_MUTATION},
    {METHOD_DELETE, "/rm", api_classic_remove, API_CLASSIC | API_MUTATION},
    {METHOD_GET, "/stats", api_stats, API_CLASSIC},
    {METHOD_GET, "/healthcheck", api_health_check, API_OPEN},
    {METHOD_GET, "/livez", api_health_live, API_OPEN},
    {METHOD_GET, "/readyz", api_health_ready, API_OPEN},
    {.path = NULL},
};
