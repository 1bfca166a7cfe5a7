// What the tests share: a seeded generator, zones from the system's files, calling functions by name.

import Foundation
import VarveCore

@testable import VarveCompute

struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

enum Support {
  static let hasZones = FileManager.default.fileExists(atPath: "/usr/share/zoneinfo/America/New_York")

  static let zones = TimeZoneDatabase { name in
    guard let data = FileManager.default.contents(atPath: "/usr/share/zoneinfo/" + name) else { return nil }
    return [UInt8](data)
  }

  static func context(_ zone: String = "UTC") -> EvaluationContext {
    EvaluationContext(now: 1_600_000_000_000_000_000, timeZone: zone, zones: zones)
  }

  struct NoFunction: Error {}

  /// Resolves, casts the arguments and evaluates, as the query layer does.
  static func call(
    _ kind: String, _ name: String, _ columns: [Column], _ count: Int, _ context: EvaluationContext
  ) throws -> Column {
    let types = columns.map(\.type)
    let function =
      kind == "op" ? try FunctionCatalog.operator(name, types) : try FunctionCatalog.scalar(name, types)
    guard let function else { throw NoFunction() }
    var arguments: [Column] = []
    for (column, type) in zip(columns, function.argumentTypes) {
      guard let cast = try FunctionCatalog.cast(from: column.type, to: type, context: .implicit) else {
        throw NoFunction()
      }
      arguments.append(try cast.evaluate([column], count, context))
    }
    let result = try function.evaluate(arguments, count, context)
    guard result.type.base == function.resultType.base, result.count == count else { throw NoFunction() }
    return result
  }

  static func text(_ column: Column, _ row: Int, _ context: EvaluationContext) throws -> String {
    let out = Buffer<UInt8>()
    return try TypeText.append(column, row: row, to: out, context: context)
      ? String(decoding: out.span, as: UTF8.self) : "NULL!"
  }
}
