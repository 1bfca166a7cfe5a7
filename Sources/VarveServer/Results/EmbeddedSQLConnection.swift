// SQL in this process: a session of the engine, without a wire between. What `varve sql --data` uses.

import VarveCompute
import VarveCore
import VarveWire

package final class EmbeddedSQLConnection: SQLConnection {
  private let session: any QuerySession
  /// Looked at between batches; throws to stop.
  package var checkBetweenBatches: () throws -> Void = {}
  package var copyInput: InputFile?
  package var copyOutput: ((UnsafeRawBufferPointer) throws -> Void)?

  package init(_ backend: any QueryBackend, parameters: StartupParameters = StartupParameters()) throws {
    session = try backend.openSession(parameters, from: SessionClient(.embedded))
  }

  /// Unchecked: only `cancel` is called through it, which any thread may do.
  private struct CancelTarget: @unchecked Sendable {
    let session: any QuerySession
  }

  package var canceller: @Sendable () -> Void {
    let target = CancelTarget(session: session)
    return { target.session.cancel() }
  }

  deinit { session.close() }

  package func run(_ sql: String, into sink: any ResultSink) throws {
    // One that came behind the end of the last text is not about this one.
    session.resetCancellation()
    var hasFailed = true
    defer { if hasFailed { endAfterFailure() } }
    do {
      let statements = try session.split(sql)
      for (index, statement) in statements.enumerated() {
        let query = try statement.prepare(parameterTypes: [])
        let portal = try query.bind([])
        if let columns = query.columns { try sink.begin(columns) }
        let copyTag = query.columns == nil ? try copy(portal) : nil
        let rowCount = copyTag == nil ? try send(portal, hasRows: query.columns != nil, to: sink) : 0
        if index == statements.count - 1 { try session.endImplicitTransaction(failed: false) }
        passNotices(to: sink)
        try sink.end(tag: copyTag ?? portal.commandTag(rowCount: rowCount))
      }
      hasFailed = false
    } catch let error as VarveError {
      throw PostgresError(error)
    }
  }

  /// The tag of a COPY; nil: it is another statement.
  private func copy(_ portal: any QueryPortal) throws -> String? {
    if let sender = try portal.beginCopyOut() { return try copyOut(sender) }
    guard let receiver = try portal.beginCopy() else { return nil }
    do {
      guard let copyInput else { throw CopyInput.missing }
      try CopyInput.forEachPiece(copyInput) { piece in
        try checkBetweenBatches()
        try receiver.receive(piece)
      }
      return try receiver.finish()
    } catch let error as VarveError {
      throw receiver.abandon(PostgresError(error))
    }
  }

  private func copyOut(_ sender: any CopySender) throws -> String {
    guard let copyOutput else { throw CopyInput.isOutput }
    let piece = Buffer<UInt8>()
    while true {
      piece.count = 0
      while piece.count < 256 * 1024, try sender.appendNext(to: piece) {}
      if piece.count == 0 { return "COPY \(sender.rowCount)" }
      try checkBetweenBatches()
      try copyOutput(UnsafeRawBufferPointer(piece.span))
    }
  }

  private func send(_ portal: any QueryPortal, hasRows: Bool, to sink: any ResultSink) throws -> Int {
    var rowCount = 0
    var texts = RowTexts()
    while let batch = try portal.nextBatch() {
      try checkBetweenBatches()
      guard hasRows else { continue }
      try texts.start(batch, session.evaluationContext)
      try texts.send(to: sink)
      rowCount += batch.count
    }
    return rowCount
  }

  private func passNotices(to sink: any ResultSink) {
    for effect in session.takeEffects() { if case .notice(let notice) = effect { sink.notice(notice) } }
  }

  private func endAfterFailure() {
    // The failure itself is being thrown; what ending it adds is of no use to anybody.
    do { try session.endImplicitTransaction(failed: true) } catch {}
    _ = session.takeEffects()
  }
}
