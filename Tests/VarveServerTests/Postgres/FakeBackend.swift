// An engine of a few commands, to see what connections do with their sessions:
//
//   rows N | rows $1      N rows of (i int8, f float8, s text, at timestamptz, ok bool), NULLs in some
//   echo $1, …            the parameters as they came, of the types that Parse named
//   insert N · begin · commit · rollback · set timezone NAME · notice TEXT · deallocate NAME
//   fail N                a syntax error at character N
//   slow                  runs until cancelled
//   send N                a COPY TO of N lines
//   failing send N        the same, and an error behind its last line, with bytes of the next one already there
//   cursor NAME           opens a cursor of one column
//   failing commit        its implicit transaction cannot commit

import Synchronization
import VarveCompute
import VarveCore
import enum VarveQuery.SessionWait
import class VarveQuery.SessionActivity
import VarveServer
import VarveWire

final class FakeBackend: QueryBackend {
  struct Counts {
    var opened = 0
    var lastProcessID: Int32 = 0
    var closed = 0
    var batches = 0
    var slowStarted = 0
  }
  let counts = Mutex(Counts())
  let interruptions = Mutex<[Int32: SessionActivity.Interruption]>([:])

  func openSession(_ parameters: StartupParameters, from client: SessionClient) throws -> any QuerySession {
    guard parameters.database != "nowhere" else {
      throw VarveError(.notFound, "database \"nowhere\" does not exist", sqlState: "3D000")
    }
    let processID = counts.withLock { counts in
      counts.opened += 1
      counts.lastProcessID += 1
      return counts.lastProcessID
    }
    return FakeSession(self, processID, idleLimitNanoseconds: parameters.setting("idle").flatMap { Int64($0) })
  }
}

final class FakeSession: QuerySession {
  let backend: FakeBackend
  /// A class of its own: it is what another thread touches.
  final class Flag: Sendable {
    let isSet = Mutex(false)
  }
  let cancelled = Flag()
  var transactionStatus: TransactionStatus = .idle
  var zoneName = "UTC"
  var commitFails = false
  private var effects: [SessionEffect] = []
  let processID: Int32
  let idleLimitNanoseconds: Int64?

  init(_ backend: FakeBackend, _ processID: Int32, idleLimitNanoseconds: Int64?) {
    self.backend = backend
    self.processID = processID
    self.idleLimitNanoseconds = idleLimitNanoseconds
  }

  func isInterrupted(by interruption: SessionActivity.Interruption) {
    backend.interruptions.withLock { $0[processID] = interruption }
  }
  func waits(for wait: SessionWait?) {}
  var idleLimit: IdleLimit? {
    idleLimitNanoseconds.map {
      IdleLimit(
        nanoseconds: $0,
        error: PostgresError(.fatal, transactionStatus == .idle ? "57P05" : "25P03", "idle for too long"))
    }
  }

  var parameterStatus: [(name: String, value: String)] { [("TimeZone", zoneName)] }
  var evaluationContext: EvaluationContext { EvaluationContext(now: 0, timeZone: zoneName) }

  func split(_ sql: String) throws -> [any QueryStatement] {
    try sql.split(separator: ";").map { try FakeStatement($0.trimmed(), self) }.filter { !$0.words.isEmpty }
  }
  func add(_ effect: SessionEffect) { effects.append(effect) }
  func takeEffects() -> [SessionEffect] {
    defer { effects = [] }
    return effects
  }
  func endImplicitTransaction(failed: Bool) throws {
    if failed && transactionStatus == .inTransaction { transactionStatus = .failed }
    defer { commitFails = false }
    if commitFails && !failed { throw VarveError(.diskFull, "no space left", place: "wal/1") }
  }
  func cancel() { cancelled.isSet.withLock { $0 = true } }
  func resetCancellation() { cancelled.isSet.withLock { $0 = false } }
  func close() { backend.counts.withLock { $0.closed += 1 } }
}

extension StringProtocol {
  func trimmed() -> String {
    String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }
}

final class FakeStatement: QueryStatement, PreparedQuery {
  let words: [String]
  let session: FakeSession
  private(set) var parameterTypes: [UInt32] = []

  init(_ text: String, _ session: FakeSession) throws {
    words = text.split { $0 == " " || $0 == "," }.map { $0.lowercased() }
    self.session = session
    let known = [
      "rows", "echo", "insert", "begin", "commit", "rollback", "set", "notice", "deallocate", "fail", "slow", "failing",
      "send", "cursor",
    ]
    if let first = words.first, !known.contains(first) {
      throw VarveError(.syntax, "syntax error at or near \"\(first)\"", hint: "Say something else.", position: 1)
    }
  }

  func prepare(parameterTypes types: [UInt32]) throws -> any PreparedQuery {
    if words[0] == "fail" { throw VarveError(.syntax, "nothing there", position: Int(words[1])) }
    let count = words.filter { $0.hasPrefix("$") }.count
    let inferred: UInt32 = words[0] == "rows" ? SQLType.int8.oid : SQLType.text.oid
    parameterTypes = (0..<count).map { $0 < types.count && types[$0] != 0 ? types[$0] : inferred }
    return self
  }

  var columns: [ResultColumn]? {
    func column(_ name: String, _ type: SQLType) -> ResultColumn {
      ResultColumn(name: name, typeOID: type.oid, typeSize: type.typlen)
    }
    switch words[0] {
    case "rows":
      return [
        column("i", .int8), column("f", .float8), column("s", .text), column("at", .timestamptz), column("ok", .bool),
      ]
    case "echo":
      return parameterTypes.enumerated().map { column("p\($0.offset + 1)", SQLType(oid: $0.element) ?? .text) }
    default: return nil
    }
  }

