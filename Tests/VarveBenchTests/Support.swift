// What the tests of the load generator share: plans, and generated text taken apart by the server's parser.

import VarveCore
import VarveWire

@testable import VarveBench

/// A row as a table holds it.
struct Identity: Hashable {
  let series: String
  let time: Int64
}

struct GeneratedRow: Equatable {
  let identity: Identity
  /// Field → integer, decimal, 0 or 1, or the text's length.
  let values: [String: Double]
}

func plan(_ schema: LoadPlan.Schema = .cpu, _ change: (inout LoadPlan) -> Void = { _ in }) -> LoadPlan {
  var plan = LoadPlan()
  plan.schema = schema
  plan.table = schema.rawValue
  plan.seriesCount = 37
  plan.rowCount = 2_500
  plan.connectionCount = 3
  plan.lateSteps = 20
  plan.start = 1_700_000_000_000_000_000
  change(&plan)
  return plan
}

/// Made once: they take longer than the lines of a test.
private let sharedTables = Dictionary(uniqueKeysWithValues: LoadPlan.Schema.allCases.map { ($0, RowTables(plan($0))) })

/// Of a plan with the seed and the table's name that `plan` gives.
func generator(_ plan: LoadPlan, lane: Int = 0) -> RowGenerator {
  guard let tables = sharedTables[plan.schema] else { preconditionFailure("each schema has tables") }
  return RowGenerator(plan, lane: lane, tables)
}

/// All lines of a connection, written in pieces of `piece` rows.
func text(_ generator: RowGenerator, piece: Int = 333) -> [UInt8] {
  let buffer = Buffer<UInt8>()
  while generator.write(atMost: piece, to: buffer) > 0 {}
  return buffer.array
}

/// The rows in order of the lines; rejected lines are an issue of the caller's.
func rows(_ text: [UInt8]) -> (rows: [GeneratedRow], rejected: Int) {
  let body = LineProtocolBody()
  let now: Int64 = 2_000_000_000_000_000_000
  var batches: [SourceBatch] = text.withUnsafeBytes { body.parse($0, now: now) }
  batches += body.finish(now: now)
  var found: [(line: Int, row: GeneratedRow)] = []
  for batch in batches {
    for (row, generated) in generatedRows(batch.points).enumerated() {
      found.append((batch.lineBase + Int(batch.points.lines?[row] ?? 0), generated))
    }
  }
  body.complete([], lineBases: [])
  let rejected = body.errorJSON() == nil ? 0 : body.rejectedCount
  return (found.sorted { $0.line < $1.line }.map(\.row), rejected)
}

/// The rows of COPY's binary format in their order.
func binaryRows(_ tuples: [UInt8], _ schema: LoadPlan.Schema) throws -> [GeneratedRow] {
  let shape = RowShape(schema)
  let fields = shape.fields.map { field in
    let type: FieldType =
      switch field.kind {
      case .integer: .int64
      case .decimal: .float64
      case .boolean: .bool
      case .text: .text
      }
    return CopyColumn(name: field.name, role: .field(type))
  }
  let unasked = VarveError(.syntax, "a value is not of the shape that the generator writes")
  let reader = CopyReader(
    options: CopyOptions(
      table: schema.rawValue,
      columns: [CopyColumn(name: "time", role: .time)] + shape.tagNames.map { CopyColumn(name: $0, role: .tag) }
        + fields,
      format: .binary,
      conversion: CopyConversion(
        fromText: { (_, _) throws(VarveError) in throw unasked },
        fromBinary: { (_, _) throws(VarveError) in throw unasked })))
  let signature = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0] + Array(repeating: UInt8(0), count: 8)
  try (signature + tuples + [0xFF, 0xFF]).withUnsafeBytes { try reader.read($0) }
  try reader.finish()
  return reader.takeBatches().flatMap { generatedRows($0.points) }
}

private func generatedRows(_ points: PointBatch) -> [GeneratedRow] {
  (0..<points.rowCount).map { row in
    var values: [String: Double] = [:]
    for field in points.fields where field.column.state(row) == .value {
      let word = field.column.words[row]
      values[field.name] =
        switch field.column.type {
        case .float64: Double(bitPattern: word)
        case .text: Double(field.column.bytes(row).count)
        default: Double(Int64(bitPattern: word))
        }
    }
    let series = points.series[Int(points.rowSeries[row])].tags.map { "\($0.name)=\($0.value)" }.joined(separator: ",")
    return GeneratedRow(
      identity: Identity(series: points.table + "," + series, time: points.times[row]), values: values)
  }
}

/// What a table holds after rows were written one after the other: the last one of each identity.
func table(_ rows: [GeneratedRow]) -> [Identity: [String: Double]] {
  var table: [Identity: [String: Double]] = [:]
  for row in rows { table[row.identity] = row.values }
  return table
}
