// The bounds of one PostgreSQL connection. Exceeding one gives an error that names the limit.

@usableFromInline package enum PostgresLimits {
  /// A startup packet, as PostgreSQL's MAX_STARTUP_PACKET_LENGTH.
  package static let startupPacketByteCount = 10_000
  /// A message that carries text or values: Query, Parse, Bind, FunctionCall.
  package static let messageByteCount = 64 * 1024 * 1024
  /// CopyData, as PostgreSQL's PQ_LARGE_MESSAGE_LIMIT. It is passed on as it comes and never held whole.
  package static let copyDataByteCount = 1024 * 1024 * 1024 - 2
  /// A message that carries only names or numbers, as PostgreSQL's PQ_SMALL_MESSAGE_LIMIT.
  package static let smallMessageByteCount = 10_000
  /// One row on its way to the client, as PostgreSQL's MaxAllocSize.
  @usableFromInline package static let rowByteCount = 1024 * 1024 * 1024 - 1
  /// Columns of one result: what the 16-bit count of RowDescription can say.
  package static let resultColumns = 32_767
  /// Named prepared statements of one connection.
  package static let preparedStatements = 10_000
  /// Named portals of one connection.
  package static let portals = 10_000
}
