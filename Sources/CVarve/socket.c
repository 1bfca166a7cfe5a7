// Waiting for sockets more finely than by the millisecond; glibc shows the call only to GNU sources.
#define _GNU_SOURCE
#include "include/CVarveSocket.h"

#include <time.h>

int cvarve_poll(struct pollfd *entries, uint64_t count, int64_t nanoseconds) {
  struct timespec limit = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
  return ppoll(entries, count, &limit, 0);
}
