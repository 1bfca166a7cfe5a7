// What the tests of the two ingest listeners share: a store in memory, and a client of plain sockets.

import Foundation
import Glibc
import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing
import VarveCore
import VarveStorage
import VarveWire

@testable import VarveServer

/// A store that keeps batches in memory. It completes at once from a thread of its own, or when told.
final class FakeSink: BatchSink {
  struct Held {
    let batches: [PointBatch]
    let completion: @Sendable (Result<[WriteResult], VarveError>) -> Void
  }
  private struct State {
    var rows: [(table: String, line: UInt32, time: Int64)] = []
    var held: [Held] = []
    var sequence: UInt64 = 0
    var holds = false
    var isSaturated = false
    var saturatesWhileHolding = false
    var isOverfull = false
    var standingFailure: VarveError?
    var failures: [VarveError] = []
    var submissions = 0
  }
  private let state = NIOLockedValueBox(State())
  private let queue = DispatchQueue(label: "fake store")

  func submit(
    _ batches: [PointBatch], from writer: IngestWriter,
    completion: @escaping @Sendable (Result<[WriteResult], VarveError>) -> Void
  ) {
    let holds = state.withLockedValue { state in
      state.submissions += 1
      if state.holds { state.held.append(Held(batches: batches, completion: completion)) }
      return state.holds
    }
    if !holds { finish(Held(batches: batches, completion: completion)) }
  }

  private func finish(_ held: Held) {
    queue.async {
      let result: Result<[WriteResult], VarveError> = self.state.withLockedValue { state in
        if let failure = state.standingFailure { return .failure(failure) }
        if !state.failures.isEmpty { return .failure(state.failures.removeFirst()) }
        state.sequence += 1
        return .success(
          held.batches.map { batch in
            // A table called `refuse` stands for rows that do not fit.
            if batch.table == "refuse" {
              return WriteResult(
                sequence: .zero, rowsWritten: 0,
                rejections: (0..<batch.rowCount).map {
                  Rejection(
                    line: Int(batch.lines?[$0] ?? 0), column: 3, code: .typeConflict, message: "column \"v\" is text")
                })
            }
            for row in 0..<batch.rowCount {
              state.rows.append((batch.table, batch.lines?[row] ?? 0, batch.times[row]))
            }
            return WriteResult(
              sequence: Sequence(rawValue: state.sequence), rowsWritten: batch.rowCount, rejections: [])
          })
      }
      held.completion(result)
    }
  }

  var isSaturated: Bool {
    get { state.withLockedValue { $0.isSaturated || ($0.saturatesWhileHolding && !$0.held.isEmpty) } }
    set { state.withLockedValue { $0.isSaturated = newValue } }
  }
  var isOverfull: Bool {
    get { state.withLockedValue { $0.isOverfull } }
    set { state.withLockedValue { $0.isOverfull = newValue } }
  }
  var rowCount: Int { state.withLockedValue { $0.rows.count } }
  var times: [Int64] { state.withLockedValue { $0.rows.map(\.time) } }
  var heldCount: Int { state.withLockedValue { $0.held.count } }
  var submissions: Int { state.withLockedValue { $0.submissions } }
  func hold() { state.withLockedValue { $0.holds = true } }
  func saturateWhileHolding() { state.withLockedValue { $0.saturatesWhileHolding = true } }
  /// Until nil.
  func failAlways(_ error: VarveError?) { state.withLockedValue { $0.standingFailure = error } }
  func failNext(_ errors: [VarveError]) { state.withLockedValue { $0.failures = errors } }
  func release() {
    let held = state.withLockedValue { state in
      state.holds = false
      defer { state.held = [] }
      return state.held
    }
    for one in held { finish(one) }
  }
}

/// A client of blocking sockets, with a limit on how long it waits: far beyond what a machine takes that runs all tests at
/// once. Used by one thread at a time, which the tests see to; hence unchecked.
final class SocketClient: @unchecked Sendable {
  private let descriptor: Int32
  private(set) var received: [UInt8] = []

