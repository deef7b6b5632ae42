/* `roost dockhand`: not for people; the keeper starts it. */
#pragma once

int dockhand_word_main(int argc, char **argv);
