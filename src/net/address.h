/* Where a socket is: IPv4, IPv6, or a path of the file system. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/view.h"

struct address {
    union {
        struct sockaddr_un un; /* the largest is first, so that {0} means all of it */
        struct sockaddr_in6 in6;
        struct sockaddr_in in;
        struct sockaddr any;
    };
    socklen_t size; /* bytes that count; 0: no address */
};

/* Room for the text of any address. */
#define ADDRESS_TEXT_BYTES 128

/* "127.0.0.1:5000", "[::1]:5000" or "unix:/path". No names. -EINVAL with the reason. */
MUST_USE int address_from_text(struct view text, struct address *address, struct error *why);

/* An IPv4 or IPv6 literal without a port (IPv6 with or without brackets). */
MUST_USE int address_from_ip(struct view ip, uint16_t port, struct address *address);

/* The same forms back, zero-ended; empty where it is no address. */
void address_to_text(const struct address *address, char text[ADDRESS_TEXT_BYTES]);

/* The IP alone, without port and brackets; an IPv4 address mapped into IPv6 as IPv4. Zero-ended;
 * empty for a path. */
void address_ip_to_text(const struct address *address, char text[ADDRESS_TEXT_BYTES]);

/* 0 for a path. */
uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);

bool address_equals(const struct address *a, const struct address *b);

/* 127.0.0.0/8, ::1, those mapped, or a path. */
bool address_is_loopback(const struct address *address);

/* A range of IP addresses, such as 10.0.0.0/8 or ::1. */
struct address_range {
    uint8_t bytes[16]; /* IPv4 as mapped */
    uint8_t bits;      /* of 128 */
};

/* "IP/BITS" or "IP". Bits behind the prefix must be zero. */
MUST_USE int address_range_from_text(struct view text, struct address_range *range,
                                     struct error *why);

/* An IPv4 address and the same one mapped into IPv6 are one. */
bool address_is_in_range(const struct address *address, const struct address_range *range);
