#include "cli/worker.h"

#include "proxy/worker.h"

int worker_word_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return worker_main();
}
