/* Nothing: what starting takes. */
#include "guest.h"

u32 main(void)
{
	return 0;
}
