/*
 * A head as it was received: the request line or status line and the fields, as views into the
 * bytes it was parsed from. HTTP/2 fills the same model.
 *
 * Owner: the caller, who also owns the array of fields. The views are valid as long as the bytes
 * parsed are neither moved nor overwritten.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

/* Most fields of one head; one more is refused (431 for a request, 502 for an answer). */
#define HEAD_FIELDS_MAX 128

/* Most bytes of one head, whatever the configuration says. */
#define HEAD_BYTES_MAX (64 * 1024)

/* RFC 9110 9 and RFC 5789. Any other token is METHOD_OTHER: forwarded, never repeated. */
enum method {
    METHOD_OTHER,
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_PATCH,
    METHOD_CONNECT,
    METHOD_TRACE,
};

/* The fields a proxy has to know; all others are FIELD_OTHER. */
enum field_id {
    FIELD_OTHER,
    FIELD_CONNECTION,
    FIELD_CONTENT_LENGTH,
    FIELD_COOKIE,
    FIELD_EXPECT,
    FIELD_HOST,
    FIELD_HTTP2_SETTINGS,
    FIELD_KEEP_ALIVE,
    FIELD_PROXY_CONNECTION,
    FIELD_TE,
    FIELD_TRAILER,
    FIELD_TRANSFER_ENCODING,
    FIELD_UPGRADE,
    FIELD_VIA,
    FIELD_X_FORWARDED_FOR,
    FIELD_X_FORWARDED_HOST,
    FIELD_X_FORWARDED_PROTO,
    FIELD_X_REQUEST_ID,
    FIELD_X_ROOST_PREVIOUS_OWNER,
    FIELD_X_ROOST_REPLICA,
    FIELD_COUNT
};

/* How the body of a message is delimited (RFC 9112 6.3). */
enum framing {
    FRAMING_NONE,    /* no body */
    FRAMING_LENGTH,  /* `length` bytes, may be 0 */
    FRAMING_CHUNKED, /* RFC 9112 7.1 */
    FRAMING_CLOSE,   /* answers only: until the connection ends */
    FRAMING_TUNNEL,  /* answers only: 101 to a request that asked; no message any more */
};

struct body_framing {
    enum framing kind;
    uint64_t length; /* bytes, FRAMING_LENGTH only */
};

struct field {
    struct view name;  /* as sent; compare with view_equals_nocase() or by id */
    struct view value; /* trimmed of OWS */
    enum field_id id;
    bool is_dropped; /* never passed on, see below */
};

/*
 * Every field whose is_dropped is false is passed on as it is. Dropped are Connection and what it
 * names (but for Host, which it cannot name), Keep-Alive, Proxy-Connection, TE, Upgrade,
 * HTTP2-Settings, Transfer-Encoding and Content-Length, and Expect of an HTTP/1.0 request
 * (RFC 9110 7.6.1, 10.1.1). Whoever passes a head on writes anew: Connection, TE, Upgrade, and the
 * framing; an answer without a body (to HEAD, or 304) still bears its Content-Length, which is in
 * content_length. Host is passed on like any other field: its value is the authority of an
 * absolute-form target where there is one. An HTTP/1.0 request may have no Host field; then `host`
 * (of an absolute-form) or the service's name is written.
 */

struct head {
    /* Requests. */
    enum method method;
    struct view method_text;
    struct view target; /* origin-form or "*", or what is left of an absolute-form after its
                           authority; never empty. One that begins with '?' lacks its path:
                           h1_write_request_line() puts the '/' before it */
    struct view path;   /* the target without its query; never empty */
    struct view query;  /* behind the '?', without it; data NULL where there is no '?' */
    struct view host;  /* of Host or of an absolute-form target (RFC 9112 3.2.2); data NULL where an
                          HTTP/1.0 request has none */
    bool asks_upgrade; /* Connection: upgrade on HTTP/1.1 without a body, to `upgrade` */
    struct view
        upgrade; /* "websocket" with GET, or the only protocol named, if it is no HTTP or TLS */
    bool expects_continue; /* Expect: 100-continue */
    bool accepts_trailers; /* TE: trailers */

    /* Answers. */
    uint16_t status;    /* 100 … 599 */
    struct view reason; /* may be empty */

    /* Both. */
    uint8_t minor_version; /* of HTTP/1: 0 or 1 */
    bool says_close;       /* Connection: close, or HTTP/1.0 without keep-alive */
    bool has_upgrade;      /* an Upgrade field is there */
    bool has_transfer_encoding;
    bool has_content_length;
    uint64_t content_length;
    struct body_framing body; /* of a request; an answer's needs more: head_answer_framing() */

    struct field *fields; /* the caller's array of HEAD_FIELDS_MAX */
    uint16_t field_count;
};

/* The first field with that id, or NULL. */
const struct field *head_find(const struct head *head, enum field_id id);

/* The first field of that name, in any case of letters, or NULL. */
const struct field *head_find_named(const struct head *head, struct view name);

/* What a name is; FIELD_OTHER for all we have no reason to know. */
enum field_id head_field_id(struct view name);

enum method head_method(struct view text);

/* The token of a method, zero-ended, for ever; NULL for METHOD_OTHER. */
const char *head_method_text(enum method method);

/* May be sent again when no answer came (RFC 9110 9.2.2), as far as roost does: GET, HEAD, OPTIONS,
 * PUT, DELETE. */
bool head_is_idempotent(enum method method);

/* The framing of the answer `head` to a request of `method` (RFC 9112 6.3). `asked_upgrade`: that
 * request asked for the tunnel. */
struct body_framing head_answer_framing(const struct head *head, enum method method,
                                        bool asked_upgrade);
