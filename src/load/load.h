/* `roost load`: an asynchronous HTTP load generator. */
#pragma once

/* argv[0] is the word. Returns the exit status. */
int load_main(int argc, char **argv);
