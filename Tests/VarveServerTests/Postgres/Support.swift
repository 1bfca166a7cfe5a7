// A server on a free port with a fake engine, a client of bare sockets, and other programs as clients.

import Foundation
import Glibc
import Logging
import NIOCore
import NIOPosix
import VarveServer
import VarveWire

struct TestServer {
  let backend = FakeBackend()
  let server: PostgresServer
  var port: Int { server.address.port! }

  init(_ configure: (inout PostgresServerOptions) -> Void = { _ in }) async throws {
    var options = PostgresServerOptions()
    options.port = 0
    options.workerThreads = 3
    configure(&options)
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    server = try await PostgresServer.start(
      options, backend: backend, now: { 0 }, group: MultiThreadedEventLoopGroup.singleton, logger: logger)
  }

  static func with(
    _ configure: (inout PostgresServerOptions) -> Void = { _ in }, _ body: (TestServer) async throws -> Void
  ) async throws {
    let server = try await TestServer(configure)
    do {
      try await body(server)
    } catch {
      try await server.server.stop()
      throw error
    }
    try await server.server.stop()
  }
}

struct SocketError: Error { var what: String }

/// A blocking client that sees messages as they are. Gives up after ten seconds without an answer.
final class RawClient {
  struct Message: Equatable {
    var type: Character
    var body: [UInt8]
    func field(_ code: Character) -> String? {
      for part in body.split(separator: 0) where part.first == code.asciiValue {
        return String(decoding: part.dropFirst(), as: UTF8.self)
      }
      return nil
    }
  }

  let socket: Int32
  private var pending: [UInt8] = []
  /// `pending` up to here was given out.
  private var taken = 0
  private(set) var key: [UInt8] = []

  init(port: Int, receiveBufferByteCount: Int32? = nil) throws {
    socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    if var size = receiveBufferByteCount {
      setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, 4)
    }
    var timeout = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { throw SocketError(what: "connect: \(errno)") }
  }

  deinit { Glibc.close(socket) }

  /// Past the startup.
  convenience init(startedOn server: TestServer, _ parameters: [String] = ["user", "ada"]) throws {
    try self.init(port: server.port)
    try startUp(parameters)
  }

  func startUp(_ parameters: [String] = ["user", "ada"]) throws {
    let body = Self.int32(3 << 16) + parameters.flatMap { Array($0.utf8) + [0] } + [0]
    try send(Self.int32(Int32(body.count + 4)) + body)
    key = try until("Z").first { $0.type == "K" }?.body ?? []
  }

  static func int32(_ v: Int32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: v >> (24 - 8 * Int32($0))) } }
  static func message(_ type: Character, _ body: [UInt8] = []) -> [UInt8] {
    [type.asciiValue!] + int32(Int32(body.count + 4)) + body
  }
  static func query(_ sql: String) -> [UInt8] { message("Q", Array(sql.utf8) + [0]) }
  static func parse(_ name: String, _ sql: String) -> [UInt8] {
    message("P", Array(name.utf8) + [0] + Array(sql.utf8) + [0, 0, 0])
  }
  static func bind(_ portal: String, _ statement: String, binaryResults: Bool = false) -> [UInt8] {
    message(
      "B",
      Array(portal.utf8) + [0] + Array(statement.utf8) + [0, 0, 0, 0, 0] + (binaryResults ? [0, 1, 0, 1] : [0, 0]))
  }
  static func execute(_ portal: String, limit: Int32 = 0) -> [UInt8] {
    message("E", Array(portal.utf8) + [0] + int32(limit))
  }
  static let sync = message("S")

  func send(_ bytes: [UInt8]) throws { try Self.send(bytes, to: socket) }

  static func send(_ bytes: [UInt8], to socket: Int32) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let sent = rest.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard sent > 0 else { throw SocketError(what: "send: \(errno)") }
      rest = rest.dropFirst(sent)
    }
  }

  private func fill() throws -> Bool {
    var chunk = [UInt8](repeating: 0, count: 65536)
    let count = recv(socket, &chunk, chunk.count, 0)
    guard count >= 0 else { throw SocketError(what: "recv: \(errno)") }
    pending.removeFirst(taken)
    taken = 0
    pending += chunk[..<count]
    return count > 0
  }

  /// nil: the server closed.
  func next() throws -> Message? {
    while true {
      if pending.count - taken >= 5 {
        let start = taken + 5
        let length = pending[(taken + 1)..<start].reduce(0) { $0 << 8 | Int($1) }
        if pending.count - taken > length {
          let message = Message(
            type: Character(Unicode.Scalar(pending[taken])), body: Array(pending[start..<(taken + 1 + length)]))
          taken += 1 + length
          return message
        }
      }
      if try !fill() { return nil }
    }
  }

  /// Messages up to and including one of that type, or up to the server's close.
  func until(_ type: Character) throws -> [Message] {
    var messages: [Message] = []
    while let message = try next() {
      messages.append(message)
      if message.type == type { break }
    }
    return messages
  }

  func run(_ bytes: [UInt8]) throws -> [Message] {
    try send(bytes)
    return try until("Z")
  }

  /// All that comes until the server closes.
  func rest() throws -> [UInt8] {
    while try fill() {}
    return pending
  }
}

func types(_ messages: [RawClient.Message]) -> String { String(messages.map(\.type)) }

enum Tool {
  /// Runs a program to its end; both outputs in one text.
  static func run(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    var environment = ProcessInfo.processInfo.environment
    environment["PGCONNECT_TIMEOUT"] = "10"
    process.environment = environment
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }

  static func works(_ program: String, _ arguments: [String]) -> Bool {
    guard let result = try? run(program, arguments) else { return false }
    return result.status == 0
  }

  static let hasPsql = works("psql", ["--version"])
  static let hasPsycopg = works("python3", ["-c", "import psycopg"])
}
