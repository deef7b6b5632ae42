/*
 * Asks the Docker Engine over its unix socket: one call is one HTTP exchange on a connection of
 * its own. Nothing blocks, every call ends within its time.
 *
 * The version of the API is agreed with the Engine before the first call and again after each
 * failure to reach it (GET /version, whose path has no version): the newest that both know.
 *
 * By conn/, not by libcurl: with it every process of the program, the replicas among them, would
 * load 30 more libraries and start 8 ms later.
 *
 * Owner: the dockhand.
 */
#pragma once

#include <stdbool.h>

#include "conn/outbound.h"
#include "net/sock.h"

#define ENGINE_SOCKET "/var/run/docker.sock"

/* Versions "1.N" of the API: those we need and know. What we use has been in all of them. */
#define ENGINE_VERSION_LEAST 41
#define ENGINE_VERSION_MOST  52

#define ENGINE_PATH_BYTES       2048
#define ENGINE_ANSWER_BYTES_MAX (16u << 20)
#define ENGINE_LINE_BYTES_MAX   (256u << 10) /* of a stream of lines */

/* How an Engine is asked whether it is there. */
#define ENGINE_VERSION_TIMEOUT_MS 3000u

struct engine_call;

struct engine_answer {
    int status; /* of HTTP; or a negative errno: -EHOSTDOWN where the Engine cannot be reached,
                   -ETIMEDOUT, -EPROTO */
    struct view body; /* whole; empty for a stream of lines */
    const char *why;  /* status < 0: a sentence */
};

/* The call is over; it and the answer are gone when this returns. */
typedef void (*engine_done_fn)(void *owner, const struct engine_answer *answer);

/* Of a stream: its first lines may come (line.data NULL), or a line without its end. */
typedef void (*engine_line_fn)(void *owner, struct view line);

/* Copied by the callee. */
struct engine_request {
    enum method method;     /* METHOD_GET, METHOD_POST or METHOD_DELETE */
    const char *path;       /* without the version, with the query, escaped */
    const char *body;       /* JSON, or NULL */
    uint32_t timeout_ms;    /* for the whole answer; of a stream for its head */
    engine_line_fn on_line; /* NULL: the answer is no stream */
    engine_done_fn done;
    void *owner;
};

struct engine {
    struct loop *loop;
    struct outbound_pool pool;
    struct address address;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    unsigned version;          /* 0: not agreed */
    struct engine_call *asker; /* of the version, or NULL */
    struct list calls;         /* under way */
    struct list waiting;       /* for their turn, or for the version */
    struct ready ready;
};

/*
 * `host` is as DOCKER_HOST has it ("unix:///var/run/docker.sock"), NULL or empty for the usual
 * place. -EINVAL with a sentence where it is no unix socket.
 */
MUST_USE int engine_init(struct engine *engine, struct sock_group *socks, const char *host,
                         struct error *why);

/* Is `host` one that engine_init() takes? -EINVAL with a sentence. */
MUST_USE int engine_check_host(const char *host, struct error *why);

/* Calls under way are cancelled. */
void engine_finish(struct engine *engine);

/* The call is the engine's; done() comes from the loop, never from inside this. */
struct engine_call *engine_ask(struct engine *engine, const struct engine_request *request);

/* Its done() is not called. NULL is harmless. */
void engine_cancel(struct engine_call *call);

/* Appends `text`, escaped for a path or a query (RFC 3986 2.1), to zero-ended `path` of
 * ENGINE_PATH_BYTES. -ENAMETOOLONG, path untouched. */
MUST_USE int engine_escape(char *path, const char *text);

/* The version to speak to an Engine that knows 1.`least` to 1.`most`; -EPROTONOSUPPORT with a
 * sentence where there is none. */
MUST_USE int engine_choose_version(unsigned least, unsigned most, struct error *why);
