// The parsers of what clients send. Each input is parsed whole and cut in two: the outcome must be the same.

import VarveCore
import VarveWire

@Sendable func fuzzLineProtocol(_ bytes: [UInt8]) {
  func rows(_ cuts: [[UInt8]]) -> (rows: Int, rejected: Int) {
    var options = LineProtocolOptions()
    options.recognizesSync = true
    options.lineByteLimit = 300
    options.hashSeed = 1
    let parser = LineProtocolParser(options: options)
    for cut in cuts { parser.parse(cut, now: 1_700_000_000_000_000_000) }
    parser.finish(now: 1_700_000_000_000_000_000)
    var found = (rows: 0, rejected: parser.rejectedSoFar.count)
    for event in parser.takeEvents() {
      switch event {
      case .batch(let batch): found.rows += batch.points.rowCount
      case .sync(_, let rejected): found.rejected += rejected.count
      }
    }
    return found
  }
  precondition(rows([bytes]) == rows(halves(bytes)), "a cut changes what a text is")
}

@Sendable func fuzzCSV(_ bytes: [UInt8]) {
  func rows(_ cuts: [[UInt8]]) -> [Int]? {
    var options = CSVOptions(table: "t")
    options.tagColumns = ["host"]
    options.recordByteLimit = 300
    options.sampleRowLimit = 5
    options.batchRowLimit = 8
    options.hashSeed = 1
    let reader = CSVReader(options: options)
    do {
      for cut in cuts { try reader.parse(cut) }
      try reader.finish()
    } catch { return nil }
    return [reader.takeBatches().reduce(0) { $0 + $1.points.rowCount }, reader.takeRejected().count]
  }
  precondition(rows([bytes]) == rows(halves(bytes)), "a cut changes what a text is")
}

/// The first byte chooses format and options, the rest is the data.
@Sendable func fuzzCopy(_ bytes: [UInt8]) {
  guard let choice = bytes.first else { return }
  let data = Array(bytes.dropFirst())
  func rows(_ cuts: [[UInt8]]) -> [String] {
    let format: CopyFormat = [.text, .csv, .binary, .csv][Int(choice & 3)]
    var columns = [
      CopyColumn(name: "time", role: .time), CopyColumn(name: "host", role: .tag),
      CopyColumn(name: "n", role: .field(.int64)), CopyColumn(name: "s", role: .field(.text)),
      CopyColumn(name: "u", role: .field(.uint64)),
    ]
    // Tags side by side, or not; one of them last.
    if choice & 4 != 0 { columns.append(CopyColumn(name: "zone", role: .tag)) }
    func number(_ bytes: UnsafeBufferPointer<UInt8>) throws(VarveError) -> UInt64 {
      guard bytes.count < 4 else { throw VarveError(.invalidNumber, "long") }
      return UInt64(bytes.count)
    }
    var options = CopyOptions(
      table: "t", columns: columns, format: format,
      conversion: CopyConversion(
        fromText: { (bytes, _) throws(VarveError) in try number(bytes) },
        fromBinary: { (bytes, _) throws(VarveError) in try number(bytes) }))
    options.rowByteLimit = 300
    options.batchRowLimit = 8
    options.hashSeed = 1
    if format != .binary, choice & 8 != 0 { options.header = choice & 16 != 0 ? .matched : .skipped }
    if choice & 32 != 0 {
      options.null = Array("x".utf8)
      options.escape = 0x5C
    }
    let reader = CopyReader(options: options)
    do throws(VarveError) {
      for cut in cuts { try reader.read(cut) }
      try reader.finish()
    } catch {
      return [error.message, error.context ?? ""]
    }
    return reader.takeBatches().map { batch in
      let texts = (0..<batch.points.rowCount).map { batch.points.fields[1].column.string($0) }
      return "\(batch.firstRow) \(batch.points.times.array) \(batch.points.rowSeries.array) \(texts)"
    }
  }
  precondition(rows([data]) == rows(halves(data)), "a cut changes what data is")
}

/// A server that answers each action in the simplest way.
@Sendable func fuzzPostgres(_ bytes: [UInt8]) {
  var machine = PostgresStateMachine<Int, Int>()
  var isSimple = false
  for half in halves(bytes) {
    half.withUnsafeBytes { machine.receive($0) }
    answer(&machine, &isSimple)
  }
}

/// `isSimple`: a COPY is of a simple query.
private func answer(_ machine: inout PostgresStateMachine<Int, Int>, _ isSimple: inout Bool) {
  while true {
    switch machine.next() {
    case .wait, .close, .cancel: return
    case .flush: break
    case .startUp: machine.accepted(parameterStatus: [("server_version", "15")], processID: 1, secretKey: 2)
    case .simpleQuery(let text):
      if text.utf8.count % 5 == 0 {
        isSimple = true
        machine.beginCopyIn(format: .text, columnCount: 3)
        continue
      } else if text.utf8.count % 3 == 0 {
        machine.emptyQuery()
      } else {
        machine.commandComplete("SELECT 0", transaction: .idle)
      }
      machine.finished(.idle)
    case .parse(_, let types): machine.parsed(1, parameterTypes: types, columns: nil)
    case .bind(_, let values): machine.bound(values.count)
    case .execute(let count, _, let limit):
      if limit == nil, count == 1 {
        isSimple = false
        machine.beginCopyIn(format: .binary, columnCount: 1)
      } else if limit == nil {
        machine.commandComplete("SELECT 0", transaction: .idle)
      } else {
        machine.portalSuspended()
      }
    case .synchronize: machine.finished(.idle)
    case .copyData:
      if machine.withCopyData({ $0.last == 0x78 }) {
        machine.failed(PostgresError("22P04", "an x"))
        if isSimple { machine.finished(.idle) }
      }
    case .copyDone:
      machine.commandComplete("COPY 1", transaction: .idle)
      if isSimple { machine.finished(.idle) }
    case .copyFailed(let error):
      machine.failed(error)
      if isSimple { machine.finished(.idle) }
    }
  }
}

private func halves(_ bytes: [UInt8]) -> [[UInt8]] {
  // Somewhere that the input itself decides, so that a finding can be repeated.
  let cut = bytes.isEmpty ? 0 : Int(bytes.reduce(0 as UInt32) { $0 &* 31 &+ UInt32($1) }) % bytes.count
  return [Array(bytes[..<cut]), Array(bytes[cut...])]
}
