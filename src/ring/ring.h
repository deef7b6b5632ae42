/* `roost ring`: the hashing library without a server. */
#pragma once

/* argv[0] is the word. Returns the exit status. */
int ring_main(int argc, char **argv);
