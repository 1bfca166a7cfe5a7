// The process's rings: each is lent to one reader at a time, and a few are kept. Whether the system lets us have any
// is tried once, with a real read: containers and hardened kernels often forbid io_uring, and then everything is read
// with `pread`. VARVE_IO_URING=off does the same.

import CURing
import Glibc
import Synchronization

final class IORings: Sendable {
  /// nil where io_uring cannot be used.
  static let shared: IORings? = tried.rings
  /// In words, for the log and for `status`.
  static let state: String = tried.state

  private static let tried: (rings: IORings?, state: String) = {
    if let setting = getenv("VARVE_IO_URING"), ["off", "0", "no"].contains(String(cString: setting)) {
      return (nil, "off, by VARVE_IO_URING")
    }
    var reason: Int32 = 0
    guard let ring = IORing.make(reason: &reason), canRead(ring, &reason) else {
      return (nil, "not available: " + String(cString: strerror(reason)))
    }
    let rings = IORings()
    rings.giveBack(Lent(ring: ring))
    return (rings, "in use")
  }()

  private static let keptCount = 4

  /// Handed from thread to thread whole: never used by two at once.
  struct Lent: @unchecked Sendable {
    let ring: IORing
  }

  private let idle = Mutex<[Lent]>([])

  /// nil when there is no other to be had, such as for want of descriptors.
  func lend() -> Lent? {
    if let kept = idle.withLock({ $0.popLast() }) { return kept }
    var reason: Int32 = 0
    return IORing.make(reason: &reason).map { Lent(ring: $0) }
  }

  func giveBack(_ lent: Lent) {
    idle.withLock { if $0.count < Self.keptCount { $0.append(lent) } }
  }

  /// Closes the rings that nobody uses: each holds a descriptor.
  func closeIdle() { idle.withLock { $0.removeAll() } }

  /// Some systems let rings be made and refuse to run them.
  private static func canRead(_ ring: IORing, _ reason: inout Int32) -> Bool {
    let descriptor = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)
    // Without that file there is nothing to try it on; a ring that fails later is replaced by `pread`.
    guard descriptor >= 0 else { return true }
    defer { close(descriptor) }
    return withUnsafeTemporaryAllocation(byteCount: 4, alignment: 1) { bytes in
      var request = [ReadRequest(offset: 0, buffer: bytes)]
      reason = EPERM
      return request.withUnsafeMutableBufferPointer { ring.read(descriptor, $0) } && request[0].byteCount == 4
    }
  }
}
