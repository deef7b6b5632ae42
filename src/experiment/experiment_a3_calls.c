#include "experiment/experiment_a3_calls.h"

#include "base/clock.h"
#include "experiment/experiment_call.h"

struct expectation {
    const char *method;
    const char *path;
    const char *body;
    unsigned status;
    const char *says; /* part of the answer, NULL: whatever */
};

/* In this order: some need what those before them did. */
static const struct expectation expectations[] = {
    {"GET", "/rep", NULL, 200, "\"N\":3"},
    {"GET", "/home", NULL, 200, "Hello from Server: "},
    {"GET", "/heartbeat", NULL, 200, ""},
    {"GET", "/other", NULL, 400, "'/other' endpoint does not exist in server replicas"},
    {"POST", "/home", "{}", 400, "endpoint does not exist"},
    {"GET", "/", NULL, 200, "Load balancer is active."},
    {"GET", "/healthcheck", NULL, 200, "OK"},
    {"GET", "/stats", NULL, 200, "\"replicas\""},
    {"POST", "/add", "{\"n\":4,\"hostnames\":[\"S5\",\"S4\",\"S10\"]}", 200, "\"N\":7"},
    {"GET", "/rep", NULL, 200, "S10"},
    {"POST", "/add", "{\"n\":1,\"hostnames\":[\"A\",\"B\"]}", 400,
     "Length of hostname list is more than newly added instances"},
    {"POST", "/add", "{\"n\":1,\"hostnames\":[\"S5\"]}", 409, "S5"},
    {"POST", "/add", "{\"n\":2,\"hostnames\":[\"A\",\"A\"]}", 400, "twice"},
    {"POST", "/add", "{\"n\":1,\"hostnames\":[\"a/b\"]}", 400, "a/b"},
    {"POST", "/add", "{\"n\":0}", 400, "'n'"},
    {"POST", "/add", "{\"n\":1001}", 400, "'n'"},
    {"POST", "/add", "{\"n\":\"two\"}", 400, "'n'"},
    {"POST", "/add", "{\"hostnames\":[]}", 400, "'n'"},
    {"POST", "/add", "{\"n\":1,\"hostnames\":\"S6\"}", 400, "hostnames"},
    {"POST", "/add", "[]", 400, "<Error>"},
    {"POST", "/add", "no JSON", 400, "<Error>"},
    {"POST", "/add", NULL, 400, "<Error>"},
    {"GET", "/add", NULL, 405, "POST"},
    {"DELETE", "/rm", "{\"n\":1,\"hostnames\":[\"nobody\"]}", 404, "nobody"},
    {"DELETE", "/rm", "{\"n\":1,\"hostnames\":[\"S5\",\"S4\"]}", 400,
     "Length of hostname list is more than removable instances"},
    {"DELETE", "/rm", "{\"n\":8}", 400, "removable instances"},
    {"POST", "/rm", "{\"n\":1}", 405, "DELETE"},
    {"DELETE", "/rm", "{\"n\":2,\"hostnames\":[\"S5\",\"S4\"]}", 200, "\"N\":5"},
    {"DELETE", "/rm", "{\"n\":5}", 200, "\"N\":0"},
    {"GET", "/home", NULL, 503, "<Error>"},
    {"GET", "/rep", NULL, 200, "\"N\":0"},
    {"POST", "/add", "{\"n\":3,\"hostnames\":[\"Server 1\",\"Server 2\",\"Server 3\"]}", 200,
     "\"N\":3"},
    {"GET", "/home", NULL, 200, "Hello from Server: "},
};

static int call_one(struct experiment_rig *rig, const struct expectation *expected, json_t *calls,
                    struct error *why)
{
    struct experiment_answer answer;
    char call[64];
    bool is_right;
    int status = experiment_call(rig, EXPERIMENT_TRAFFIC, expected->method, expected->path,
                                 expected->body, &answer, why);

    if (status < 0)
        return status;
    is_right = answer.status == expected->status && strstr(answer.body, expected->says);
    snprintf(call, sizeof(call), "%s %s", expected->method, expected->path);
    json_array_append_new(
        calls, json_pack("{s:s, s:s?, s:i, s:i, s:s, s:f, s:b}", "call", call, "body",
                         expected->body, "expected", (int)expected->status, "status",
                         (int)answer.status, "answer", answer.body, "took_ms",
                         (double)answer.took_us / (double)CLOCK_US_PER_MS, "is_right", is_right));
    experiment_rig_say(rig, "%s %s: %u%s", call, expected->body ? expected->body : "",
                       answer.status, is_right ? "" : ", WRONG");
    experiment_call_finish(&answer);
    return 0;
}

int experiment_a3_calls(struct experiment_rig *rig, json_t **calls, struct error *why)
{
    int status = 0;

    *calls = json_array();
    for (size_t i = 0; i < ARRAY_SIZE(expectations) && status == 0; i++)
        status = call_one(rig, &expectations[i], *calls, why);
    if (status == 0)
        return 0;
    json_decref(*calls);
    *calls = NULL;
    return status;
}
