import VarveWire

/// Settings of the line protocol listener.
package struct LineProtocolServerOptions: Sendable {
  package var host = "127.0.0.1"
  /// 0 picks a free port.
  package var port = 9009
  /// The database that connections write to.
  package var database = "varve"
  package var lines = LineProtocolOptions()
  package var connectionLimit = 1024
  /// One read of the socket; the buffer lives only while data is there.
  package var receiveByteCount = 512 * 1024
  /// Batches of one connection that are with the store; beyond it the connection is not read.
  package var inFlightByteLimit = 16 * 1024 * 1024
  /// Answers a client has not read: beyond the first its lines are not read either, beyond the second it is cut off.
  package var unreadAnswerByteLimit = 256 * 1024
  package var unreadAnswerByteMaximum = 8 * 1024 * 1024
  /// A client that reads nothing of its waiting answers for so long is cut off.
  package var stalledClientMilliseconds: Int64 = 60_000
  /// How long a batch is kept from the store before it is offered again, when the store could not take it for now
  /// (full disk, overload).
  package var retryMilliseconds: Int64 = 500
  /// How long after an answer that ends the connection the client's remaining bytes are read and dropped, so that
  /// the answer is not lost to a reset.
  package var lingerMilliseconds: Int64 = 2_000
  /// How long a stopping server waits for the store.
  package var stopGraceMilliseconds: Int64 = 30_000
  package init() {}
}
