#include "conn/chunk_out.h"

#include <assert.h>

#include "http/h1_chunk.h"

void chunk_out_write(struct sock *sock, struct view data)
{
    char *text = sock_text(sock->group, H1_CHUNK_PREFIX_BYTES);
    size_t size;

    assert(data.size);
    size = h1_chunk_prefix(data.size, text);
    sock_text_trim(sock->group, H1_CHUNK_PREFIX_BYTES - size);
    sock_write(sock, (struct view){text, size});
    sock_write(sock, data);
    sock_write(sock, VIEW("\r\n"));
}

void chunk_out_end(struct sock *sock, struct view trailers)
{
    sock_write(sock, VIEW("0\r\n"));
    sock_write(sock, trailers);
    sock_write(sock, VIEW("\r\n"));
}
