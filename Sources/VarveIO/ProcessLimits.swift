// What the system lets this process have.

import Glibc

package enum ProcessLimits {
  /// Files and sockets that may be open; 0 where the system does not say.
  package static var openFiles: Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    return Int(clamping: limit.rlim_cur)
  }

  /// Raises the number of files and sockets that may be open from the soft limit, which is often 1,024, to the hard
  /// one. Returns the number in force.
  @discardableResult
  package static func raiseOpenFiles() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
    let soft = limit.rlim_cur
    limit.rlim_cur = limit.rlim_max
    // Not being allowed to is no reason not to start.
    return setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 ? Int(limit.rlim_max) : Int(soft)
  }
}
