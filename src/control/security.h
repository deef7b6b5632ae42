/*
 * Who may ask what of the API (contract: loopback, token, Host, Origin). Pure: looks at a head.
 *
 * Owner: the struct it is embedded in.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "http/head.h"

#define SECURITY_HOST_BYTES 256

struct security_rules {
    const char *token;  /* NULL: none */
    bool is_open;       /* classic changes on the traffic port for everybody */
    char *const *hosts; /* that Host may name besides our own */
    unsigned host_count;
};

/* So many wrong tokens are answered at once; each further one takes longer, up to the most. After
 * the calm they are forgotten. */
#define SECURITY_FREE_GUESSES  3
#define SECURITY_DELAY_US      UINT64_C(100000)
#define SECURITY_DELAY_MOST_US UINT64_C(2000000)
#define SECURITY_CALM_US       UINT64_C(60000000)

struct security {
    struct security_rules rules;
    unsigned guesses; /* wrong tokens lately */
    uint64_t guessed_us;
    char own_name[SECURITY_HOST_BYTES];
};

/* What is asked, and how it came in. */
struct security_question {
    const struct head *head;
    bool is_mutation;
    bool is_traffic;           /* through a worker */
    bool is_loopback_listener; /* ... and its client came by a loopback address */
};

/* The rules' pointers must stay valid. */
void security_init(struct security *security, const struct security_rules *rules);

/* 0 where it may be done, else the status to answer (401, 403, 421) with a sentence. */
uint16_t security_check(const struct security *security, const struct security_question *question,
                        struct error *why);

/* Was a token given that is not ours? Counts it, and says how long its answer is to wait. */
uint64_t security_guess_delay_us(struct security *security, const struct head *head,
                                 uint64_t now_us);

/* Equal? Takes the same time wherever they differ; only the length of what was given shows. */
bool security_equals(struct view given, struct view secret);

/* Is it an IP literal, localhost, our own name, or one of those allowed? Ports are ignored. */
bool security_is_our_host(const struct security *security, struct view host);
