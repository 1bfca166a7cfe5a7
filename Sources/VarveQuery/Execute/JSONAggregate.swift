// json_agg: the values of a group as one array of JSON, in the order they come.

import VarveCompute
import VarveCore

final class JSONArrayStates: GroupedAggregate {
  private let type: SQLType
  private var values: [[Datum]] = []
  private(set) var heldByteCount = 0
  init(_ type: SQLType) { self.type = type }

  func resize(to count: Int) {
    if count > values.count { values += Array(repeating: [], count: count - values.count) }
  }
  private func add(_ value: Datum, _ group: Int) {
    heldByteCount += value.byteCount
    values[group].append(value)
  }
  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
    for row in groups.indices { add(arguments[0].datum(at: row), Int(groups[row])) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) {
    for row in range { add(arguments[0].datum(at: row), group) }
  }
  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) {
    guard let other = other as? JSONArrayStates else { preconditionFailure("states of the same aggregate") }
    heldByteCount += other.heldByteCount
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
