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
    let taken = TakenRows()
    if choice & 64 != 0 {
      options.columns = ["a", "b", "c"].map { CopyColumn(name: $0, role: .value, isNullInQuotes: $0 == "b") }
      options.rows = taken
    }
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
    return taken.rows
      + reader.takeBatches().map { batch in
        let texts = (0..<batch.points.rowCount).map { batch.points.fields[1].column.string($0) }
        return "\(batch.firstRow) \(batch.points.times.array) \(batch.points.rowSeries.array) \(texts)"
      }
  }
  precondition(rows([data]) == rows(halves(data)), "a cut changes what data is")
}

/// Rows of a table that is no series table, as text. Values of one byte are refused, and rows of none but NULL.
private final class TakenRows: CopyRows {
  private(set) var rows: [String] = []
  private var row: [String] = ["", "", ""]

  func put(_ bytes: UnsafeBufferPointer<UInt8>?, column: Int, isBinary: Bool) throws(VarveError) {
    if bytes?.count == 1 { throw VarveError(.invalidNumber, "short") }
    row[column] = bytes.map { String(decoding: $0, as: UTF8.self) } ?? "NULL"
  }
  func checkRow() throws(VarveError) {
    if row == ["NULL", "NULL", "NULL"] { throw VarveError(.query, "nothing") }
  }
  func endRow() throws(VarveError) {
    let text = row.joined(separator: "|")
    if text == rows.last { throw VarveError(.query, "twice") }
    rows.append(text)
  }
}

/// A server that answers each action in the simplest way. What it answers follows from the length of a statement's text:
/// rows, a COPY in or out, a transaction's begin or end, a cursor that is opened or closed.
@Sendable func fuzzPostgres(_ bytes: [UInt8]) {
  var machine = PostgresStateMachine<Int, Int>()
  var server = FuzzedServer()
  for half in halves(bytes) {
    half.withUnsafeBytes { machine.receive($0) }
    server.answer(&machine)
  }
}

private struct FuzzedServer {
  private static let columns = [ResultColumn(name: "n", typeOID: 20, typeSize: 8)]
  /// A COPY is of a simple query.
  private var isSimple = false
  private var status = TransactionStatus.idle

  private mutating func run(_ length: Int, _ machine: inout PostgresStateMachine<Int, Int>) throws {
    switch length % 8 {
    case 0:
      status = status == .idle ? .inTransaction : .idle
      machine.commandComplete(status == .idle ? "COMMIT" : "BEGIN", transaction: status)
    case 1:
      machine.openCursor("p", Self.columns)
      machine.commandComplete("DECLARE CURSOR", transaction: status)
    case 2:
      machine.closeCursor("p")
      machine.commandComplete("CLOSE CURSOR", transaction: status)
    case 3:
      machine.writer.copyOutResponse(format: .text, columnCount: 1)
      let row = machine.writer.beginCopyData()
      machine.writer.buffer.append(0x31)
      try machine.writer.endDataRow(row)
      // A row that was begun and turned out not to be one.
      machine.writer.takeBack(machine.writer.beginCopyData())
      machine.writer.copyDone()
      machine.commandComplete("COPY 1", transaction: status)
    case 4:
      machine.notice(PostgresError(.notice, "00000", "a notice"))
      machine.commandComplete("SELECT 0", transaction: status)
    default: machine.commandComplete("SELECT 0", transaction: status)
    }
  }

  mutating func answer(_ machine: inout PostgresStateMachine<Int, Int>) {
    do {
      try answerAll(&machine)
    } catch {
      preconditionFailure("a row of one byte is not too long: \(error)")
    }
  }

  private mutating func answerAll(_ machine: inout PostgresStateMachine<Int, Int>) throws {
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
          if text.utf8.count % 8 > 4 { machine.beginRows(Self.columns) }
          try run(text.utf8.count, &machine)
        }
        machine.finished(status)
      case .parse(let sql, let types):
        machine.parsed(
          sql.utf8.count, parameterTypes: types, columns: sql.utf8.count % 8 > 4 ? Self.columns : nil)
      case .bind(let length, let values, let portal):
        if portal.utf8.count == 3 {
          machine.failed(PostgresError("22P02", "a name of three bytes"))
        } else {
          machine.bound(values.isEmpty ? length : 5 * length)
        }
      case .execute(let length, _, let limit):
        if limit == nil, length % 5 == 0 {
          isSimple = false
          machine.beginCopyIn(format: .binary, columnCount: 1)
        } else if limit != nil, length % 8 > 4 {
          machine.portalSuspended()
        } else {
          try run(length, &machine)
        }
      case .synchronize: machine.finished(status)
      case .copyData:
        if machine.withCopyData({ $0.last == 0x78 }) {
          machine.failed(PostgresError("22P04", "an x"))
          if isSimple { machine.finished(status) }
        }
      case .copyDone:
        machine.commandComplete("COPY 1", transaction: status)
        if isSimple { machine.finished(status) }
      case .copyFailed(let error):
        machine.failed(error)
        if isSimple { machine.finished(status) }
      }
    }
  }
}

private func halves(_ bytes: [UInt8]) -> [[UInt8]] {
  // Somewhere that the input itself decides, so that a finding can be repeated.
  let cut = bytes.isEmpty ? 0 : Int(bytes.reduce(0 as UInt32) { $0 &* 31 &+ UInt32($1) }) % bytes.count
  return [Array(bytes[..<cut]), Array(bytes[cut...])]
}
