/* How many processors this process may use. */
#pragma once

/* By its affinity and the control group's quota, rounded up; at least 1. */
unsigned cores_count(void);
