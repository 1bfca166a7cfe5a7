// What is written and what waits, at one moment.

import VarveCore

extension CommitPipeline {
  package var ingestReport: IngestReport {
    var report = meter.report
    let (queued, waitsFor) = gate.read { state in
      let isHeldUp = !state.queue.isEmpty && !mayCommit(state)
      let jobs = Array(state.queue.elements) + state.committing
      return (
        jobs, isOutOfRoom(state) || state.isShortOfRoom ? .room : isHeldUp ? IngestQueueReport.Wait.sealing : .nothing
      )
    }
    report.queue.waitsFor = waitsFor
    report.queue.queuedByteCount = queued.reduce(0) { $0 + $1.byteCount }
    report.queue.saturationByteCount = saturationByteCount
    var bytes: [IngestProtocol: [Name: Int]] = [:]
    for job in queued {
      for batch in job.request.batches {
        bytes[job.protocol, default: [:]][Name(batch.table), default: 0] += batch.byteCount
      }
    }
    for index in report.tables.indices {
      guard let table = report.tables[index].table else { continue }
      report.tables[index].queuedByteCount = bytes[report.tables[index].protocol]?[Name(table)] ?? 0
    }
    return report
  }
}
