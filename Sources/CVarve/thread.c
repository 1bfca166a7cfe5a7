// Names a thread for debuggers, `top -H` and `perf`; glibc shows the call only to GNU sources.
#define _GNU_SOURCE
#include "include/CVarveThread.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void cvarve_name_this_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

// Linux has nice values for threads, whatever POSIX says. Being less nice than asked for harms nobody.
void cvarve_nice_this_thread(int nice) { (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), nice); }
