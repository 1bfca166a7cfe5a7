import Foundation
import Synchronization
import Testing
import Varve
import VarveCore
import VarveIO
import VarveQuery

/// A directory that goes with the test.
final class Scratch: Sendable {
  let path: String
  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("varve-test-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }
  var database: String { path + "/db" }

  deinit {
    do { try FileManager.default.removeItem(atPath: path) } catch { print("cannot remove \(path): \(error)") }
  }

  /// Names in a directory below it.
  func files(_ directory: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(path)/\(directory)").sorted()
  }

  /// Files below it that this process has open.
  func openFiles() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap { descriptor in
      // One that was closed meanwhile is no link any more.
      guard let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(descriptor)"),
        target.hasPrefix(path)
      else { return nil }
      return String(target.dropFirst(path.count + 1))
    }
  }
}

/// What a closure that runs elsewhere collects.
final class Collected<Value: Sendable>: Sendable {
  private let state = Mutex<[Value]>([])
  func append(_ value: Value) { state.withLock { $0.append(value) } }
  var values: [Value] { state.withLock { $0 } }
}

/// Holds a thread of a database where the test wants it: the closure of a query says that it has come, and waits there
/// until it is let go. Tasks never block on it.
final class Barrier: Sendable {
  private let arrivals: AsyncStream<Void>
  private let arrival: AsyncStream<Void>.Continuation
  private let gate = Gate(false)

  init() { (arrivals, arrival) = AsyncStream.makeStream() }

  /// For the closure. Says so in the test if nobody lets it go.
  func arriveAndWait() {
    arrival.finish()
    if gate.wait(milliseconds: 60_000, until: { $0 ? true : nil }) == nil { Issue.record("nobody let the closure go") }
  }

  /// For the test: returns when a closure has come.
  func waitForArrival() async { for await _ in arrivals {} }
  func letGo() { gate.update { $0 = true } }
}

let start: Int64 = 1_700_000_000_000_000_000
let second: Int64 = 1_000_000_000

/// Many batches of a thousand rows; takes far longer than any test, and no memory.
let endlessQuery =
  "SELECT a.n FROM generate_series(1, 1000000000) a(n), LATERAL generate_series(a.n, a.n + 999) b(m)"

func point(_ number: Int, table: String = "t", host: String = "a") -> Point {
  Point(
    table, tags: ["host": host], fields: ["v": .integer(Int64(number))], timeNanoseconds: start + Int64(number) * second
  )
}

func count(_ database: Database, _ table: String = "t") async throws -> Int64 {
  guard case .integer(let rows) = try await database.query("SELECT count(*) FROM \(table)")[0][0] else { return -1 }
  return rows
}

/// The error that `body` throws.
func failure(_ body: () async throws -> Void) async -> VarveError? {
  do {
    try await body()
    return nil
  } catch { return error as? VarveError }
}

extension Database.Options {
  static var forReading: Database.Options {
    var options = Database.Options()
    options.readOnly = true
    return options
  }
}

extension QuerySession {
  /// Runs a text as a simple query does; the rows of its last statement.
  @discardableResult
  func run(_ sql: String) throws -> [String] {
    var rows: [String] = []
    do {
      for statement in try split(sql) {
        rows = []
        let result = try execute(try prepare(statement))
        while let batch = try result.next() {
          for row in 0..<batch.count {
            rows.append(batch.columns.map { Self.text("\($0.datum(at: row))") }.joined(separator: "|"))
          }
        }
      }
    } catch {
      try endImplicitTransaction(failed: true)
      throw error
    }
    try endImplicitTransaction(failed: false)
    return rows
  }

  /// `int(5)` as 5, `text("a")` as a.
  private static func text(_ datum: String) -> String {
    guard let open = datum.firstIndex(of: "("), datum.last == ")" else { return datum }
    let inner = datum[datum.index(after: open)...].dropLast()
    return inner.hasPrefix("\"") ? String(inner.dropFirst().dropLast()) : String(inner)
  }

  func failure(_ sql: String) -> VarveError? {
    do {
      try run(sql)
      return nil
    } catch {
      return error as? VarveError
    }
  }
}
