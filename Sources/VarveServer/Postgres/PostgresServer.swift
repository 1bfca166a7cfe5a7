// The listener for the PostgreSQL protocol.

import Logging
import NIOCore
import NIOPosix
import VarveIO
import VarveStorage
import VarveWire

/// Listens, and serves until stopped. Statements run on threads of its own, never on the event loops.
package final class PostgresServer: Sendable {
  private let context: PostgresServerContext
  private let listener: any Channel

  /// Where it listens; with the port that was picked if 0 was asked for.
  package let address: SocketAddress

  package var statistics: PostgresStatistics { context.statistics }

  /// Binds and starts to accept; `now` gives nanoseconds since 1970. A restart binds at once, even while connections of a killed process linger.
  package static func start(
    _ options: PostgresServerOptions = PostgresServerOptions(), backend: any QueryBackend,
    meter: IngestMeter = IngestMeter(), now: @escaping @Sendable () -> Int64, group: any EventLoopGroup, logger: Logger
  ) async throws -> PostgresServer {
    let context = PostgresServerContext(backend: backend, options: options, meter: meter, now: now, logger: logger)
    if options.statementsGoFirst {
      for loop in group.makeIterator() {
        loop.execute { if !ThreadPriority.immediate.give() { ThreadPriority.preferred.give() } }
      }
    }
    do {
      let listener = try await ServerBootstrap(group: group)
        .serverChannelOption(.backlog, value: 256)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
        .endingLostConnections()
        // Few bytes for most; a COPY fills more and more, at a system call each.
        .childChannelOption(
          .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 1024, initial: 4096, maximum: 256 * 1024)
        )
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            let connection = PostgresConnection(channel: channel, server: context)
            guard context.add(connection) else { throw ChannelError.operationUnsupported }
            try channel.pipeline.syncOperations.addHandler(
              PostgresChannelHandler(connection: connection, server: context))
          }
        }
        .bind(host: options.host, port: options.port).get()
      guard let address = listener.localAddress else { throw ChannelError.inappropriateOperationForState }
      return PostgresServer(context: context, listener: listener, address: address)
    } catch {
      context.threads.stop()
      throw error
    }
  }

  private init(context: PostgresServerContext, listener: any Channel, address: SocketAddress) {
    self.context = context
    self.listener = listener
    self.address = address
  }

  /// Stops accepting, lets running statements finish, tells every client 57P01 and closes. After the grace period
  /// statements are cancelled, and clients that don't read what they are told are cut off soon after. Returns when
  /// nothing runs any more.
  package func stop() async throws {
    try await listener.close().get()
    let connections = context.beginStopping()
    for connection in connections { connection.stop() }
    let grace = TimeAmount.seconds(Int64(context.options.stopGraceSeconds))
    let cancelling = listener.eventLoop.scheduleTask(in: grace) {
      for connection in connections { connection.cancel() }
    }
    let cuttingOff = listener.eventLoop.scheduleTask(in: grace + .seconds(2)) {
      for connection in connections { connection.channel.close(promise: nil) }
    }
    await context.waitUntilAllHaveEnded()
    for connection in connections { try await connection.channel.closeFuture.get() }
    cancelling.cancel()
    cuttingOff.cancel()
    // Nothing runs on them any more, so this takes no time worth mentioning.
    context.threads.stop()
  }
}
