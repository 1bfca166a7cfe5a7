// COPY … FROM STDIN: bytes in PostgreSQL's text, CSV or binary format, cut anywhere, into columnar batches.
//
// The same bytes give the same rows and the same error however they are cut. The first error ends it: rows before it
// that were handed over stay, what is not handed over is gone. Memory: one unfinished row (at most the row limit), one
// batch, and the tag sets that are remembered to recognise them (bounded, then learnt anew).

import VarveCore

/// Reads one COPY from begin to end. Not for use from two threads at once.
package final class CopyReader {
  private var parser: CopyParser

  package init(options: CopyOptions) {
    parser = CopyParser(options: options)
  }

  /// Takes the next bytes. After an error nothing more is to be sent.
  package func read(_ chunk: UnsafeRawBufferPointer) throws(VarveError) {
    parser.read(chunk)
    if let failure = parser.failure { throw failure }
  }

  package func read(_ bytes: [UInt8]) throws(VarveError) {
    bytes.withUnsafeBytes { parser.read($0) }
    if let failure = parser.failure { throw failure }
  }

  /// The client has sent all. Hands over all rows.
  package func finish() throws(VarveError) {
    parser.finish()
    if let failure = parser.failure { throw failure }
    parser.handOver()
  }

  /// What is complete since the last call, in the order of the rows.
  package func takeBatches() -> [CopyBatch] {
    if parser.batches.isEmpty { return [] }
    defer { parser.batches = [] }
    return parser.batches
  }

  /// Rows read so far.
  package var rowCount: Int { parser.rowCount }

  /// Where in the COPY the reader stands, as PostgreSQL says it in the context of an error that comes from outside; nil
  /// at its begin, or when the reader has met an error itself.
  package var context: String? {
    parser.line == 0 || parser.failure != nil ? nil : "COPY \(parser.options.table), line \(parser.line + 1)"
  }

  /// Memory held between chunks, roughly, without the batches handed over.
  package var heldByteCount: Int { parser.heldByteCount }
}
