#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "any_base.h"
#include "control/folder.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct folder open_folder(const char *name)
{
    struct folder folder = {.run_fd = -1, .lock_fd = -1};
    char path[128];
    struct error why;

    snprintf(path, sizeof(path), "%s/%s", any_base, name);
    assert_int_equal(0, folder_open(&folder, path, &why));
    return folder;
}

static void a_folder_is_made_for_us_alone(void **state)
{
    struct folder folder = open_folder("a/b/c");
    struct stat status;

    (void)state;
    assert_int_equal(0, stat(folder.run, &status));
    assert_int_equal(0700, status.st_mode & 0777);
    assert_int_equal(0, stat(folder.state, &status));
    assert_int_equal(0700, status.st_mode & 0777);
    folder_close(&folder);
}

static void looking_makes_nothing(void **state)
{
    struct folder folder = {.run_fd = -1, .lock_fd = -1};
    struct error why;
    char path[128];
    struct stat status;

    (void)state;
    snprintf(path, sizeof(path), "%s/none", any_base);
    assert_int_equal(-ENOENT, folder_look(&folder, path, &why));
    assert_int_equal(-1, stat(path, &status));
}

static void a_second_keeper_is_told_who_has_the_folder(void **state)
{
    struct folder first = open_folder("locked");
    struct folder second = open_folder("locked");
    char pid[32];
    struct error why;

    (void)state;
    assert_int_equal(0, folder_lock(&first, &why));
    assert_int_equal(0, folder_write_record(&first, "keeper", getpid(), &why));
    assert_int_equal(-EBUSY, folder_lock(&second, &why));
    snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
    assert_non_null(strstr(why.text, pid));
    folder_close(&first);
    assert_int_equal(0, folder_lock(&second, &why));
    folder_close(&second);
}

static void a_record_is_of_one_process_only(void **state)
{
    struct folder folder = open_folder("records");
    struct folder_record record;
    struct error why;
    pid_t child = fork();
    int fd;

    (void)state;
    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_int_equal(0, folder_write_record(&folder, "worker-1", child, &why));
    assert_int_equal(0, folder_read_record(&folder, "worker-1", &record));
    assert_int_equal(child, record.pid);
    fd = folder_open_process(&record);
    assert_true(fd >= 0);
    close(fd);
    record.start++;
    assert_int_equal(-ESRCH, folder_open_process(&record));
    record.start--;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(-ESRCH, folder_open_process(&record));
    folder_forget(&folder, "worker-1");
    assert_int_equal(-ENOENT, folder_read_record(&folder, "worker-1", &record));
    folder_close(&folder);
}

static void a_zombie_is_no_process(void **state)
{
    pid_t child = fork();

    (void)state;
    if (child == 0)
        _exit(0);
    waitid(P_PID, (id_t)child, &(siginfo_t){0}, WEXITED | WNOWAIT);
    assert_int_equal(0, folder_start_time(child));
    waitpid(child, NULL, 0);
    assert_true(folder_start_time(getpid()) > 0);
    assert_int_equal(0, folder_start_time(0x3fffffff));
}

static void write_file(const struct folder *folder, const char *name, const char *text)
{
    char path[FOLDER_PATH_BYTES + 64];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder->run, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void what_is_no_record_is_passed_over(void **state)
{
    struct folder folder = open_folder("rubbish");
    struct folder_record records[8];
    struct error why;

    (void)state;
    assert_int_equal(0, folder_write_record(&folder, "worker-2", getpid(), &why));
    assert_int_equal(0, folder_write_record(&folder, "worker-1", getpid(), &why));
    assert_int_equal(0, folder_write_record(&folder, "keeper", getpid(), &why));
    write_file(&folder, "worker-3.pid", "");
    write_file(&folder, "worker-4.pid", "rubbish");
    write_file(&folder, "worker-5", "1 2\n");
    write_file(&folder, ".pid", "1 2\n");
    assert_int_equal(2, folder_list_records(&folder, "worker-", records, 8));
    assert_string_equal("worker-1", records[0].name);
    assert_string_equal("worker-2", records[1].name);
    folder_close(&folder);
}

static void sockets_work_however_long_the_path_is(void **state)
{
    struct folder folder = open_folder("a-very-long-name-of-a-state-folder-that-does-not-fit/"
                                       "into-the-address-of-a-socket-of-the-kind-we-use-here");
    struct error why;
    int listening = folder_listen(&folder, "worker-1", &why);
    int connected = folder_connect(&folder, "worker-1");

    (void)state;
    assert_true(strlen(folder.run) > 108);
    assert_true(listening >= 0);
    assert_true(connected >= 0);
    close(connected);
    close(listening);
    assert_int_equal(-ECONNREFUSED, folder_connect(&folder, "worker-1"));
    folder_forget(&folder, "worker-1");
    assert_int_equal(-ENOENT, folder_connect(&folder, "worker-1"));
    folder_close(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_is_made_for_us_alone),
        cmocka_unit_test(looking_makes_nothing),
        cmocka_unit_test(a_second_keeper_is_told_who_has_the_folder),
        cmocka_unit_test(a_record_is_of_one_process_only),
        cmocka_unit_test(a_zombie_is_no_process),
        cmocka_unit_test(what_is_no_record_is_passed_over),
        cmocka_unit_test(sockets_work_however_long_the_path_is),
    };

    return cmocka_run_group_tests_name("control/folder", tests, any_base_make, any_base_remove);
}
