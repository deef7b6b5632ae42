#include "control/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "replica/proc.h"

#define KEEPER           "keeper"
#define RECORD_BYTES     64
#define HANDOVER_WAITERS 8
#define LOCK_TRIES       60
#define LOCK_PAUSE_NS    5000000 /* between them */

/* Makes a folder and those above it; ours alone (0700), as the last one must be. */
static int make_folders(const char *path, struct error *why)
{
    char text[FOLDER_PATH_BYTES];
    size_t size = strlen(path);

    if (size == 0 || size >= sizeof(text))
        return error_set(why, -ENAMETOOLONG, "the path of the state folder is no path: '%s'", path);
    memcpy(text, path, size + 1);
    for (char *at = text + 1; *at; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        if (mkdir(text, 0755) < 0 && errno != EEXIST)
            return error_set(why, -errno, "cannot make the folder %s: %s", text, strerror(errno));
        *at = '/';
    }
    if (mkdir(text, 0700) < 0 && errno != EEXIST)
        return error_set(why, -errno, "cannot make the folder %s: %s", text, strerror(errno));
    return 0;
}

int folder_look(struct folder *folder, const char *state, struct error *why)
{
    struct folder found = {.run_fd = -1, .lock_fd = -1};
    int size;

    snprintf(found.state, sizeof(found.state), "%s", state);
    size = snprintf(found.run, sizeof(found.run), "%s/run", state);
    if (size < 0 || (size_t)size >= sizeof(found.run))
        return error_set(why, -ENAMETOOLONG, "the path of the state folder is too long");
    found.run_fd = open(found.run, O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    if (found.run_fd < 0)
        return error_set(why, -errno, "cannot open the folder %s: %s", found.run, strerror(errno));
    *folder = found;
    return 0;
}

int folder_open(struct folder *folder, const char *state, struct error *why)
{
    char run[FOLDER_PATH_BYTES];
    char absolute[PATH_MAX];
    int result = make_folders(state, why);

    if (result < 0)
        return result;
    if (!realpath(state, absolute))
        return error_set(why, -errno, "cannot find the folder %s: %s", state, strerror(errno));
    if (snprintf(run, sizeof(run), "%s/run", absolute) >= (int)sizeof(run))
        return error_set(why, -ENAMETOOLONG, "the path of the state folder is too long");
    result = make_folders(run, why);
    if (result < 0)
        return result;
    if (chmod(run, 0700) < 0)
        return error_set(why, -errno, "cannot make the folder %s ours: %s", run, strerror(errno));
    return folder_look(folder, absolute, why);
}

void folder_close(struct folder *folder)
{
    descriptor_close(&folder->run_fd);
    descriptor_close(&folder->lock_fd);
}

/* A keeper that was killed while it started a process left its lock to the half-made child, which
 * has it until it runs its command: a moment later it is free. */
static int lock_soon(int fd)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK)
            break;
        nanosleep(&pause, NULL);
    }
    return -errno;
}

