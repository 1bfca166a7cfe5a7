// What the system lets this process have.

import CVarve
import Glibc

package enum ProcessLimits {
  /// Processors that are there to run threads.
  package static var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

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

  /// Keeps freed memory in one place: what one thread frees, the next one takes. The C library's own choice, up to
  /// eight arenas a processor, leaves each thread's batches and pages in a place of its own, and the process grows
  /// for hours. To be called before there are threads; our allocations are large and few, so nobody waits for another.
  package static func limitAllocatorArenas() { cvarve_limit_arenas(2) }
}
