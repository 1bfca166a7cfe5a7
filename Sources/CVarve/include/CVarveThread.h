#ifndef CVARVE_THREAD_H
#define CVARVE_THREAD_H

#include <stdbool.h>
#include <stdint.h>

/// Gives the calling thread a name of at most 15 bytes.
void cvarve_name_this_thread(const char *name);

/// The system's number of the calling thread.
int32_t cvarve_this_thread(void);

/// Gives a thread a nice value, and SCHED_RR of a priority (from 1) or, with 0, SCHED_OTHER; of the latter the length of its
/// turns (0: the kernel's), which Linux before 6.12 takes no notice of. False if some of it was refused.
bool cvarve_schedule_thread(int32_t thread, int32_t nice, uint32_t roundRobin, uint64_t turnNanoseconds);

#endif
