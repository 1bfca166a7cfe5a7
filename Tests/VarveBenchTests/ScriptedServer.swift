// A server that says what the test wants it to.

import Glibc
import Testing
import VarveIO
import VarveServer

/// Accepts connections one after the other; for each, `answer` gets what has come so far and gives what to send, and
/// whether to close then. Ends with its last connection.
final class ScriptedServer: @unchecked Sendable {
  // Unchecked: the descriptor is never changed, the rest is the thread's until `join`.
  let address: ListenAddress
  private let listener: Int32
  private var thread: WorkerThread?
  private(set) var received: [[UInt8]] = []

  init(connections: Int, _ answer: @escaping @Sendable (_ connection: Int, _ received: [UInt8]) -> ([UInt8], Bool)?)
    throws
  {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var local = sockaddr_in()
    local.sin_family = sa_family_t(AF_INET)
    local.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &local) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) + listen(listener, 8) + getsockname(listener, $0, &length)
      }
    }
    try #require(status == 0)
    self.listener = listener
    address = ListenAddress(host: "127.0.0.1", port: Int(UInt16(bigEndian: local.sin_port)))
    thread = WorkerThread(name: "scripted") { [self] in
      for connection in 0..<connections { serve(connection, answer) }
      close(listener)
    }
  }

  func join() { thread?.join() }

  private func serve(_ connection: Int, _ answer: (Int, [UInt8]) -> ([UInt8], Bool)?) {
    let peer = accept(listener, nil, nil)
    var all: [UInt8] = []
    var pending: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = recv(peer, &piece, piece.count, 0)
      if count <= 0 { break }
      all += piece[..<count]
      pending += piece[..<count]
      guard let (bytes, ends) = answer(connection, pending) else { continue }
      pending = []
      _ = bytes.withUnsafeBytes { send(peer, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if ends { break }
    }
    received.append(all)
    close(peer)
  }
}
