// What a line protocol connection has done, for whoever asks: kept by its handler, told to the meters after each step.

import NIOCore
import VarveCore
import VarveStorage
import VarveWire

final class LineProtocolAccount {
  private struct Question {
    let arrived: NIODeadline
    let tables: Set<Name>
  }

  private let meter: IngestMeter
  private let connection: ConnectionMeter
  private var receivedByteCount = 0
  private var rejected = 0
  /// Of the lines since the last question.
  private var tables: Set<Name> = []
  /// Not answered yet, in order.
  private var questions = CircularBuffer<Question>()
  private var answerCount = 0
  /// Told once the rows beside them are counted, so that their table is known.
  private var rejections = RejectionCounts()

  /// Rejections of so many tables and reasons wait for nothing.
  private static let waitingRejectionLimit = 1_000

  init(meter: IngestMeter, client: String, since: Int64) {
    self.meter = meter
    connection = meter.open(listener: "line-protocol", client: client, since: since)
  }

  func received(_ byteCount: Int) { receivedByteCount += byteCount }

  func submitted(_ batches: [PointBatch]) {
    for batch in batches { tables.insert(Name(batch.table)) }
  }

  func completed(_ results: [WriteResult]) { rejected += results.reduce(0) { $0 + $1.rejections.count } }

  /// After each step of the session. `began`: when the step's bytes came.
  func note(_ session: LineProtocolSession, began: NIODeadline) {
    if answerCount + questions.count < session.questionCount {
      while answerCount + questions.count < session.questionCount {
        questions.append(Question(arrived: began, tables: tables))
      }
      tables = []
    }
    let found = session.takeRejectionCounts()
    if !found.isEmpty {
      rejected += found.counts.values.reduce(0, +)
      rejections.add(found)
    }
    if !session.hasSubmissionsInFlight || rejections.counts.count > Self.waitingRejectionLimit { tellRejections() }
    var answered: [UInt64] = []
    while answerCount < session.answerCount, let question = questions.popFirst() {
      answerCount += 1
      let nanoseconds = UInt64(max(0, (NIODeadline.now() - question.arrived).nanoseconds))
      meter.answered(nanoseconds, tables: question.tables, .lineProtocol)
      answered.append(nanoseconds)
    }
    connection.update { counts in
      counts.receivedByteCount = receivedByteCount
      counts.rows = session.rowsCompleted
      counts.rejected = rejected
      counts.inFlightByteCount = session.inFlightByteCount
      counts.unansweredSyncs = questions.count
      for nanoseconds in answered { counts.answered(nanoseconds) }
    }
  }

  func note(_ state: ConnectionState) { connection.update { $0.state = state } }

  /// The connection is gone, and all its batches are completed or given up.
  func close() {
    tellRejections()
    meter.close(connection)
  }

  private func tellRejections() {
    guard !rejections.isEmpty else { return }
    meter.rejected(rejections, .lineProtocol)
    rejections = RejectionCounts()
  }
}
