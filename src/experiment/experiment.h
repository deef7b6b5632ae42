/* `roost experiment`: the four experiments of the assignment, on real running replicas. */
#pragma once

/* argv[0] is the word. Returns the exit status. */
int experiment_main(int argc, char **argv);