  init(_ address: SocketAddress, receiveBufferByteCount: Int32? = nil) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var timeout = timeval(tv_sec: 600, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    if var size = receiveBufferByteCount {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }
    var target = sockaddr_in()
    target.sin_family = sa_family_t(AF_INET)
    target.sin_port = in_port_t(UInt16(address.port!).bigEndian)
    target.sin_addr.s_addr = inet_addr("127.0.0.1")
    let result = withUnsafePointer(to: &target) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw Refused() }
  }

  struct Refused: Error {}

  deinit { close(descriptor) }

  /// The bytes that could be sent.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Int {
    var sent = 0
    while sent < bytes.count {
      let n = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if n < 0, errno == EINTR { continue }
      if n <= 0 { break }
      sent += n
    }
    return sent
  }
  @discardableResult
  func send(_ text: String) -> Int { send(Array(text.utf8)) }

  func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// A reset instead of an orderly end.
  func reset() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    shutdown(descriptor, Int32(SHUT_RDWR))
  }

  private func receive() -> Bool {
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let n = recv(descriptor, &chunk, chunk.count, 0)
      // With a limit on the wait, any signal ends it.
      if n < 0, errno == EINTR { continue }
      if n > 0 { received += chunk[..<n] }
      return n > 0
    }
  }

  var text: String { String(decoding: received, as: UTF8.self) }

  /// Reads until the text contains `part`; gives the whole text.
  func read(until part: String) -> String {
    while !text.contains(part), receive() {}
    return text
  }

  func readToEnd() -> String {
    while receive() {}
    return text
  }

  /// Whether nothing comes for a moment.
  var isSilent: Bool {
    var watched = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&watched, 1, 50) == 0
  }

  func forget() { received = [] }

  /// Runs a blocking piece of work off the threads that tests and event loops share.
  static func run<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread { continuation.resume(with: Result { try work() }) }
    }
  }
}

enum Ingest {
  static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// Waits for what other threads do; gives up after 20 s.
  static func wait(_ condition: @escaping @Sendable () -> Bool) async throws -> Bool {
    for _ in 0..<2000 {
      if condition() { return true }
      try await Task.sleep(for: .milliseconds(10))
    }
    return false
  }

  static func withLineServer<T>(
    _ change: (inout LineProtocolServerOptions) -> Void = { _ in }, meter: IngestMeter = IngestMeter(),
    _ body: (LineProtocolServer, FakeSink, SocketAddress) async throws -> T
  ) async throws -> T {
    var options = LineProtocolServerOptions()
    options.port = 0
    options.lingerMilliseconds = 200
    options.retryMilliseconds = 20
    options.stopGraceMilliseconds = 3000
    change(&options)
    let sink = FakeSink()
    let server = LineProtocolServer(
      options: options, sink: sink, meter: meter, group: MultiThreadedEventLoopGroup.singleton, logger: logger,
      now: { 1000 })
    let address = try await server.start()
    do {
      let result = try await body(server, sink, address)
      try await server.stop(gracefully: false)
      return result
    } catch {
      try await server.stop(gracefully: false)
      throw error
    }
  }

  static func withHTTPServer<T>(
    _ change: (inout HTTPServerOptions, inout HTTPServices) -> Void = { _, _ in },
    _ body: (HTTPServer, FakeSink, SocketAddress) async throws -> T
  ) async throws -> T {
    var options = HTTPServerOptions()
    options.port = 0
    options.lingerMilliseconds = 200
    options.stopGraceMilliseconds = 3000
    var services = HTTPServices(now: { 1000 })
    change(&options, &services)
    let sink = FakeSink()
    let server = HTTPServer(
      options: options, services: services, sink: sink, group: MultiThreadedEventLoopGroup.singleton, logger: logger)
    let address = try await server.start()
    do {
      let result = try await body(server, sink, address)
      try await server.stop(gracefully: false)
      return result
    } catch {
      try await server.stop(gracefully: false)
      throw error
    }
  }
}

/// An answer of one piece.
final class FixedAnswer: HTTPQueryRun {
  private let text: String
  init(_ text: String) { self.text = text }
  func next() async throws -> (bytes: [UInt8], isLast: Bool) { (Array(text.utf8), true) }
  func cancel() {}
}
