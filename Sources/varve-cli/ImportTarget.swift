// Where imported batches go: the engine in this process, or a server.

import Varve
import VarveCore
import VarveIO
import VarveServer
import VarveStorage
import VarveWire

protocol ImportTarget: AnyObject {
  /// Hands a batch over; waits while too much is on its way. What became of it goes to the report.
  func write(_ batch: SourceBatch) throws
  /// Returns when all is durable.
  func finish() throws
}

final class EmbeddedTarget: ImportTarget {
  private struct State: Sendable {
    var inFlight = 0
    var failure: VarveError?
  }

  /// Parsing goes on while so many batches are committed.
  private static let inFlightLimit = 8

  private let database: Database
  private let writer = IngestWriter(.embedded)
  private let report: ImportReport
  private let gate = Gate(State())

  init(_ database: Database, _ report: ImportReport) {
    self.database = database
    self.report = report
  }

  func write(_ batch: SourceBatch) throws {
    try wait { $0.inFlight < Self.inFlightLimit }
    gate.update { $0.inFlight += 1 }
    let (gate, report, lineBase) = (self.gate, self.report, batch.lineBase)
    database.submit([batch.points], from: writer) { outcome in
      switch outcome {
      case .success(let results):
        for result in results {
          var summary = RejectionSummary()
          summary.count = result.rejections.count
          summary.rejections = result.rejections.map { rejection in
            var rejection = rejection
            rejection.line += lineBase
            return rejection
          }
          report.add(rows: result.rowsWritten, summary)
        }
        gate.update { $0.inFlight -= 1 }
      case .failure(let error):
        gate.update { state in
          state.inFlight -= 1
          state.failure = state.failure ?? error
        }
      }
    }
  }

  func finish() throws { try wait { $0.inFlight == 0 } }

  private func wait(until isReady: (State) -> Bool) throws {
    let failure = gate.wait { state -> VarveError?? in
      if let failure = state.failure { return .some(failure) }
      return isReady(state) ? .some(nil) : nil
    }
    if let failure = failure ?? nil { throw failure }
  }
}

final class RemoteTarget: ImportTarget {
  private let client: LineProtocolClient
  private let report: ImportReport

  init(_ client: LineProtocolClient, _ report: ImportReport) {
    self.client = client
    self.report = report
  }

  func write(_ batch: SourceBatch) throws { note(try client.send(batch)) }
  func finish() throws { note(try client.finish()) }

  private func note(_ answers: [LineProtocolClient.Answer]) {
    for answer in answers {
      var summary = RejectionSummary()
      summary.count = answer.rejectedCount
      summary.rejections = answer.rejections
      report.add(rows: answer.rowsWritten, summary)
    }
  }
}
