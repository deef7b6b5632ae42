#include "api/api_health.h"

#include "control/keeper.h"

static void say(struct api_request *request, bool is_well, const char *otherwise)
{
    if (is_well)
        api_answer(request, 200, "text/plain; charset=utf-8", VIEW("OK"));
    else
        api_answer(request, 503, "text/plain; charset=utf-8", view_of(otherwise));
}

void api_health_check(struct api_request *request)
{
    say(request, request->api->keeper->phase < KEEPER_DRAINING, "draining");
}

void api_health_live(struct api_request *request)
{
    say(request, true, NULL);
}

void api_health_ready(struct api_request *request)
{
    say(request, keeper_is_serving(request->api->keeper), "starting or stopping");
}
