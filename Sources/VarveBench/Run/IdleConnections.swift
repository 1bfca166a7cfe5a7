// Connections that are open beside the load and say nothing.

import VarveCore
import VarveServer

struct IdleConnections {
  private let sockets: [ClientSocket]
  /// Keeps them open; empty where there is no SQL.
  private let sessions: [PostgresStream]

  init(_ sockets: [ClientSocket]) {
    self.sockets = sockets
    sessions = []
  }

  init(sessions: [PostgresStream]) {
    sockets = sessions.map(\.socket)
    self.sessions = sessions
  }

  /// Throws if the server has ended any.
  func check() throws {
    let buffer = Buffer<UInt8>()
    var lost = 0
    for socket in sockets {
      // What broke is lost as well; how does not matter to the count.
      do { if try socket.receiveSome(into: buffer) == .end { lost += 1 } } catch { lost += 1 }
    }
    guard lost == 0 else {
      throw VarveError(
        .limitExceeded, "the server closed \(lost) of \(sockets.count) idle connections",
        hint: "its settings --connections and --sessions are the numbers it takes")
    }
  }
}
