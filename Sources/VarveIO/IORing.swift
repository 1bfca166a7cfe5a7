// One io_uring: many reads handed to the system with one call. Used by one thread at a time (`IORings`).
//
// The system writes into the buffers of a request until it is finished, whatever happens here. So `read` returns only
// when nothing is in flight, and a ring on which a call failed is used no more. What it could not read is left to
// `pread`, which then also says what is wrong.

import CURing
import Glibc

final class IORing {
  /// Requests in flight at most. Cold reads gain up to some hundred, memory is a few kilobytes.
  static let depth = 128

  private let ring: UnsafeMutablePointer<io_uring>

  private init(_ ring: UnsafeMutablePointer<io_uring>) { self.ring = ring }

  deinit {
    io_uring_queue_exit(ring)
    ring.deallocate()
  }

  /// nil, with the error number in `reason`, where the system has none for us.
  static func make(reason: inout Int32) -> IORing? {
    let ring = UnsafeMutablePointer<io_uring>.allocate(capacity: 1)
    ring.initialize(to: io_uring())
    let result = io_uring_queue_init(UInt32(depth), ring, 0)
    guard result == 0 else {
      ring.deallocate()
      reason = -result
      return nil
    }
    let made = IORing(ring)
    guard curing_can_read(ring) != 0 else {
      reason = ENOSYS
      return nil
    }
    return made
  }

  /// Fills the requests as far as it can. False when the ring is of no further use.
  func read(_ descriptor: Int32, _ requests: UnsafeMutableBufferPointer<ReadRequest>) -> Bool {
    for start in stride(from: 0, to: requests.count, by: Self.depth) {
      let end = min(start + Self.depth, requests.count)
      for i in start..<end {
        let request = requests[i]
        let isQueued = curing_queue_read(
          ring, descriptor, request.buffer.baseAddress, UInt32(clamping: request.buffer.count), UInt64(request.offset),
          UInt64(i))
        precondition(isQueued != 0, "an idle ring has room for its depth")
      }
      guard finish(end - start, requests) else { return false }
    }
    return true
  }

  /// Submits `count` queued reads and waits for all of them.
  private func finish(_ count: Int, _ requests: UnsafeMutableBufferPointer<ReadRequest>) -> Bool {
    var submitted = 0
    var finished = 0
    while finished < count {
      let result = io_uring_submit_and_wait(ring, UInt32(count - finished))
      // An error means that this call submitted nothing.
      if result > 0 { submitted += Int(result) }
      finished += take(requests)
      if result < 0, result != -EINTR {
        while finished < submitted {
          usleep(100)
          finished += take(requests)
        }
        return false
      }
    }
    return true
  }

  private func take(_ requests: UnsafeMutableBufferPointer<ReadRequest>) -> Int {
    var count = 0
    var (tag, result): (UInt64, Int32) = (0, 0)
    while curing_take(ring, &tag, &result) != 0 {
      requests[Int(tag)].byteCount = max(0, Int(result))
      count += 1
    }
    return count
  }
}
