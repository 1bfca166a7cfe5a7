// CSV text, cut anywhere, into batches of one table.
//
// Types are found out from the first records (the sample): a column whose values are all whole numbers is integer,
// all numbers double, all booleans boolean, anything else text; no value at all, text. From then on types stand: a
// later record with a value that does not fit is rejected, whole. An empty field is no value; an empty field in
// quotes is the empty string of a text column. Memory: the sample, then one batch.

import CVarve
import VarveCore

package final class CSVReader {
  private let options: CSVOptions
  private var records: CSVRecords
  private var header: Header?
  private var sample: [CSVRecord]? = []
  private var sampleByteCount = 0
  private var batches: [SourceBatch] = []
  private var rejected = RejectionSummary()
  private var builder: CSVBatchBuilder?
  /// Records after the header, good and bad.
  package private(set) var recordCount = 0

  struct Header {
    var names: [String]
    var time: Int
    /// Sorted by name, as a series key has them.
    var tags: [Int]
    var fields: [Int]
  }

  package init(options: CSVOptions) {
    self.options = options
    records = CSVRecords(delimiter: options.delimiter, byteLimit: options.recordByteLimit)
  }

  /// Throws if the header cannot be used.
  package func parse(_ chunk: UnsafeRawBufferPointer) throws(VarveError) {
    do {
      try records.parse(chunk, take: { try self.take(&$0) }, report: { self.report($0, $1) })
    } catch let error as VarveError {
      throw error
    } catch {
      throw VarveError(.syntax, "\(error)")
    }
  }

  package func parse(_ bytes: [UInt8]) throws(VarveError) {
    do {
      try bytes.withUnsafeBytes { try parse($0) }
    } catch let error as VarveError {
      throw error
    } catch {
      throw VarveError(.syntax, "\(error)")
    }
  }

  package func finish() throws(VarveError) {
    do {
      try records.finish(take: { try self.take(&$0) }, report: { self.report($0, $1) })
    } catch let error as VarveError {
      throw error
    } catch {
      throw VarveError(.syntax, "\(error)")
    }
    guard header != nil else { throw VarveError(.invalidArgument, "the CSV text has no header") }
    endSample()
    flush()
  }

  package func takeBatches() -> [SourceBatch] {
    let taken = batches
    batches = []
    return taken
  }

  package func takeRejected() -> RejectionSummary {
    let taken = rejected
    rejected = RejectionSummary()
    return taken
  }

  // MARK: records

  private func take(_ record: inout CSVRecord) throws {
    guard let header else {
      self.header = try readHeader(record)
      return
    }
    recordCount += 1
    guard record.fields.count == header.names.count else {
      reject(
        record.line, 1, .syntax,
        "the record has \(record.fields.count) fields, the header names \(header.names.count)")
      return
    }
    if sample != nil {
      sample?.append(record)
      sampleByteCount += record.bytes.count + 64 * record.fields.count
      if (sample?.count ?? 0) >= options.sampleRowLimit || sampleByteCount >= options.sampleByteLimit { endSample() }
    } else {
      add(record)
    }
  }

  private func readHeader(_ record: CSVRecord) throws(VarveError) -> Header {
    var names: [String] = []
    for (index, field) in record.fields.enumerated() {
      var bytes = Array(record.bytes[field.start..<field.end])
      if index == 0, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes.removeFirst(3) }
      guard let name = String(validating: bytes, as: UTF8.self) else {
        throw VarveError(.invalidUTF8, "the name of CSV column \(index + 1) is not UTF-8")
      }
      guard !name.isEmpty else { throw VarveError(.invalidArgument, "CSV column \(index + 1) has no name") }
      guard bytes.count <= Limits.nameByteCount else {
        throw VarveError(
          .nameTooLong, "CSV column name '\(name)' has more than \(Limits.nameByteCount) bytes")
      }
      guard !names.contains(name) else { throw VarveError(.invalidArgument, "the CSV header has '\(name)' twice") }
      names.append(name)
    }
    guard names.count <= Limits.columnsPerTable else {
      throw VarveError(.limitExceeded, "the CSV header has more than \(Limits.columnsPerTable) columns")
    }
    let time: Int
    if let wanted = options.timeColumn {
      guard let index = names.firstIndex(of: wanted) else {
        throw VarveError(.notFound, "the CSV header has no column '\(wanted)'", hint: "--time-column names the time")
      }
      time = index
    } else {
      guard let index = names.firstIndex(where: { ["time", "timestamp", "ts"].contains($0.lowercased()) }) else {
        throw VarveError(
          .notFound, "the CSV header has no column 'time', 'timestamp' or 'ts'", hint: "--time-column names the time")
      }
      time = index
    }
    var tags: [Int] = []
    for wanted in options.tagColumns {
      guard let index = names.firstIndex(of: wanted), index != time, !tags.contains(index) else {
        throw VarveError(.notFound, "the CSV header has no column '\(wanted)' that can be a tag", hint: "--tags")
      }
      tags.append(index)
    }
    for name in options.types.keys where !names.contains(name) {
      throw VarveError(.notFound, "the CSV header has no column '\(name)' to give a type to")
    }
    guard tags.count <= Limits.tagsPerSeries else {
      throw VarveError(.limitExceeded, "a row has at most \(Limits.tagsPerSeries) tags")
    }
    tags.sort { Array(names[$0].utf8).lexicographicallyPrecedes(Array(names[$1].utf8)) }
    let fields = names.indices.filter { $0 != time && !tags.contains($0) }
    return Header(names: names, time: time, tags: tags, fields: fields)
  }

  private func endSample() {
    guard let header, let records = sample else { return }
    sample = nil
    let types = header.fields.map { index in
      options.types[header.names[index]] ?? CSVValue.type(of: index, in: records)
    }
    builder = CSVBatchBuilder(options: options, header: header, types: types)
    for record in records { add(record) }
  }

  private func add(_ record: CSVRecord) {
    guard let builder else { preconditionFailure("records are added after the sample has ended") }
    if let rejection = builder.add(record) {
      reject(rejection.line, rejection.column, rejection.code, rejection.message)
    } else if builder.isFull {
      flush()
    }
  }

  private func flush() {
    if let batch = builder?.take() { batches.append(batch) }
  }

  // MARK: rejections

  private func report(_ line: Int, _ problem: CSVRecords.Problem) {
    if header != nil { recordCount += 1 }
    switch problem {
    case .tooLong:
      reject(line, 1, .lineTooLong, "the record is longer than \(options.recordByteLimit) bytes")
    case .quote(let column):
      reject(line, column, .syntax, "a quote within a field that does not begin with one")
    case .textBehindQuote(let column):
      reject(line, column, .syntax, "text behind the closing quote of a field")
    case .openQuote(let column):
      reject(line, column, .syntax, "a quoted field is not closed before the end of the text")
    }
  }

  private func reject(_ line: Int, _ column: Int, _ code: VarveError.Code, _ message: String) {
    rejected.count += 1
    guard rejected.rejections.count < options.reportedRejectionLimit else { return }
    rejected.rejections.append(Rejection(line: line, column: column, code: code, message: message))
  }
}
