// Connections that are open beside the load and say nothing.

import VarveCore
import VarveServer

struct IdleConnections {
  private let sockets: [ClientSocket]

  init(_ count: Int, _ address: ListenAddress) throws {
    sockets = try (0..<count).map { _ in try ClientSocket(host: address.host, port: address.port) }
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
        hint: "its setting --connections is the number it takes")
    }
  }
}
