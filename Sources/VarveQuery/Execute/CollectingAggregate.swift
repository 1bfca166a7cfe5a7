// string_agg and array_agg: aggregates whose state is the values themselves, in the order they come.

import VarveCompute
import VarveCore

enum CollectingAggregate {
  static let names: Set<String> = JSONAggregates.names.union(["string_agg", "array_agg"])

  static func find(_ name: String, _ types: [SQLType]) -> AggregateFunction? {
    switch name {
    case "string_agg" where types.count == 2:
      guard types.allSatisfy({ $0.category == "S" || $0 == .unknown }) else { return nil }
      return AggregateFunction(name: name, argumentTypes: [.text, .text], resultType: .text) { StringStates() }
    case "array_agg" where types.count == 1:
      let element = types[0] == .unknown ? SQLType.text : types[0].base
      guard element.arrayOID != nil else { return nil }
      return AggregateFunction(name: name, argumentTypes: [element], resultType: .array(element)) {
        ArrayStates(element)
      }
    default: return JSONAggregates.find(name, types)
    }
  }

  private final class StringStates: GroupedAggregate {
    private var texts: [[UInt8]?] = []
    /// The first row's delimiter, which stands before it where it does not come first after all.
    private var delimiters: [[UInt8]] = []
    private(set) var heldByteCount = 0
    func resize(to count: Int) {
      guard count > texts.count else { return }
      delimiters += Array(repeating: [], count: count - texts.count)
      texts += Array(repeating: nil, count: count - texts.count)
    }

    private func add(_ arguments: [Column], _ row: Int, _ group: Int) {
      guard case .text(let value) = arguments[0].datum(at: row) else { return }
      var delimiter: [UInt8] = []
      if case .text(let text) = arguments[1].datum(at: row) { delimiter = Array(text.utf8) }
      append(Array(value.utf8), behind: delimiter, group)
    }
    private func append(_ value: [UInt8], behind delimiter: [UInt8], _ group: Int) {
      heldByteCount += value.count + delimiter.count
      if texts[group] == nil {
        texts[group] = value
        delimiters[group] = delimiter
      } else {
        texts[group]?.append(contentsOf: delimiter)
        texts[group]?.append(contentsOf: value)
      }
    }
    func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) {
      for row in groups.indices { add(arguments, row, Int(groups[row])) }
    }
    func update(_ arguments: [Column], rows range: Range<Int>, group: Int) {
      for row in range { add(arguments, row, group) }
    }
    func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) {
      guard let other = other as? StringStates else { preconditionFailure("states of the same aggregate") }
      for (index, group) in groups.enumerated() {
        if let text = other.texts[index] { append(text, behind: other.delimiters[index], Int(group)) }
      }
    }
    func result() throws -> Column {
      var builder = ColumnBuilder(.text, capacity: texts.count)
      for text in texts { if let text { try builder.append(text: text) } else { builder.appendNull() } }
      return builder.finish()
    }
  }

  private final class ArrayStates: GroupedAggregate {
    private let element: SQLType
    private var values: [[Datum]] = []
    private(set) var heldByteCount = 0
    init(_ element: SQLType) { self.element = element }
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
      guard let other = other as? ArrayStates else { preconditionFailure("states of the same aggregate") }
      heldByteCount += other.heldByteCount
      for (index, group) in groups.enumerated() { values[Int(group)] += other.values[index] }
    }
    func result() throws -> Column {
      try Column(type: .array(element), data: values.map { $0.isEmpty ? .null : .array($0) })
    }
  }
}
