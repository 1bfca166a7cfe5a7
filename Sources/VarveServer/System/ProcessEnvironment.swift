// The environment that the process was started with.

import Glibc

package enum ProcessEnvironment {
  /// Names and values. Read when the process is young: nothing here changes the environment.
  package static func variables() -> [String: String] {
    var result: [String: String] = [:]
    var entry = environ
    while let text = entry.pointee {
      let variable = String(cString: text)
      if let equals = variable.firstIndex(of: "=") {
        result[String(variable[..<equals])] = String(variable[variable.index(after: equals)...])
      }
      entry += 1
    }
    return result
  }

  package static var processIdentifier: Int32 { getpid() }

  /// Seconds since some fixed point; never goes back.
  package static func monotonicSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
