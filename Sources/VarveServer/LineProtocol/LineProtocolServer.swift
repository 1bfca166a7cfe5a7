// The TCP listener for line protocol.

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import VarveStorage
import VarveWire

/// Listens, and serves until stopped. Lines are parsed on the event loops; the store's threads do the rest.
package final class LineProtocolServer: Sendable {
  private let options: LineProtocolServerOptions
  private let sink: any BatchSink
  private let group: any EventLoopGroup
  private let logger: Logger
  private let now: @Sendable () -> Int64
  private let connections: IngestConnections
  private let counters = IngestCounters(IngestStatistics())
  private let meter: IngestMeter
  /// By event loop.
  private let receiveBuffers = NIOLockedValueBox<[ObjectIdentifier: ReceiveBuffers]>([:])
  private let listener = NIOLockedValueBox<(any Channel)?>(nil)

  /// `now` gives nanoseconds since 1970: the time of lines without a stamp.
  package init(
    options: LineProtocolServerOptions = LineProtocolServerOptions(), sink: any BatchSink,
    meter: IngestMeter = IngestMeter(), sockets: SocketBudget = SocketBudget(.max), group: any EventLoopGroup,
    logger: Logger,
    now: @escaping @Sendable () -> Int64
  ) {
    self.options = options
    self.sink = sink
    self.meter = meter
    self.group = group
    self.logger = logger
    self.now = now
    connections = IngestConnections(limit: options.connectionLimit, budget: sockets)
  }

  package var statistics: IngestStatistics { counters.withLockedValue { $0 } }

  /// Binds and begins to accept; gives the address with the port that was picked. A restart binds at once.
  package func start() async throws -> SocketAddress {
    let channel = try await ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 4096)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.autoRead, value: false)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .endingLostConnections()
      .childChannelInitializer { [self] channel in
        channel.eventLoop.makeCompletedFuture {
          guard connections.add(channel) else { return try refuse(channel) }
          try accept(channel)
        }
      }
      .bind(host: options.host, port: options.port).get()
    listener.withLockedValue { $0 = channel }
    guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
    return address
  }

  private func accept(_ channel: any Channel) throws {
    let buffers = receiveBuffers.withLockedValue { buffers in
      let loop = ObjectIdentifier(channel.eventLoop)
      if let known = buffers[loop] { return known }
      let new = ReceiveBuffers(byteCount: options.receiveByteCount)
      buffers[loop] = new
      return new
    }
    try channel.syncOptions?.setOption(.recvAllocator, value: SharedReceiveAllocator(buffers))
    try channel.pipeline.syncOperations.addHandler(
      LineProtocolHandler(
        options: options, sink: sink, connections: connections, counters: counters, meter: meter,
        receiveBuffers: buffers, logger: logger, now: now))
  }

  private func refuse(_ channel: any Channel) throws {
    logger.warning("connection refused", metadata: ["open": "\(connections.count)"])
    guard connections.addRefusal(channel) else { return channel.close(promise: nil) }
    try channel.pipeline.syncOperations.addHandler(
      RefusedConnection(
        answer: LineProtocolSession.refusal(
          .overloaded,
          "there are \(connections.count) connections, and --connections or the system's limit of open files allows no more"
        )))
  }

  /// Stops accepting. Gracefully: what was received in whole lines becomes durable and is answered before the
  /// connections are closed (at most the grace period). Else the connections are closed at once. Returns when
  /// no batch is with the store any more.
  package func stop(gracefully: Bool = true) async throws {
    if let channel = listener.withLockedValue({ $0.take() }) { try await channel.close().get() }
    let open = connections.beginStopping()
    for channel in open {
      if gracefully {
        channel.pipeline.fireUserInboundEventTriggered(ListenerStops())
      } else {
        channel.close(promise: nil)
      }
    }
    let grace = group.next().scheduleTask(in: .milliseconds(options.stopGraceMilliseconds)) {
      for channel in open { channel.close(promise: nil) }
    }
    await connections.waitUntilAllHaveEnded()
    grace.cancel()
  }
}
