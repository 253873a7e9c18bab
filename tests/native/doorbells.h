/* Writes that signal an event instead of making an exit. For the holder of the lock. */
#pragma once

#include "address.h"

/* There are none any more. */
HIDDEN void doorbells_remove_all(void);
