#include "control/node.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"

static bool is_name(const char *text)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";

    return *text && strlen(text) < NODE_NAME_BYTES && text[0] != '-' &&
           strspn(text, good) == strlen(text);
}

static int read_name(const char *path, char name[NODE_NAME_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size;

    if (fd < 0)
        return -errno;
    size = read(fd, name, NODE_NAME_BYTES - 1);
    close(fd);
    name[size > 0 ? size : 0] = '\0';
    name[strcspn(name, "\n")] = '\0';
    return is_name(name) ? 0 : -EBADMSG;
}

static int write_name(const char *path, const char *name)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int result = 0;

    if (fd < 0)
        return -errno;
    if (dprintf(fd, "%s\n", name) < 0 || fsync(fd) < 0)
        result = -errno;
    close(fd);
    return result;
}

int node_name(const struct folder *folder, char name[NODE_NAME_BYTES], struct error *why)
{
    const char *given = getenv("ROOST_NODE");
    char path[FOLDER_PATH_BYTES + sizeof("/node")];
    int result;

    if (given && *given) {
        if (!is_name(given))
            return error_set(why, -EINVAL,
                             "ROOST_NODE is '%.64s': up to %d letters, digits and '-' are expected",
                             given, NODE_NAME_BYTES - 1);
        snprintf(name, NODE_NAME_BYTES, "%s", given);
        return 0;
    }
    snprintf(path, sizeof(path), "%s/node", folder->state);
    if (read_name(path, name) == 0)
        return 0;
    snprintf(name, NODE_NAME_BYTES, "%016" PRIx64, random_next());
    result = write_name(path, name);
    if (result < 0)
        return error_set(why, result, "cannot write %s: %s", path, strerror(-result));
    return 0;
}
