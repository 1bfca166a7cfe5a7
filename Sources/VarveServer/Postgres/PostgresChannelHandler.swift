// Between the channel and its connection: bytes in go to the connection, and the socket is not read while the
// connection has enough of them.

import NIOCore

final class PostgresChannelHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let connection: PostgresConnection
  private let server: PostgresServerContext
  private var startupTimeout: Scheduled<Void>?

  init(connection: PostgresConnection, server: PostgresServerContext) {
    self.connection = connection
    self.server = server
  }

  func channelActive(context: ChannelHandlerContext) {
    let connection = self.connection
    startupTimeout = context.eventLoop.scheduleTask(in: .seconds(Int64(server.options.startupTimeoutSeconds))) {
      connection.startupTimedOut()
    }
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { connection.received(unwrapInboundIn(data)) }

  func read(context: ChannelHandlerContext) {
    if connection.takesMore() { context.read() }
  }

  func channelInactive(context: ChannelHandlerContext) {
    startupTimeout?.cancel()
    connection.gone()
    context.fireChannelInactive()
  }

  /// A broken connection: nothing can be said on it any more.
  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    server.logger.debug("connection broken", metadata: ["error": "\(error)"])
    context.close(promise: nil)
  }
}
