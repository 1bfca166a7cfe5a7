// What a load came to: sums over its connections.

import VarveCore
import VarveServer

package struct LoadOutcome {
  package let options: LoadOptions
  package let expected: ExpectedRows
  package private(set) var probeExpected: ExpectedRows?
  package private(set) var rowsSent = 0
  package private(set) var rowsAcknowledged = 0
  package private(set) var rowsRejected = 0
  package private(set) var bytesSent = 0
  package private(set) var retryCount = 0
  package private(set) var firstRejection: String?
  package private(set) var latencies = LatencyHistogram()
  package private(set) var probeLatencies: LatencyHistogram?
  package private(set) var clientProcessorSeconds: Double?
  package private(set) var serverProcessorSeconds: Double?
  package private(set) var serverPeakByteCount: Int?
  private let begin: Int64
  private var lastAnswer: Int64

  init(_ options: LoadOptions, begin: Int64) {
    self.options = options
    self.begin = begin
    lastAnswer = begin
    let plan = options.plan
    expected = ExpectedRows(
      fieldCount: RowShape(plan.schema).fields.count, startStep: UInt64(plan.start / plan.stepNanoseconds))
  }

  /// From the first row to the last acknowledgement.
  package var seconds: Double { Double(max(1, lastAnswer - begin)) / 1e9 }
  package var valuesPerRow: Int { expected.sums.count }

  mutating func add(_ feed: LaneFeed) {
    expected.add(feed.generator.expected)
    rowsSent += feed.rowsSent
    rowsAcknowledged += feed.rowsAcknowledged
    rowsRejected += feed.rowsRejected
    bytesSent += feed.bytesSent
    retryCount += feed.retryCount
    firstRejection = firstRejection ?? feed.firstRejection
    latencies.add(feed.latencies)
    lastAnswer = max(lastAnswer, feed.lastAnswer)
  }

  mutating func addProbe(_ feed: LaneFeed) {
    probeExpected = feed.generator.expected
    probeLatencies = feed.latencies
    rowsRejected += feed.rowsRejected
    firstRejection = firstRejection ?? feed.firstRejection
  }

  mutating func note(
    _ before: (client: ProcessUsage?, server: ProcessUsage?), _ after: (client: ProcessUsage?, server: ProcessUsage?)
  ) {
    func seconds(_ before: ProcessUsage?, _ after: ProcessUsage?) -> Double? {
      guard let before, let after else { return nil }
      return after.processorSeconds - before.processorSeconds
    }
    clientProcessorSeconds = seconds(before.client, after.client)
    serverProcessorSeconds = seconds(before.server, after.server)
    serverPeakByteCount = after.server?.peakResidentByteCount
  }
}
