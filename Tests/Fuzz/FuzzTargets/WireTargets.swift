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

/// A server that answers each action in the simplest way.
@Sendable func fuzzPostgres(_ bytes: [UInt8]) {
  var machine = PostgresStateMachine<Int, Int>()
  for half in halves(bytes) {
    half.withUnsafeBytes { machine.receive($0) }
    answer(&machine)
  }
}

private func answer(_ machine: inout PostgresStateMachine<Int, Int>) {
  while true {
    switch machine.next() {
    case .wait, .close, .cancel: return
    case .flush: break
    case .startUp: machine.accepted(parameterStatus: [("server_version", "15")], processID: 1, secretKey: 2)
    case .simpleQuery(let text):
      if text.utf8.count % 3 == 0 {
        machine.emptyQuery()
      } else {
        machine.commandComplete("SELECT 0", transaction: .idle)
      }
      machine.finished(.idle)
    case .parse(_, let types): machine.parsed(1, parameterTypes: types, columns: nil)
    case .bind(_, let values): machine.bound(values.count)
    case .execute(_, _, let limit):
      if limit == nil { machine.commandComplete("SELECT 0", transaction: .idle) } else { machine.portalSuspended() }
    case .synchronize: machine.finished(.idle)
    }
  }
}

private func halves(_ bytes: [UInt8]) -> [[UInt8]] {
  // Somewhere that the input itself decides, so that a finding can be repeated.
  let cut = bytes.isEmpty ? 0 : Int(bytes.reduce(0 as UInt32) { $0 &* 31 &+ UInt32($1) }) % bytes.count
  return [Array(bytes[..<cut]), Array(bytes[cut...])]
}
