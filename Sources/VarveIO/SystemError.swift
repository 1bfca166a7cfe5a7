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
    default: .inputOutput
    }
  return VarveError(kind, "\(operation): \(reason)", place: path)
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
  /// What `FileSystem.lock` throws; `holder` reads as in "in use by process 12".
  package static func directoryInUse(by holder: String, _ path: String) -> VarveError {
    VarveError(
      .directoryLocked, "the data directory is in use by \(holder)",
      hint: "stop that process, or go through its server with --connect", place: path)
  }
}
