#include "control/security.h"

#include <string.h>
#include <unistd.h>

#include "base/view.h"
#include "http/authority.h"
#include "net/address.h"

#define BEARER VIEW("Bearer ")

void security_init(struct security *security, const struct security_rules *rules)
{
    *security = (struct security){.rules = *rules};
    if (gethostname(security->own_name, sizeof(security->own_name) - 1) < 0)
        security->own_name[0] = '\0';
}

bool security_equals(struct view given, struct view secret)
{
    volatile unsigned char difference = given.size != secret.size;

    if (secret.size == 0)
        return false;
    for (size_t i = 0; i < given.size; i++)
        difference |= (unsigned char)(given.data[i] ^ secret.data[i % secret.size]);
    return difference == 0;
}

static bool is_ip(struct view host)
{
    struct address address;

    return address_from_ip(host, 0, &address) == 0;
}

bool security_is_our_host(const struct security *security, struct view authority)
{
    struct view own = view_of(security->own_name);
    struct view host;
    struct view port;

    if (!authority_split(authority, &host, &port))
        return false;
    if (is_ip(host) || view_equals_nocase(host, VIEW("localhost")))
        return true;
    if (own.size && view_equals_nocase(host, own))
        return true;
    for (unsigned i = 0; i < security->rules.host_count; i++) {
        if (view_equals_nocase(host, view_of(security->rules.hosts[i])))
            return true;
    }
    return false;
}

static bool has_token(const struct security *security, const struct head *head)
{
    const struct field *field = head_find_named(head, VIEW("Authorization"));

    if (!security->rules.token || !field)
        return false;
    if (!view_equals_nocase(view_first(field->value, BEARER.size), BEARER))
        return false;
    return security_equals(view_trim(view_after(field->value, BEARER.size)),
                           view_of(security->rules.token));
}

uint64_t security_guess_delay_us(struct security *security, const struct head *head,
                                 uint64_t now_us)
{
    uint64_t delay_us = SECURITY_DELAY_US;

    if (!security->rules.token || !head_find_named(head, VIEW("Authorization")) ||
        has_token(security, head))
        return 0;
    if (now_us >= security->guessed_us + SECURITY_CALM_US)
        security->guesses = 0;
    security->guessed_us = now_us;
    if (++security->guesses <= SECURITY_FREE_GUESSES)
        return 0;
    for (unsigned i = SECURITY_FREE_GUESSES + 1; i < security->guesses; i++) {
        delay_us *= 2;
        if (delay_us >= SECURITY_DELAY_MOST_US)
            return SECURITY_DELAY_MOST_US;
    }
    return delay_us;
}

/* Whether a browser says that another site's page asks. */
static bool is_foreign(const struct head *head)
{
    const struct field *origin = head_find_named(head, VIEW("Origin"));
    const struct field *site = head_find_named(head, VIEW("Sec-Fetch-Site"));
    struct view text;

    if (site && view_equals_nocase(site->value, VIEW("cross-site")))
        return true;
    if (!origin)
        return false;
    text = origin->value;
    if (view_starts_with(text, VIEW("http://")))
        text = view_after(text, 7);
    else if (view_starts_with(text, VIEW("https://")))
        text = view_after(text, 8);
    else
        return true; /* "null", and whatever else is not this page */
    return !view_equals_nocase(text, head->host);
}

static uint16_t check_control(const struct security *security,
                              const struct security_question *question, struct error *why)
{
    if (!security->rules.token || has_token(security, question->head))
        return 0;
    error_set(why, 0,
              "changes need the control token: Authorization: Bearer "
              "(ROOST_CONTROL_TOKEN or control.token-file)");
    return 401;
}

static uint16_t check_traffic(const struct security *security,
                              const struct security_question *question, struct error *why)
{
    if (question->is_loopback_listener || security->rules.is_open ||
        has_token(security, question->head))
        return 0;
    error_set(why, 0,
              "changes through this port need control.open: true (ROOST_OPEN=1), a loopback "
              "listener or the control token");
    return 403;
}

uint16_t security_check(const struct security *security, const struct security_question *question,
                        struct error *why)
{
    bool is_guarded = !question->is_traffic || question->is_mutation;

    if (is_guarded && !security_is_our_host(security, question->head->host)) {
        error_set(why, 0, "Host names neither this machine nor one of control.hosts");
        return 421;
    }
    if (!question->is_mutation)
        return 0;
    if (is_foreign(question->head)) {
        error_set(why, 0,
                  "changes are not taken from pages of other sites (Origin, "
                  "Sec-Fetch-Site)");
        return 403;
    }
    return question->is_traffic ? check_traffic(security, question, why)
                                : check_control(security, question, why);
}
