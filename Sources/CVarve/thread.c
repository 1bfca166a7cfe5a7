// Names a thread for debuggers, `top -H` and `perf`; glibc shows the call only to GNU sources.
#define _GNU_SOURCE
#include "include/CVarveThread.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void cvarve_name_this_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int32_t cvarve_this_thread(void) { return (int32_t)syscall(SYS_gettid); }

// As the kernel takes it; headers of libc know neither the call nor the structure.
struct scheduling {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime;
  uint64_t deadline;
  uint64_t period;
};

// Threads that this one starts are as any other.
static const uint64_t reset_on_fork = 1;

bool cvarve_schedule_thread(int32_t thread, int32_t nice, uint32_t roundRobin, uint64_t turnNanoseconds) {
  // Linux has nice values for threads, whatever POSIX says.
  bool isGranted = setpriority(PRIO_PROCESS, (id_t)thread, nice) == 0;
  struct scheduling wanted = {
      .size = sizeof(wanted),
      .policy = roundRobin > 0 ? SCHED_RR : SCHED_OTHER,
      .flags = reset_on_fork,
      .nice = getpriority(PRIO_PROCESS, (id_t)thread),
      .priority = roundRobin,
      .runtime = roundRobin > 0 ? 0 : turnNanoseconds,
  };
  return syscall(SYS_sched_setattr, thread, &wanted, 0) == 0 && isGranted;
}
