// Where a load goes: a server that runs, or one of this executable that is started for it.

import VarveCore
import VarveServer

package struct LoadTarget: Sendable {
  package var lineProtocol: ListenAddress?
  package var http: ListenAddress?
  package var postgres: ConnectionURL?
  /// The server's process, if it is ours to look at.
  package var process: Int32?

  package init(lineProtocol: ListenAddress?, http: ListenAddress?, postgres: ConnectionURL?) {
    self.lineProtocol = lineProtocol
    self.http = http
    self.postgres = postgres
  }
}

/// A server on free ports of loopback, with a directory of its own. Used by the process's main thread.
package final class OwnServer {
  package let target: LoadTarget
  private let child: ChildProcess
  private let directory: TemporaryDirectory
  private var isStopped = false

  private static let listeners = ["line-protocol", "http", "postgres"]

  /// `flags`: more of `varve serve`'s; the later of two flags counts.
  package init(flags: [String]) throws {
    directory = try TemporaryDirectory(prefix: "varve-bench-")
    var arguments = ["serve", "--data", directory.path + "/data", "--log-format", "text"]
    for name in Self.listeners { arguments += ["--\(name)", "127.0.0.1:0"] }
    do {
      child = try ChildProcess(arguments: arguments + flags, errorPath: Self.log(directory))
      var addresses: [String: ListenAddress] = [:]
      while addresses.count < Self.listeners.count {
        guard let line = try child.readLine() else {
          throw VarveError(.inputOutput, "the server for the benchmark did not start" + Self.logTail(directory))
        }
        let words = line.split(separator: " ")
        if words.count == 3, words[0] == "listening", let address = ListenAddress(String(words[2])) {
          addresses[String(words[1])] = address
        }
      }
      let postgres = try addresses["postgres"].map {
        try ConnectionURL("postgres://\($0)", defaultPorts: ["postgres": 5433])
      }
      var target = LoadTarget(
        lineProtocol: addresses["line-protocol"], http: addresses["http"], postgres: postgres)
      target.process = child.identifier
      self.target = target
    } catch {
      try directory.remove()
      throw error
    }
  }

  /// What became of the server, for an error that may be its end; nil if it runs.
  package func ending() -> String? {
    // Its sockets are closed a moment before it has ended.
    child.poll(milliseconds: 200).map { "the server ended \($0)" + Self.logTail(directory) }
  }

  /// Ends it, and removes what it wrote: nobody needs it to be sealed first.
  package func stop() throws {
    guard !isStopped else { return }
    isStopped = true
    child.kill()
    try directory.remove()
  }

  private static func log(_ directory: TemporaryDirectory) -> String { directory.path + "/log" }

  private static func logTail(_ directory: TemporaryDirectory) -> String {
    let text = ProcessUsage.text(log(directory), limit: 1 << 20) ?? ""
    let lines = text.split(separator: "\n").suffix(5)
    return lines.isEmpty ? "" : "; its log ends:\n" + lines.joined(separator: "\n")
  }
}
