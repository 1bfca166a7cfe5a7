// What shipping takes of the log: where its segments stand, and which are to stay until they were sent.

import VarveCore
import VarveFormat
import VarveIO

/// The log at one moment.
package struct LogView: Sendable {
  /// Oldest first, kept ones included, each up to its end; the last one up to what of it is durable.
  package let segments: [WriteAheadLog.Used]
  /// The last commit. All of it is durable in the sync modes that promise that.
  package let sequence: Sequence
  package let wallNanoseconds: Int64
}

extension Store {
  /// On the committing thread. In the modes that acknowledge before a sync it makes the log durable, as the timer does.
  package func viewLog() throws -> LogView {
    if let failure { throw failure }
    guard let log else {
      throw VarveError(.readOnly, "the log is shipped by the process that writes the database")
    }
    if options.sync != .always { try syncLog() }
    // A mark that no sync covers is nothing that was promised.
    var segments = log.kept + log.segments
    if let last = segments.popLast() {
      var sure = last
      sure.end = min(last.end, log.durable)
      if sure.end.file == last.id { segments.append(sure) }
    }
    return LogView(segments: segments, sequence: sequence, wallNanoseconds: options.clock.wallNanoseconds())
  }

  package func segmentPath(_ id: FileID) -> String { paths.segment(id) }

  /// All of the log before it was sent. From any thread.
  package func logIsShipped(to position: LogPosition) { shipHold.shipped(to: position) }

  /// Whether the log has gone on in another segment than this. From any thread.
  package func logIsBeyond(_ segment: FileID) -> Bool { feed.lastSegment.map { $0 > segment } ?? false }

  /// Bytes of segments that are kept behind those that the manifest needs.
  func keptLogByteCount(_ log: WriteAheadLog, before start: LogPosition) -> Int {
    let unneeded = log.kept + log.segments.filter { $0.end <= start }
    let (byteCount, isNews) = shipHold.keptByteCount(of: unneeded)
    if isNews {
      options.log(
        .warning,
        "log that could not be sent to the backups takes more than its bound, and the oldest of it goes: "
          + "moments in it cannot be restored to")
    }
    let wantsFollowers = options.keepsLogUnasked || wasOpened || feed.wasFollowed
    return max(byteCount, wantsFollowers ? options.keptLogByteCount : 0)
  }
}
