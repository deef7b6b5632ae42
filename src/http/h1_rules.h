/*
 * What the fields of an HTTP/1 head mean together: framing, Connection and what it names, Host,
 * Upgrade, Expect (RFC 9112 3.2, 6 and 9, RFC 9110 7 and 10). No bytes are read here that
 * h1_parse has not found good.
 */
#pragma once

#include "base/view.h"
#include "http/head.h"

/* Most elements of all Connection, Upgrade, TE and Expect fields of a head together: each option
 * of Connection is looked for among all names. */
#define H1_RULES_LIST_ELEMENTS_MAX 64

/* Both take a head whose line and fields are read and fill the rest of it. NULL, or one sentence
 * why it is refused. */
const char *h1_rules_request(struct head *head);
const char *h1_rules_answer(struct head *head);
