#include "cli/dockhand.h"

#include "replica/dockhand.h"

int dockhand_word_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return dockhand_main();
}
