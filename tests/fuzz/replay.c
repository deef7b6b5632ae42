/*
 * Runs a fuzz target over the files of a folder, without libFuzzer: what was found once stays
 * mended on every compiler.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay_file(const char *path, uint8_t *bytes)
{
    FILE *file = fopen(path, "rb");
    uint8_t *exact;
    size_t size;

    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    size = fread(bytes, 1, INPUT_BYTES_MAX, file);
    fclose(file);
    printf("%s\n", path);
    fflush(stdout);
    /* A block of exactly this size, so that a sanitizer sees a read past the end. */
    exact = malloc(size ? size : 1);
    if (!exact)
        abort();
    memcpy(exact, bytes, size);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

int main(int argc, char **argv)
{
    struct dirent *entry;
    uint8_t *bytes;
    char path[4096];
    DIR *folder;

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    folder = opendir(argv[1]);
    bytes = malloc(INPUT_BYTES_MAX);
    if (!folder || !bytes) {
        fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    while ((entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        replay_file(path, bytes);
    }
    free(bytes);
    closedir(folder);
    return 0;
}
