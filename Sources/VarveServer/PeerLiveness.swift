// Peers that are gone without a word: their machine lost power, or a router forgot them. Nothing of that arrives here, so
// the system asks.

import Glibc
import NIOCore
import NIOPosix

enum PeerLiveness {
  /// Nothing was heard for so long: the peer is asked.
  static let idleSeconds = 60
  static let probeIntervalSeconds = 15
  /// So many questions without an answer, and the connection is over.
  static let probeCount = 4
  /// The same for what was sent and is not acknowledged, where no questions are asked. As long as the questions take.
  static let unacknowledgedMilliseconds = 1000 * (idleSeconds + probeIntervalSeconds * probeCount)
}

extension ServerBootstrap {
  /// Ends connections whose peers are gone, within two minutes; whoever only has nothing to say stays.
  func endingLostConnections() -> ServerBootstrap {
    func option(_ name: CInt) -> ChannelOptions.Types.SocketOption {
      ChannelOptions.Types.SocketOption(level: .tcp, name: NIOBSDSocket.Option(rawValue: name))
    }
    return childChannelOption(.socketOption(.so_keepalive), value: 1)
      .childChannelOption(option(TCP_KEEPIDLE), value: PeerLiveness.idleSeconds)
      .childChannelOption(option(TCP_KEEPINTVL), value: PeerLiveness.probeIntervalSeconds)
      .childChannelOption(option(TCP_KEEPCNT), value: PeerLiveness.probeCount)
      .childChannelOption(option(TCP_USER_TIMEOUT), value: PeerLiveness.unacknowledgedMilliseconds)
  }
}
