/* `roost stop`: ends what belongs to a state folder, also after a crash. */
#pragma once

int stop_main(int argc, char **argv);
