// A connection beyond the limit is told so before it is closed. What its client has sent is read and dropped for a
// moment, since a reset would destroy the answer on its way.

import NIOCore

/// The only handler of a channel that is refused.
final class RefusedConnection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let answer: [UInt8]
  private let lingerMilliseconds: Int64

  init(answer: [UInt8], lingerMilliseconds: Int64 = 1_000) {
    self.answer = answer
    self.lingerMilliseconds = lingerMilliseconds
  }

  func channelActive(context: ChannelHandlerContext) {
    let channel = context.channel
    context.writeAndFlush(Self.wrapOutboundOut(channel.allocator.buffer(bytes: answer)), promise: nil)
    context.close(mode: .output, promise: nil)
    context.eventLoop.scheduleTask(in: .milliseconds(lingerMilliseconds)) { channel.close(promise: nil) }
    context.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {}

  func channelReadComplete(context: ChannelHandlerContext) { context.read() }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed = event { context.close(promise: nil) }
    context.fireUserInboundEventTriggered(event)
  }

  /// It was refused; what it has to say of it does not matter.
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
