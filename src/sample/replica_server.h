/*
 * The sample server that is balanced: its endpoints, over inbounds. What takes longer than one
 * callback is a job (replica_job.h).
 * Owner: the word `replica`.
 */
#pragma once

#include "base/list.h"
#include "conn/inbound.h"

#define REPLICA_SERVER_ID_BYTES 64
#define REPLICA_SERVER_BODY_MAX UINT64_MAX

/* Limits of what may be asked for. */
#define REPLICA_SERVER_BYTES_MAX  (UINT64_C(1) << 40)
#define REPLICA_SERVER_SLOW_MAX   UINT64_C(3600000) /* ms */
#define REPLICA_SERVER_PIECES_MAX UINT64_C(1000000)

struct replica_server {
    struct loop *loop;
    struct sock_group *socks;
    struct inbound_group inbounds;
    struct list jobs;
    char home[REPLICA_SERVER_ID_BYTES * 6 + 64]; /* the body of GET /home */
    size_t home_bytes;
    char *block; /* what /bytes is made of */
};

void replica_server_init(struct replica_server *server, struct sock_group *socks, const char *id);

/* All connections have ended. */
void replica_server_finish(struct replica_server *server);

/* No more requests on connections that are idle; what runs is finished, WebSockets are closed. */
void replica_server_drain(struct replica_server *server);
