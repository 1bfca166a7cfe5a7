// json_agg: the values of a group as one array of JSON, in the order they come.

import VarveCompute
import VarveCore

final class JSONArrayStates: GroupedAggregate {
  private let type: SQLType
  private var values: [[Datum]] = []
  init(_ type: SQLType) { self.type = type }

  func resize(to count: Int) {
    if count > values.count { values += Array(repeating: [], count: count - values.count) }
  }
  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
    for row in groups.indices { values[Int(groups[row])].append(arguments[0].datum(at: row)) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) {
    for row in range { values[group].append(arguments[0].datum(at: row)) }
  }
  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) {
    guard let other = other as? JSONArrayStates else { preconditionFailure("states of the same aggregate") }
    for (index, group) in groups.enumerated() { values[Int(group)] += other.values[index] }
  }
  func result() throws -> Column {
    // Of what can come here nothing depends on a session.
    let context = EvaluationContext(now: 0)
    return try Column(
      type: JSONFunctions.type,
      data: values.map { group in
        if group.isEmpty { return .null }
        let items = try group.map { try JSONWriter.string($0, type, context) }
        return .text("[" + items.joined(separator: ", ") + "]")
      })
  }
}
