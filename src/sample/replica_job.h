/*
 * Answers of the sample server that take a while: many bytes, pieces one by one, an answer after
 * some time, an echo, a WebSocket.
 * Owner of a job: itself, until its stream is over.
 */
#pragma once

#include "sample/replica_server.h"

/* What a block of /bytes holds. */
#define REPLICA_JOB_BLOCK_BYTES (256 * 1024)

void replica_job_bytes(struct replica_server *server, struct stream *stream, bool has_body,
                       uint64_t count);
void replica_job_stream(struct replica_server *server, struct stream *stream, bool has_body,
                        uint64_t pieces);
void replica_job_slow(struct replica_server *server, struct stream *stream, uint64_t delay_ms);
void replica_job_echo(struct replica_server *server, struct stream *stream,
                      const struct head *head);

/* `accept` as websocket_accept() made it. */
void replica_job_websocket(struct replica_server *server, struct stream *stream,
                           const char *accept);

/* Closes the WebSockets (1001, going away). */
void replica_job_drain_all(struct replica_server *server);
