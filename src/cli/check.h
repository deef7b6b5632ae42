/* `roost check`: reads a configuration and says what is wrong with it. */
#pragma once

int check_main(int argc, char **argv);
