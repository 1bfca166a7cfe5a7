#ifndef CVARVE_SOCKET_H
#define CVARVE_SOCKET_H

#include <poll.h>
#include <stdint.h>

/// poll(2) with a limit in nanoseconds.
int cvarve_poll(struct pollfd *entries, uint64_t count, int64_t nanoseconds);

#endif
