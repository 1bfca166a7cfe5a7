// Names a thread for debuggers, `top -H` and `perf`; glibc shows the call only to GNU sources.
#define _GNU_SOURCE
#include "include/CVarveThread.h"

#include <pthread.h>

void cvarve_name_this_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
