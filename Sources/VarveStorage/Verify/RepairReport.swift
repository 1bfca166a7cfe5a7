// What a repair found and gave up, for people and for the record that it leaves in `quarantine/`.

import VarveCore

package struct RepairReport: Sendable, Equatable {
  /// A chunk that is no longer live.
  package struct LostChunk: Sendable, Equatable {
    /// Within the data directory.
    package let file: String
    package let table: String
    package let partition: Int64
    package let time: TimeRange
    package let rowCount: Int
    package let isMissing: Bool
    package let message: String
  }

  /// A log that could not be read to its end.
  package struct LostLog: Sendable, Equatable {
    package let message: String
    package let segments: [String]
    /// The last commit that was kept.
    package let kept: Sequence
    /// The commits behind it that are known to have been there; empty when there is no sign of any.
    package let lostCommits: [ClosedRange<Sequence>]
    /// Rows of those among them that can still be read in the quarantined files.
    package let readableRowCount: Int
  }

  /// A dimension table whose file is no longer live: what the log says of it since is all that it holds.
  package struct LostDimension: Sendable, Equatable {
    let file: String
    let table: String
    let rowCount: Int
    let isMissing: Bool
    let message: String
  }

  package internal(set) var chunks: [LostChunk] = []
  package internal(set) var dimensions: [LostDimension] = []
  package internal(set) var log: LostLog?
  /// What an interrupted repair had written down before it was finished now.
  package internal(set) var finished: [String] = []
  /// How a time is shown: nanoseconds since 1970 unless told otherwise.
  var timeText: @Sendable (Int64) -> String = { String($0) }

  package static func == (a: Self, b: Self) -> Bool {
    a.chunks == b.chunks && a.dimensions == b.dimensions && a.log == b.log && a.finished == b.finished
  }

  /// Nothing was damaged, and nothing was changed.
  package var isUnneeded: Bool { chunks.isEmpty && dimensions.isEmpty && log == nil && finished.isEmpty }

  /// Rows that chunks and dimension files lost.
  package var lostRowCount: Int {
    chunks.reduce(0) { $0 + $1.rowCount } + dimensions.reduce(0) { $0 + $1.rowCount }
  }

  /// The report in words.
  package var lines: [String] {
    if isUnneeded { return ["nothing is damaged; nothing was changed"] }
    let found = foundLines
    return found + finished.filter { !found.contains($0) }
  }

  var foundLines: [String] {
    var lines = chunks.map { chunk in
      "\(chunk.file): \(chunk.isMissing ? "missing" : "damaged (\(chunk.message)), moved to quarantine"); "
        + "lost: \(chunk.rowCount) rows of table \"\(chunk.table)\", partition \(chunk.partition), "
        + "from \(timeText(chunk.time.lower)) to \(timeText(chunk.time.upper))"
    }
    lines += dimensions.map { table in
      "\(table.file): \(table.isMissing ? "missing" : "damaged (\(table.message)), moved to quarantine"); "
        + "lost: \(table.rowCount) rows of dimension table \"\(table.table)\"; what the log holds of it is kept"
    }
    if let log {
      lines.append(
        "wal: \(log.message); kept up to commit \(log.kept.rawValue); lost: \(Self.text(log.lostCommits))"
          + (log.readableRowCount > 0 ? " (\(log.readableRowCount) of their rows are readable in quarantine)" : ""))
      lines += log.segments.map { "\($0): moved to quarantine" }
    }
    return lines
  }

  private static func text(_ commits: [ClosedRange<Sequence>]) -> String {
    guard !commits.isEmpty else { return "no commit that left a sign of itself" }
    return commits.map { range in
      range.count == 1
        ? "commit \(range.lowerBound.rawValue)" : "commits \(range.lowerBound.rawValue) to \(range.upperBound.rawValue)"
    }.joined(separator: ", ")
  }
}

extension ClosedRange where Bound == Sequence {
  fileprivate var count: UInt64 { upperBound.rawValue - lowerBound.rawValue + 1 }
}
