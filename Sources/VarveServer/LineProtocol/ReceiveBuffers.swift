// Where bytes are received: one large buffer for all connections of an event loop, in place of one for each, so that an
// idle connection holds none.
//
// The channel keeps the buffer of its first read for itself and uses it again while nobody else holds it. That one is
// small here, and its handler holds it; so each later read takes a buffer from this loop's, and the handler gives it
// back when it has parsed it. A channel with this allocator reads once a turn of its loop (`maxMessagesPerRead` 1):
// that bounds what its neighbours wait for, too.

import NIOCore

/// Unchecked: belongs to one event loop, whose thread alone uses it.
final class ReceiveBuffers: @unchecked Sendable {
  private var spare: ByteBuffer?
  let byteCount: Int

  init(byteCount: Int) { self.byteCount = byteCount }

  /// A buffer that nobody else holds.
  func take(_ allocator: ByteBufferAllocator) -> ByteBuffer {
    guard var buffer = spare.take() else { return allocator.buffer(capacity: byteCount) }
    buffer.clear()
    return buffer
  }

  /// For the next read of any connection; the giver lets go of it.
  func give(_ buffer: ByteBuffer) {
    if buffer.storageCapacity >= byteCount { spare = buffer }
  }
}

/// What a channel asks for buffers.
struct SharedReceiveAllocator: RecvByteBufferAllocator {
  static let firstByteCount = 512

  private let buffers: ReceiveBuffers
  private var isFirst = true

  init(_ buffers: ReceiveBuffers) { self.buffers = buffers }

  func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
    isFirst ? allocator.buffer(capacity: Self.firstByteCount) : buffers.take(allocator)
  }

  func nextBufferSize() -> Int? { isFirst ? Self.firstByteCount : buffers.byteCount }

  mutating func record(actualReadBytes: Int) -> Bool {
    isFirst = false
    return false
  }
}
