// InfluxDB line protocol v2, with QuestDB's additions, from text cut anywhere into columnar batches.
//
// The same text gives the same events however it is cut into chunks. Text is parsed where it stands, without a copy,
// but for the line that a cut goes through. Memory: one unfinished line (at most the line limit), the batches not
// yet handed over, and what is remembered of series and fields to recognise them (bounded, then learnt anew).

import VarveCore

/// Parses one connection or one body from begin to end. Not for use from two threads at once.
package final class LineProtocolParser {
  private var parser: LineParser

  package init(options: LineProtocolOptions = LineProtocolOptions()) {
    parser = LineParser(options: options)
  }

  /// Takes the next bytes of the text. `now` is the time of lines without a stamp, in nanoseconds.
  package func parse(_ chunk: UnsafeRawBufferPointer, now: Int64) { parser.parse(chunk, now: now) }

  package func parse(_ bytes: [UInt8], now: Int64) { bytes.withUnsafeBytes { parser.parse($0, now: now) } }

  /// The text is over: a last line without a line break is a line. Hands over all rows.
  package func finish(now: Int64) {
    parser.finish(now: now)
    parser.flush()
  }

  /// Hands over the rows that are there, however few.
  package func flush() { parser.flush() }

  /// What was found since the last call, in the order of the text.
  package func takeEvents() -> [LineProtocolEvent] {
    let events = parser.events
    parser.events = []
    return events
  }

  /// The lines rejected since the last sync, or since the last call.
  package func takeRejected() -> RejectionSummary {
    let rejected = parser.rejected
    parser.rejected = RejectionSummary()
    return rejected
  }

  /// The same, without taking them.
  package var rejectedSoFar: RejectionSummary { parser.rejected }

  /// The lines rejected since the last call, counted by table and reason.
  package func takeRejectionCounts() -> RejectionCounts {
    let counts = parser.rejections
    if !counts.isEmpty { parser.rejections = RejectionCounts() }
    return counts
  }

  /// 1-based number of the line that begins at the next byte, or is unfinished.
  package var line: Int { parser.line }

  /// Bytes of an unfinished line.
  package var unfinishedByteCount: Int { parser.tailCount }

  /// Memory held between chunks, roughly, without batches.
  package var heldByteCount: Int { parser.heldByteCount }
}