  func bind(_ values: [ParameterValue], name: String) throws -> any QueryPortal {
    let context = session.evaluationContext
    var datums: [Datum] = []
    for (value, oid) in zip(values, parameterTypes) {
      guard let type = SQLType(oid: oid) else { throw VarveError(.unsupported, "type \(oid)") }
      datums.append(
        try value.bytes?.withUnsafeBufferPointer { bytes in
          switch value.format {
          case .text: try TypeText.parse(bytes: bytes, as: type, context: context)
          case .binary: try TypeBinary.decode(bytes, as: type, context: context)
          }
        } ?? .null)
    }
    return FakePortal(self, datums)
  }
}

final class FakePortal: QueryPortal {
  let statement: FakeStatement
  let parameters: [Datum]
  var next = 0
  static let batchRowCount = 1000

  init(_ statement: FakeStatement, _ parameters: [Datum]) {
    self.statement = statement
    self.parameters = parameters
  }

  private var words: [String] { statement.words }
  private var session: FakeSession { statement.session }

  private func checkCancelled() throws {
    if session.cancelled.isSet.withLock({ $0 }) {
      throw VarveError(.cancelled, "canceling statement due to user request")
    }
  }

  func nextBatch() throws -> ColumnBatch? {
    try checkCancelled()
    switch words[0] {
    case "rows":
      let total = if case .int(let n)? = parameters.first { Int(n) } else { Int(words[1])! }
      guard next < total else { return nil }
      session.backend.counts.withLock { $0.batches += 1 }
      let rows = next..<min(next + Self.batchRowCount, total)
      next = rows.upperBound
      return try Self.batch(rows)
    case "echo":
      defer { next = 1 }
      if next == 1 { return nil }
      let types = statement.parameterTypes.map { SQLType(oid: $0) ?? .text }
      return ColumnBatch(
        count: 1, columns: zip(types, parameters).map { Column(type: $0, count: 1, storage: .constant($1)) })
    case "slow":
      session.backend.counts.withLock { $0.slowStarted += 1 }
      while true { try checkCancelled() }
    case "begin": session.transactionStatus = .inTransaction
    case "commit", "rollback": session.transactionStatus = .idle
    case "set":
      session.zoneName = words[2]
      session.add(.parameterStatus(name: "TimeZone", value: words[2]))
    case "notice": session.add(.notice(PostgresError(.notice, "00000", words[1])))
    case "deallocate": session.add(words[1] == "all" ? .deallocateAll : .deallocate(words[1]))
    case "cursor":
      session.add(
        .cursorOpened(words[1], columns: [ResultColumn(name: "c", typeOID: SQLType.int8.oid, typeSize: 8)]))
    case "failing": session.commitFails = true
    default: break
    }
    return nil
  }

  func beginCopyOut() throws -> (any CopySender)? {
    guard words.contains("send"), let count = Int(words[words.count - 1]) else { return nil }
    return FakeSender(count, fails: words[0] == "failing")
  }

  /// Row n: n · n/4 · "s" + n · 2016-01-01 + n ms · whether n is even; f is NULL in each 5th, s in each 7th row.
  static func batch(_ rows: Range<Int>) throws -> ColumnBatch {
    let count = rows.count
    let texts = rows.map { "s\($0)" }
    let refs = Buffer<UInt64>()
    let bytes = Buffer<UInt8>()
    for text in texts {
      refs.append(TextRef(offset: bytes.count, length: text.utf8.count).word)
      for byte in text.utf8 { bytes.append(byte) }
    }
    func words(_ type: SQLType, nulls: Buffer<UInt8>? = nil, _ word: (Int) -> UInt64) -> Column {
      Column(type: type, count: count, storage: .words(Buffer(rows.map(word))), nulls: nulls)
    }
    return ColumnBatch(
      count: count,
      columns: [
        words(.int8) { UInt64($0) },
        words(.float8, nulls: Buffer(rows.map { $0 % 5 == 0 ? 1 : 0 })) { (Double($0) / 4).bitPattern },
        Column(
          type: .text, count: count, storage: .text(refs, bytes: bytes),
          nulls: Buffer(rows.map { $0 % 7 == 0 ? 1 : 0 })),
        words(.timestamptz) { UInt64(1_451_606_400_000_000_000 + $0 * 1_000_000) },
        words(.bool) { $0 % 2 == 0 ? 1 : 0 },
      ])
  }

  func commandTag(rowCount: Int) -> String {
    switch words[0] {
    case "rows", "echo": "SELECT \(rowCount)"
    case "insert": "INSERT 0 \(words[1])"
    default: words[0].uppercased()
    }
  }
}

/// Lines `0` to `N - 1`.
final class FakeSender: CopySender {
  let format = FormatCode.text
  let columnCount = 1
  private(set) var rowCount = 0
  private let limit: Int
  private let fails: Bool

  init(_ limit: Int, fails: Bool) {
    self.limit = limit
    self.fails = fails
  }

  func appendNext(to out: Buffer<UInt8>) throws -> Bool {
    if rowCount == limit, !fails { return false }
    for byte in "\(rowCount)\n".utf8 { out.append(byte) }
    if rowCount == limit { throw VarveError(.query, "no more", sqlState: "22012") }
    rowCount += 1
    return true
  }
}
