// Where a log ends that is to go no further than some commit: for restoring an earlier moment than a backup's own.

import VarveCore
import VarveFormat
import VarveIO

/// How far a log is to go.
package enum LogLimit: Sendable {
  case sequence(Sequence)
  /// Up to, and without, the first commit whose wall time is later.
  case time(Int64)
}

package struct LogCut {
  /// The last commit before the cut.
  package private(set) var last: Sequence
  /// Where the first commit begins that is left out; nil: the log ends before.
  package private(set) var position: LogPosition?

  /// Looks for the place in the log that begins at `start`, behind commit `flushed`.
  package static func find(
    _ limit: LogLimit, from start: LogPosition, flushed: Sequence, paths: StorePaths, files: any FileSystem
  ) throws -> LogCut {
    var cut = LogCut(last: flushed)
    var reader = LogReader(paths: paths, files: files, start: start)
    try reader.readWithPositions { position, sequence, record in
      guard cut.position == nil else { return }
      let isBeyond =
        switch limit {
        case .sequence(let last): sequence > last
        case .time(let time): record.wallNanoseconds > time
        }
      if isBeyond {
        cut.position = position
      } else {
        cut.last = sequence
      }
    }
    return cut
  }

  /// Takes what lies behind the cut out of the log's files, which nobody has open. Frames before it claim nothing of
  /// what goes.
  package func apply(_ paths: StorePaths, _ files: any FileSystem) throws {
    guard let position else { return }
    for name in try files.list(paths.log) {
      guard let id = StorePaths.id(of: name, suffix: "wal"), id >= position.file else { continue }
      let path = paths.segment(id)
      if id > position.file {
        try files.remove(path)
        continue
      }
      let file = try files.open(path, .readWrite)
      defer { file.close() }
      let byteCount = try file.byteCount()
      try file.truncate(to: position.offset)
      try file.truncate(to: byteCount)
      try file.sync()
    }
    try files.syncDirectory(paths.log)
  }
}
