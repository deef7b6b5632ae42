#include "control/signpost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"

#define NAME       "control"
#define NAME_NEW   "control.new"
#define BYTES_MAX  4096
#define MODE       0600
#define THE_KEEPER "keeper"

static int write_text(struct folder *folder, struct view text)
{
    int fd = openat(folder->run_fd, NAME_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, MODE);
    ssize_t written;
    int error;

    if (fd < 0)
        return -errno;
    written = write(fd, text.data, text.size);
    error = written < 0 ? -errno : written < (ssize_t)text.size ? -ENOSPC : 0;
    close(fd);
    if (error == 0 && renameat(folder->run_fd, NAME_NEW, folder->run_fd, NAME) < 0)
        error = -errno;
    return error;
}

int signpost_write(struct folder *folder, const struct address *addresses, unsigned count,
                   struct error *why)
{
    struct buffer text;
    int result = 0;

    buffer_init(&text, BYTES_MAX);
    for (unsigned i = 0; result == 0 && i < count; i++) {
        char address[ADDRESS_TEXT_BYTES];

        address_to_text(&addresses[i], address);
        result = buffer_print(&text, "%s\n", address);
    }
    if (result == 0)
        result = write_text(folder, buffer_view(&text));
    buffer_finish(&text);
    if (result < 0)
        return error_set(why, result, "cannot write %s/" NAME ": %s", folder->run,
                         strerror(-result));
    return 0;
}

static bool has_keeper(struct folder *folder)
{
    struct folder_record record;
    int process;

    if (folder_read_record(folder, THE_KEEPER, &record) < 0)
        return false;
    process = folder_open_process(&record);
    if (process < 0)
        return false;
    close(process);
    return true;
}

int signpost_read(struct folder *folder, struct address *address)
{
    char text[BYTES_MAX];
    struct view line;
    ssize_t size;
    int fd;

    if (!has_keeper(folder))
        return -ENOENT;
    fd = openat(folder->run_fd, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -ENOENT;
    size = read(fd, text, sizeof(text));
    close(fd);
    if (size <= 0)
        return -ENOENT;
    line = (struct view){text, (size_t)size};
    line = view_first(line, view_find(line, '\n'));
    return address_from_text(line, address, NULL) < 0 ? -ENOENT : 0;
}
