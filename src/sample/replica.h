/* `roost replica`: the sample server that is balanced. */
#pragma once

int replica_main(int argc, char **argv);
