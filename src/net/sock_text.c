#include "net/sock_text.h"

#include <assert.h>

#include "net/sock_write.h"

char *sock_text(struct sock_group *group, size_t size)
{
    char *text;

    if (size > SOCK_TEXT_BYTES)
        return NULL;
    if (size > SOCK_TEXT_BYTES - group->text_bytes) {
        sock_write_gathered(group);
        group->text_bytes = 0;
    }
    text = group->text + group->text_bytes;
    group->text_bytes += size;
    return text;
}

void sock_text_trim(struct sock_group *group, size_t unused)
{
    assert(unused <= group->text_bytes);
    group->text_bytes -= unused;
}
