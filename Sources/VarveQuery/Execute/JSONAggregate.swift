// json_agg and json_object_agg, and their kin of jsonb: the values of a group as one array or object, in the order they
// come.

import VarveCompute
import VarveCore

enum JSONAggregates {
  static let names: Set<String> = ["json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg"]

  static func find(_ name: String, _ types: [SQLType]) -> AggregateFunction? {
    guard names.contains(name) else { return nil }
    let types = types.map { $0 == .unknown ? SQLType.text : $0.base }
    let result: SQLType = name.hasPrefix("jsonb") ? .jsonb : .json
    guard types.count == (name.hasSuffix("object_agg") ? 2 : 1), !types.contains(where: needsSession) else {
      return nil
    }
    // Arrays stand on lines of their own.
    let isSpaced = result == .json && types.count == 1 && types[0].element != nil
    return AggregateFunction(name: name, argumentTypes: types, resultType: result) {
      JSONStates(types, result, isSpaced: isSpaced)
    }
  }

  /// json_agg of rows, which are objects already and stand on lines of their own.
  static let ofRows = AggregateFunction(name: "json_agg", argumentTypes: [.json], resultType: .json) {
    JSONStates([.json], .json, isSpaced: true)
  }

  /// Whether how values are written depends on the session, on its zone or on names of objects: states do not know it, so
  /// the binder has them written before.
  static func needsSession(_ type: SQLType) -> Bool {
    let type = type.element ?? type
    return type == .timestamptz || type == .interval || type == .timevector || type.isOID
  }
}

private final class JSONStates: GroupedAggregate {
  private let types: [SQLType]
  private let type: SQLType
  private let separator: String
  /// By group the arguments of its rows, one row behind the other.
  private var values: [[Datum]] = []
  private(set) var heldByteCount = 0

  init(_ types: [SQLType], _ type: SQLType, isSpaced: Bool) {
    self.types = types
    self.type = type
    separator = isSpaced ? ", \n " : ", "
  }

  func resize(to count: Int) {
    if count > values.count { values += Array(repeating: [], count: count - values.count) }
  }
  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
    for row in groups.indices { add(arguments, row, Int(groups[row])) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) {
    for row in range { add(arguments, row, group) }
  }
  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) {
    guard let other = other as? JSONStates else { preconditionFailure("states of the same aggregate") }
    heldByteCount += other.heldByteCount
    for (index, group) in groups.enumerated() { values[Int(group)] += other.values[index] }
  }

  private func add(_ arguments: [Column], _ row: Int, _ group: Int) {
    for column in arguments {
      let value = column.datum(at: row)
      heldByteCount += value.byteCount
      values[group].append(value)
    }
  }

  func result() throws -> Column {
    try Column(type: type, data: values.map { $0.isEmpty ? .null : .text(try text(of: $0)) })
  }

  private func text(of group: [Datum]) throws -> String {
    // Nothing of what can come here depends on a session.
    let context = EvaluationContext(now: 0)
    let text: String
    if types.count == 1 {
      text = "[" + (try group.map { try JSONWriter.string($0, types[0], context) }).joined(separator: separator) + "]"
    } else {
      let members = try stride(from: 0, to: group.count, by: 2).map { index in
        if group[index].isNull { throw SQLError.make("22023", "field name must not be null") }
        let key = try JSONWriter.key(group[index], types[0], context)
        return "\(key) : \(try JSONWriter.string(group[index + 1], types[1], context))"
      }
      text = "{ " + members.joined(separator: ", ") + " }"
    }
    return type == .jsonb ? try JSONFunctions.normalized(text) : text
  }
}
