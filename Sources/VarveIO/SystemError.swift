// What the system's error numbers become: typed errors with the operation as message and the path as place.

import Glibc
import VarveCore

func systemError(_ operation: String, _ path: String, _ code: Int32) -> VarveError {
  let reason = String(cString: strerror(code))
  let kind: VarveError.Code =
    switch code {
    case ENOENT, ENOTDIR: .notFound
    case EEXIST: .alreadyExists
    case ENOSPC, EDQUOT: .diskFull
    case EMFILE, ENFILE: .overloaded
    default: .inputOutput
    }
  let hint: String? =
    switch code {
    case EMFILE: "this process may have \(ProcessLimits.openFiles) files and connections open: raise `ulimit -n`"
    case ENFILE: "the whole system has as many files open as it may: raise `sysctl fs.file-max`"
    default: nil
    }
  return VarveError(kind, "\(operation): \(reason)", hint: hint, place: path)
}

/// Error numbers that come from sockets of others.
package enum SystemErrorNumber {
  package static func text(_ code: Int32) -> String { String(cString: strerror(code)) }

  /// Of a connection that was not made: nothing went over it.
  package static func isUnreachable(_ code: Int32) -> Bool {
    [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN, EADDRNOTAVAIL].contains(code)
  }
}

/// Calls again after an interruption; throws what else goes wrong.
func retrying(_ operation: String, _ path: String, _ call: () -> Int32) throws -> Int32 {
  while true {
    let result = call()
    if result >= 0 { return result }
    if errno != EINTR { throw systemError(operation, path, errno) }
  }
}

extension VarveError {
  /// Want of what may come back by itself: room on the disk, or descriptors. Nothing was changed, and the same may
  /// succeed later.
  package var isWant: Bool { code == .diskFull || code == .overloaded }

  /// What `FileSystem.lock` throws; `holder` reads as in "in use by process 12".
  package static func directoryInUse(by holder: String, _ path: String) -> VarveError {
    VarveError(
      .directoryLocked, "the data directory is in use by \(holder)",
      hint: "stop that process, or go through its server with --connect", place: path)
  }
}
