// What a session shows of itself in `varve.connections`. All of it runs in the connection's job.

import NIOCore
import VarveStorage

/// A session's entry, and what it has said there.
struct SessionMeter {
  let connection: ConnectionMeter
  var state = ConnectionState.reading
  /// When the first message behind the last ReadyForQuery was looked at.
  var questionBegan = NIODeadline.now()
}

extension PostgresConnection {
  func openMeter() {
    let client = channel.remoteAddress.map { ListenAddress(host: $0.ipAddress ?? "?", port: $0.port ?? 0).description }
    let entry = server.meter.open(listener: "postgres", client: client ?? "unknown", since: server.now())
    entry.update { $0.receivedByteCount = receivedByteCount }
    meter = SessionMeter(connection: entry)
  }

  func closeMeter() {
    if let meter { server.meter.close(meter.connection) }
    meter = nil
  }

  func noteReceived(_ byteCount: Int) {
    receivedByteCount += byteCount
    meter?.connection.update { $0.receivedByteCount += byteCount }
  }

  func note(_ state: ConnectionState) {
    guard let meter, meter.state != state else { return }
    self.meter?.state = state
    meter.connection.update { $0.state = state }
  }

  /// The first of the messages that one ReadyForQuery will answer.
  func noteQuestion() {
    meter?.questionBegan = .now()
    meter?.state = .running
    meter?.connection.update { counts in
      counts.state = .running
      counts.unansweredSyncs = 1
    }
  }

  func noteAnswer() {
    guard let meter else { return }
    self.meter?.state = .reading
    let nanoseconds = UInt64(max(0, (NIODeadline.now() - meter.questionBegan).nanoseconds))
    meter.connection.update { counts in
      counts.state = .reading
      counts.unansweredSyncs = 0
      counts.answered(nanoseconds)
    }
  }

  /// Of `INSERT 0 3` and `COPY 3`.
  func noteRowsWritten(_ tag: String) {
    guard let count = tag.split(separator: " ").last.flatMap({ Int($0) }) else { return }
    meter?.connection.update { $0.rows += count }
  }
}
