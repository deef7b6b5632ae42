#include "replica/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/attribute.h"
#include "base/memory.h"

#define SUFFIX     ".log"
#define SUFFIX_OLD ".log.1"

/* Looked at for the last line. */
#define TAIL_BYTES 1024

int output_open(int folder_fd, const char *name)
{
    char file[NAME_MAX];
    int fd;

    snprintf(file, sizeof(file), "%s" SUFFIX, name);
    fd = openat(folder_fd, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

static void copy_end(int from, int to, off_t from_offset, off_t size)
{
    while (size > 0) {
        ssize_t copied = sendfile(to, from, &from_offset, (size_t)size);

        if (copied <= 0)
            return;
        size -= copied;
    }
}

static void rotate(int folder_fd, const char *name, int fd, off_t size, off_t most)
{
    char file[NAME_MAX];
    int old;

    snprintf(file, sizeof(file), "%s" SUFFIX_OLD, name);
    old = openat(folder_fd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (old >= 0) {
        copy_end(fd, old, size > most ? size - most : 0, size < most ? size : most);
        close(old);
    }
    /* Also where it could not be copied: the limit is kept. It writes on at the new end, for it
     * appends. A failure is tried again at the next look. */
    if (ftruncate(fd, 0) < 0)
        return;
}

void output_limit(int folder_fd, const char *name, uint64_t most)
{
    char file[NAME_MAX];
    struct stat status;
    int fd;

    snprintf(file, sizeof(file), "%s" SUFFIX, name);
    if (fstatat(folder_fd, file, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
        (uint64_t)status.st_size <= most)
        return;
    fd = openat(folder_fd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    rotate(folder_fd, name, fd, status.st_size, (off_t)most);
    close(fd);
}

static void copy_printable(const char *from, size_t size, char line[OUTPUT_LINE_BYTES])
{
    size_t at = 0;

    for (size_t i = 0; i < size && at < OUTPUT_LINE_BYTES - 1; i++) {
        if (from[i] >= ' ' && from[i] <= '~')
            line[at++] = from[i];
    }
    line[at] = '\0';
}

void output_last_line(int folder_fd, const char *name, char line[OUTPUT_LINE_BYTES])
{
    char file[NAME_MAX];
    char tail[TAIL_BYTES];
    struct stat status;
    ssize_t end = 0;
    ssize_t start;
    int fd;

    line[0] = '\0';
    snprintf(file, sizeof(file), "%s" SUFFIX, name);
    fd = openat(folder_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    if (fstat(fd, &status) == 0)
        end = pread(fd, tail, sizeof(tail),
                    status.st_size > TAIL_BYTES ? status.st_size - TAIL_BYTES : 0);
    close(fd);
    while (end > 0 && (tail[end - 1] == '\n' || tail[end - 1] == '\r'))
        end--;
    for (start = end; start > 0 && tail[start - 1] != '\n';)
        start--;
    if (end > start)
        copy_printable(tail + start, (size_t)(end - start), line);
}

struct log_file {
    struct timespec written;
    char name[NAME_MAX + 1];
};

/* The name of the replica whose log this file is; false where it is none. */
static bool is_log(const char *file, char name[NAME_MAX + 1])
{
    static const char *const suffixes[] = {SUFFIX, SUFFIX_OLD};
    size_t size = strlen(file);

    for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
        size_t suffix_size = strlen(suffixes[i]);

        if (size > suffix_size && strcmp(file + size - suffix_size, suffixes[i]) == 0) {
            memcpy(name, file, size - suffix_size);
            name[size - suffix_size] = '\0';
            return true;
        }
    }
    return false;
}

static int compare_newest_first(const void *a, const void *b)
{
    const struct timespec *one = &((const struct log_file *)a)->written;
    const struct timespec *two = &((const struct log_file *)b)->written;

    if (one->tv_sec != two->tv_sec)
        return one->tv_sec < two->tv_sec ? 1 : -1;
    return one->tv_nsec < two->tv_nsec ? 1 : -1;
}

static struct log_file *list_logs(DIR *folder, output_used_fn is_used, void *owner, unsigned *count)
{
    char name[NAME_MAX + 1];
    struct log_file *files = NULL;
    struct dirent *entry;

    while ((entry = readdir(folder)) != NULL) {
        struct stat status;

        if (!is_log(entry->d_name, name) || is_used(owner, name))
            continue;
        if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if ((*count & (*count - 1)) == 0)
            files = memory_resize(files, (*count ? *count * 2 : 1) * sizeof(*files));
        files[*count].written = status.st_mtim;
        snprintf(files[*count].name, sizeof(files[*count].name), "%s", entry->d_name);
        (*count)++;
    }
    return files;
}

void output_prune(int folder_fd, output_used_fn is_used, void *owner)
{
    int fd = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    struct log_file *files;
    unsigned count = 0;

    if (!folder)
        return;
    files = list_logs(folder, is_used, owner, &count);
    if (count > OUTPUT_FILES_MAX)
        qsort(files, count, sizeof(*files), compare_newest_first);
    for (unsigned i = OUTPUT_FILES_MAX; i < count; i++)
        unlinkat(folder_fd, files[i].name, 0);
    free(files);
    closedir(folder);
}
