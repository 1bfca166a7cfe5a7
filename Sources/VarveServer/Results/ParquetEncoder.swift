// The rows of a query as a Parquet file, batch by batch. Used by one thread at a time.

import VarveArchive
import VarveCompute
import VarveCore
import VarveWire

final class ParquetEncoder {
  private let plan: ParquetPlan
  private let names: [String]
  private let context: EvaluationContext
  private let writer: ParquetWriter

  /// Throws where the columns cannot stand in one file. Rows that wait for their row group take a quarter of the memory
  /// that there is at most: as much again is for writing it.
  init(_ columns: [(name: String, type: SQLType)], context: EvaluationContext, memoryByteLimit: Int) throws {
    plan = try ParquetPlan(columns)
    names = columns.map(\.name)
    self.context = context
    var options = ParquetWriter.Options()
    options.omittedWhenZero = plan.omittedWhenZero
    options.rowGroupByteCount = min(options.rowGroupByteCount, max(1, memoryByteLimit / 4))
    let types = columns.map { "\(JSONText.string($0.name)):\(JSONText.string($0.type.name))" }
    options.keyValues = [("varve.format", "1"), ("varve.types", "{\(types.joined(separator: ","))}")]
    writer = ParquetWriter(plan.columns, options)
  }

  func append(_ batch: ColumnBatch) throws {
    guard batch.count > 0 else { return }
    let makers = batch.columns.indices.map {
      ParquetVectorMaker(batch.columns[$0], name: names[$0], context: context)
    }
    writer.append(try plan.parts.map { try makers[$0.source].vector($0.part) })
  }

  var heldByteCount: Int { writer.heldByteCount }

  func finish() { writer.finish() }

  /// What is ready of the file.
  func takeBytes() -> [UInt8] { writer.takeBytes() }
}
