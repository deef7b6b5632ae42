#include "api/api_v1_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api_v1.h"
#include "base/memory.h"
#include "control/keeper.h"

#define NUMBER_BYTES 32

/* The last `most` bytes of the piece that is written to and of the one before it. */
struct tail {
    char *bytes;
    size_t size;
    size_t most;
};

/* Puts the end of a file before what is there. */
static void prepend(struct tail *tail, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    size_t room = tail->most - tail->size;
    struct stat status;
    ssize_t got;
    size_t size;

    if (fd < 0)
        return;
    if (room && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
        size = (size_t)status.st_size < room ? (size_t)status.st_size : room;
        memmove(tail->bytes + size, tail->bytes, tail->size);
        got = pread(fd, tail->bytes, size, status.st_size - (off_t)size);
        /* It was emptied at this very moment: nothing of it then. */
        if (got < (ssize_t)size) {
            memmove(tail->bytes, tail->bytes + size, tail->size);
            size = 0;
        }
        tail->size += size;
    }
    close(fd);
}

static bool read_most(struct api_request *request, size_t *most)
{
    char text[NUMBER_BYTES];
    uint64_t bytes;

    *most = API_V1_LOG_BYTES;
    if (!api_query(request, "bytes", text, sizeof(text)))
        return true;
    if (view_to_number(view_of(text), API_V1_LOG_BYTES_MAX, &bytes) < 0) {
        api_fail(request, 400, "'bytes' is not a number up to %d", API_V1_LOG_BYTES_MAX);
        return false;
    }
    *most = bytes;
    return true;
}

static void answer_tail(struct api_request *request, const struct crew_member *member)
{
    const struct folder *folder = &request->api->keeper->folder;
    struct tail tail = {0};
    char path[FOLDER_PATH_BYTES + FOLDER_NAME_BYTES + CREW_NAME_BYTES];

    if (!read_most(request, &tail.most))
        return;
    tail.bytes = memory_allocate(tail.most + 1);
    snprintf(path, sizeof(path), "%s/replicas/%s/%s.log", folder->run, member->crew->config->name,
             member->name);
    prepend(&tail, path);
    strncat(path, ".1", sizeof(path) - strlen(path) - 1);
    prepend(&tail, path);
    api_answer(request, 200, "text/plain; charset=utf-8", (struct view){tail.bytes, tail.size});
    free(tail.bytes);
}

/* The output of a container is the Engine's: the dockhand has no word for reading it. */
static void refuse_tail(struct api_request *request, const struct crew_member *member)
{
    enum config_driver driver = member->crew->config->replicas.driver;
    const char *container = member->replica ? member->replica->handle : "";
    char advice[64] = "";

    if (driver == CONFIG_DRIVER_DOCKER && container[0])
        snprintf(advice, sizeof(advice), ": docker logs %.12s", container);
    api_fail(request, 404, "roost keeps the output of processes alone, not of the driver '%s'%s",
             config_driver_name(driver), advice);
}

void api_v1_log(struct api_request *request)
{
    struct crew *crew = api_v1_crew(request);
    const struct crew_member *member = crew ? api_v1_member(request, crew) : NULL;

    if (!member)
        return;
    if (crew->config->replicas.driver == CONFIG_DRIVER_PROCESS)
        answer_tail(request, member);
    else
        refuse_tail(request, member);
}