int folder_lock(struct folder *folder, struct error *why)
{
    struct folder_record record;
    int fd = openat(folder->run_fd, "../lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int result;

    if (fd < 0)
        return error_set(why, -errno, "cannot open %s/lock: %s", folder->state, strerror(errno));
    result = lock_soon(fd);
    if (result == 0) {
        folder->lock_fd = fd;
        return 0;
    }
    descriptor_close(&fd);
    if (result != -EWOULDBLOCK)
        return error_set(why, result, "cannot lock %s: %s", folder->state, strerror(-result));
    if (folder_read_record(folder, KEEPER, &record) < 0)
        return error_set(why, -EBUSY, "the state folder %s is in use by another roost",
                         folder->state);
    return error_set(why, -EBUSY, "the state folder %s is in use by another roost (pid %d)",
                     folder->state, (int)record.pid);
}

uint64_t folder_start_time(pid_t pid)
{
    struct proc_stat stat;

    if (proc_read_stat(pid, &stat) < 0 || stat.state == 'Z' || stat.state == 'X')
        return 0;
    return stat.start_ticks;
}

int folder_open_process(const struct folder_record *record)
{
    int fd;

    if (record->pid <= 1)
        return -ESRCH;
    fd = (int)syscall(SYS_pidfd_open, record->pid, 0);
    if (fd < 0)
        return -errno;
    /* Asked after the descriptor is there: it is this process now, or it is not the one meant. */
    if (folder_start_time(record->pid) != record->start) {
        close(fd);
        return -ESRCH;
    }
    return fd;
}

static int write_whole(int fd, const char *text, size_t size)
{
    ssize_t written = write(fd, text, size);

    if (written < 0)
        return -errno;
    return (size_t)written == size ? 0 : -ENOSPC;
}

int folder_write_record(struct folder *folder, const char *name, pid_t pid, struct error *why)
{
    char file[FOLDER_NAME_BYTES];
    char fresh[FOLDER_NAME_BYTES];
    char text[RECORD_BYTES];
    int size = snprintf(text, sizeof(text), "%d %" PRIu64 "\n", (int)pid, folder_start_time(pid));
    int result;
    int fd;

    snprintf(file, sizeof(file), "%s.pid", name);
    snprintf(fresh, sizeof(fresh), "%s.new", name);
    fd = openat(folder->run_fd, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(why, -errno, "cannot write %s/%s: %s", folder->run, file, strerror(errno));
    result = write_whole(fd, text, (size_t)size);
    close(fd);
    if (result == 0 && renameat(folder->run_fd, fresh, folder->run_fd, file) < 0)
        result = -errno;
    if (result < 0)
        return error_set(why, result, "cannot write %s/%s: %s", folder->run, file,
                         strerror(-result));
    return 0;
}

int folder_read_record(struct folder *folder, const char *name, struct folder_record *record)
{
    struct folder_record found = {0};
    char file[FOLDER_NAME_BYTES];
    char text[RECORD_BYTES];
    ssize_t size;
    int pid;
    int fd;

    snprintf(found.name, sizeof(found.name), "%s", name);
    snprintf(file, sizeof(file), "%s.pid", name);
    fd = openat(folder->run_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    size = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (size <= 0)
        return -EBADMSG;
    text[size] = '\0';
    if (sscanf(text, "%d %" SCNu64, &pid, &found.start) != 2)
        return -EBADMSG;
    found.pid = pid;
    *record = found;
    return 0;
}

void folder_forget(struct folder *folder, const char *name)
{
    char file[FOLDER_NAME_BYTES];

    snprintf(file, sizeof(file), "%s.pid", name);
    unlinkat(folder->run_fd, file, 0);
    snprintf(file, sizeof(file), "%s.sock", name);
    unlinkat(folder->run_fd, file, 0);
}

static int compare_records(const void *a, const void *b)
{
    return strcmp(((const struct folder_record *)a)->name, ((const struct folder_record *)b)->name);
}

/* The name before ".pid" of a file that begins with `prefix`; false for another file. */
static bool record_name(const char *file, const char *prefix, char name[FOLDER_NAME_BYTES])
{
    size_t size = strlen(file);

    if (strncmp(file, prefix, strlen(prefix)) != 0 || size < 5 || size >= FOLDER_NAME_BYTES)
        return false;
    if (strcmp(file + size - 4, ".pid") != 0)
        return false;
    memcpy(name, file, size - 4);
    name[size - 4] = '\0';
    return true;
}

unsigned folder_list_records(struct folder *folder, const char *prefix,
                             struct folder_record *records, unsigned most)
{
    int fd = openat(folder->run_fd, ".", O_DIRECTORY | O_RDONLY | O_CLOEXEC);
    DIR *files = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *file;
    unsigned count = 0;

    if (!files) {
        descriptor_close(&fd);
        return 0;
    }
    while (count < most && (file = readdir(files))) {
        char name[FOLDER_NAME_BYTES];

        if (record_name(file->d_name, prefix, name) &&
            folder_read_record(folder, name, &records[count]) == 0)
            count++;
    }
    closedir(files);
    qsort(records, count, sizeof(*records), compare_records);
    return count;
}

/* Of a socket in the run folder, by way of its descriptor: a path as long as a state folder's may
 * be does not fit into a socket's address. */
static int socket_address(struct folder *folder, const char *name, struct sockaddr_un *address)
{
    int size;

    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    size = snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s.sock",
                    folder->run_fd, name);
    return size < 0 || (size_t)size >= sizeof(address->sun_path) ? -ENAMETOOLONG : 0;
}

int folder_listen(struct folder *folder, const char *name, struct error *why)
{
    struct sockaddr_un address;
    int result = socket_address(folder, name, &address);
    mode_t mask;
    int fd;

    if (result < 0)
        return error_set(why, result, "the name of a socket is too long: %s", name);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(why, -errno, "cannot open a socket: %s", strerror(errno));
    unlink(address.sun_path);
    mask = umask(0177);
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(fd, HANDOVER_WAITERS) < 0)
        result = error_set(why, -errno, "cannot listen on %s/%s.sock: %s", folder->run, name,
                           strerror(errno));
    umask(mask);
    if (result < 0)
        descriptor_close(&fd);
    return result < 0 ? result : fd;
}

int folder_connect(struct folder *folder, const char *name)
{
    struct sockaddr_un address;
    int result = socket_address(folder, name, &address);
    int fd;

    if (result < 0)
        return result;
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        result = -errno;
        close(fd);
        return result;
    }
    return fd;
}
