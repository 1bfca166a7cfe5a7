// Text in, batches out, whatever the format.

import VarveCore
import VarveIO
import VarveWire

protocol ImportSource: AnyObject {
  func parse(_ piece: UnsafeRawBufferPointer) throws -> [SourceBatch]
  /// The text is over.
  func finish() throws -> [SourceBatch]
  func takeRejected() -> RejectionSummary
  /// Lines, or records, so far.
  var lineCount: Int { get }
}

final class LineProtocolSource: ImportSource {
  private let parser: LineProtocolParser
  private let clock = SystemClock()

  init(_ options: LineProtocolOptions) { parser = LineProtocolParser(options: options) }

  func parse(_ piece: UnsafeRawBufferPointer) -> [SourceBatch] {
    parser.parse(piece, now: clock.wallNanoseconds())
    return batches()
  }

  func finish() -> [SourceBatch] {
    parser.finish(now: clock.wallNanoseconds())
    return batches()
  }

  func takeRejected() -> RejectionSummary { parser.takeRejected() }

  var lineCount: Int { parser.line - 1 }

  private func batches() -> [SourceBatch] {
    parser.takeEvents().compactMap { event in
      if case .batch(let batch) = event { return batch }
      return nil
    }
  }
}

final class CSVSource: ImportSource {
  private let reader: CSVReader

  init(_ reader: CSVReader) { self.reader = reader }

  func parse(_ piece: UnsafeRawBufferPointer) throws -> [SourceBatch] {
    try reader.parse(piece)
    return reader.takeBatches()
  }

  func finish() throws -> [SourceBatch] {
    try reader.finish()
    return reader.takeBatches()
  }

  func takeRejected() -> RejectionSummary { reader.takeRejected() }
  var lineCount: Int { reader.recordCount }
}
