// Retention as procedures: what goes by hand, what would go, and policies.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

extension QuerySession {
  func callRetention(_ procedure: Procedure, _ arguments: ProcedureArguments, _ context: ExecutionContext) throws
    -> [[Datum]]
  {
    let table = arguments.text(0) ?? ""
    switch procedure {
    case .dropChunks:
      let (before, from) = try times(arguments)
      guard before != nil || from != nil else {
        throw arguments.error(
          "22023", "older_than or newer_than must be a time", at: 1, hint: "DELETE and TRUNCATE take all rows.")
      }
      let gone = try dropChunks(of: table, olderThan: before ?? .max, newerThan: from ?? .min) { try context.check() }
      return gone.chunks.map { [.text($0.file)] }
    case .showChunks:
      let (before, from) = try times(arguments)
      return try showChunks(of: table, olderThan: before ?? .max, newerThan: from ?? .min).chunks.map {
        [.text($0.file)]
      }
    case .retentionPreview: return try previewRetention(of: table, arguments)
    case .runRetention: return try runRetention(arguments) { try context.check() }
    case .addRetentionPolicy: return [[try addPolicy(.retention, procedure, arguments)]]
    case .removeRetentionPolicy:
      try removePolicy(.retention, arguments)
      return [[.text("")]]
    default: preconditionFailure("\(procedure.rawValue) is not about the age of rows")
    }
  }

  /// Of the parameters of these names, in places 1 and 2.
  func times(_ arguments: ProcedureArguments) throws -> (before: Int64?, from: Int64?) {
    let (before, from) = (arguments.time(1), arguments.time(2))
    if let before, let from, from >= before {
      throw arguments.error(
        "22023", "the range ends before it begins", at: 2, hint: "newer_than has to be longer ago than older_than.")
    }
    return (before, from)
  }

  /// A row a chunk, and one for the rows in memory, which have no file yet.
  private func previewRetention(of table: String, _ arguments: ProcedureArguments) throws -> [[Datum]] {
    let (before, from) = try times(arguments)
    let limit = try before ?? (from == nil ? policyLimit(of: table) : .max)
    let preview = try showChunks(of: table, olderThan: limit, newerThan: from ?? .min)
    let chunks = preview.chunks.map { chunk -> [Datum] in
      [
        .text(chunk.file), .timestamp(chunk.partition.lower), .timestamp(chunk.partition.upper + 1),
        .int(Int64(chunk.rows)), .int(Int64(chunk.bytes)),
      ]
    }
    let inMemory: [Datum] = [.null, .null, .null, .int(Int64(preview.rowsInMemory)), .null]
    return chunks + (preview.rowsInMemory > 0 ? [inMemory] : [])
  }

  /// A row a table.
  private func runRetention(_ arguments: ProcedureArguments, check: () throws -> Void) throws -> [[Datum]] {
    let (before, from) = try times(arguments)
    let isDry = arguments.isTrue(3)
    let done: [(table: String, preview: RetentionPreview)]
    if before == nil, from == nil {
      done = try retainNow(arguments.text(0), dryRun: isDry, check: check)
    } else {
      guard let table = arguments.text(0) else {
        throw arguments.error("22023", "older_than and newer_than are about one relation", at: 0)
      }
      let (before, from) = (before ?? .max, from ?? .min)
      done = [
        (
          table,
          isDry
            ? try showChunks(of: table, olderThan: before, newerThan: from)
            : try dropChunks(of: table, olderThan: before, newerThan: from, check: check)
        )
      ]
    }
    return done.map { table, preview in
      [
        .text(table), preview.before == .min ? .null : .timestamp(preview.before),
        .int(Int64(preview.chunks.count)), .int(Int64(preview.rows)), .int(Int64(preview.bytes)),
      ]
    }
  }
}
