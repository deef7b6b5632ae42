/*
 * The key of a request: the first of the service's key sources that is there. What a source gives
 * is taken as it stands, byte for byte (nothing is decoded).
 */
#pragma once

#include "http/head.h"
#include "net/address.h"
#include "proxy/json_pointer.h"
#include "proxy/table.h"

/* A drawn key: 32 hexadecimal digits, or six decimal ones. */
#define KEY_DRAWN_BYTES 32

struct key {
    struct view text; /* into the head, into `memory`, or into the table */
    unsigned source;  /* its place in the service's list */
    bool is_drawn;    /* a random one */
    char memory[ADDRESS_TEXT_BYTES];
};

/*
 * Finds it among the sources that a head has. `client_ip` is the client's address as text. Where no
 * source is there the key is empty: all such requests go to one replica.
 */
void key_find(const struct table *table, const struct table_service *service,
              const struct head *head, struct view client_ip, struct key *key);

/* Does a source in the body (json:) come before the one at place `source`? */
bool key_is_in_body(const struct table_service *service, unsigned source);

/*
 * The key that the first of those sources finds in `body`, what is there of it; `is_all`: no more
 * will come. MORE where only more of the body can tell.
 */
enum json_pointer_result key_find_in_body(const struct table *table,
                                          const struct table_service *service, unsigned source,
                                          struct view body, bool is_all, struct view *key);
