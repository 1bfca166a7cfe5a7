// The HTTP listener: InfluxDB's write interfaces, health and metrics, and SQL for a quick look.

import Logging
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOHTTPCompression
import NIOPosix
import VarveStorage
import VarveWire

/// Listens, and serves until stopped.
package final class HTTPServer: Sendable {
  private let options: HTTPServerOptions
  private let services: HTTPServices
  private let sink: any BatchSink
  private let group: any EventLoopGroup
  private let logger: Logger
  private let connections: IngestConnections
  private let counters = IngestCounters(IngestStatistics())
  private let meter: IngestMeter
  private let listener = NIOLockedValueBox<(any Channel)?>(nil)

  package init(
    options: HTTPServerOptions = HTTPServerOptions(), services: HTTPServices, sink: any BatchSink,
    meter: IngestMeter = IngestMeter(), sockets: SocketBudget = SocketBudget(.max), group: any EventLoopGroup,
    logger: Logger
  ) {
    self.options = options
    self.services = services
    self.sink = sink
    self.meter = meter
    self.group = group
    self.logger = logger
    connections = IngestConnections(limit: options.connectionLimit, budget: sockets)
  }

  package var statistics: IngestStatistics { counters.withLockedValue { $0 } }

  /// Binds and begins to accept; gives the address with the port that was picked. A restart binds at once.
  package func start() async throws -> SocketAddress {
    let channel = try await ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 4096)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.maxMessagesPerRead, value: 4)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .endingLostConnections()
      .childChannelInitializer { [self] channel in
        channel.eventLoop.makeCompletedFuture {
          guard connections.add(channel) else { return try refuse(channel) }
          try configure(channel)
        }
      }
      .bind(host: options.host, port: options.port).get()
    listener.withLockedValue { $0 = channel }
    guard let address = channel.localAddress else { throw ChannelError.unknownLocalAddress }
    return address
  }

  private func configure(_ channel: any Channel) throws {
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandler(IdleStateHandler(allTimeout: .seconds(options.idleSeconds)))
    try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: true, withErrorHandling: false)
    try pipeline.addHandler(NIOHTTPRequestDecompressor(limit: .size(options.bodyByteLimit)))
    try pipeline.addHandler(
      HTTPHandler(
        options: options, services: services, sink: sink, connections: connections, counters: counters, meter: meter,
        logger: logger))
  }

  private func refuse(_ channel: any Channel) throws {
    logger.warning("connection refused", metadata: ["open": "\(connections.count)"])
    guard connections.addRefusal(channel) else { return channel.close(promise: nil) }
    let answer = HTTPAnswer.unavailable(
      "overloaded: there are \(connections.count) connections, and --connections or the system's limit of open files allows no more",
      retryAfterSeconds: options.retryAfterSeconds)
    try channel.pipeline.syncOperations.addHandler(RefusedConnection(answer: answer.lastBytes))
  }

  /// Stops accepting. Gracefully: requests that have begun are answered before their connections are closed (at
  /// most the grace period). Else the connections are closed at once. Returns when no batch is with the store.
  package func stop(gracefully: Bool = true) async throws {
    if let channel = listener.withLockedValue({ $0.take() }) { try await channel.close().get() }
    let open = connections.beginStopping()
    services.endSubscriptions()
    for channel in open {
      if gracefully {
        // The pipelining handler lets the request at hand end, then closes.
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
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
