// liburing, and plain functions for what Swift cannot call of it and of the C library.
#ifndef CURING_H
#define CURING_H

// liburing.h asks the C library for another edition of its types than Swift's Glibc has: too late, once this is there.
#include <features.h>

#include <liburing.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

// glibc declares it for _GNU_SOURCE only.
extern ssize_t preadv2(int descriptor, const struct iovec *parts, int count, off_t offset, int flags);

/// As pread, but only what is in the page cache: fewer bytes than asked, or -1, where the disk would be waited for.
static inline ssize_t curing_read_cached(int descriptor, void *buffer, size_t count, off_t offset) {
  struct iovec part = {buffer, count};
  return preadv2(descriptor, &part, 1, offset, RWF_NOWAIT);
}

/// Queues a read that `tag` names. 0 if the queue is full.
static inline int curing_queue_read(struct io_uring *ring, int descriptor, void *buffer, uint32_t count,
                                    uint64_t offset, uint64_t tag) {
  struct io_uring_sqe *entry = io_uring_get_sqe(ring);
  if (!entry) return 0;
  io_uring_prep_read(entry, descriptor, buffer, count, offset);
  entry->user_data = tag;
  return 1;
}

/// The next finished request and its result. 0 if none is finished.
static inline int curing_take(struct io_uring *ring, uint64_t *tag, int32_t *result) {
  struct io_uring_cqe *entry;
  if (io_uring_peek_cqe(ring, &entry) != 0) return 0;
  *tag = entry->user_data;
  *result = entry->res;
  io_uring_cqe_seen(ring, entry);
  return 1;
}

/// Whether the kernel behind the ring reads into plain buffers (Linux 5.6).
static inline int curing_can_read(struct io_uring *ring) {
  struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
  if (!probe) return 0;
  int can = io_uring_opcode_supported(probe, IORING_OP_READ);
  io_uring_free_probe(probe);
  return can;
}

#endif
