// An aggregate with its states as text: one that makes them of rows, or that makes one of several.

import VarveCore

final class StoredStateAggregate: GroupedAggregate {
  enum Input { case arguments, states }
  enum Output { case state, result }

  private let inner: any StorableAggregate
  private let input: Input
  private let output: Output
  private var count = 0

  init(_ inner: any StorableAggregate, takes input: Input, gives output: Output) {
    self.inner = inner
    self.input = input
    self.output = output
  }

  func resize(to count: Int) throws {
    try inner.resize(to: count)
    self.count = max(self.count, count)
  }

  func update(_ arguments: [Column], groups: UnsafeBufferPointer<UInt32>) throws {
    if input == .arguments { return try inner.update(arguments, groups: groups) }
    try take(arguments[0], 0..<groups.count) { Int(groups[$0]) }
  }
  func update(_ arguments: [Column], rows range: Range<Int>, group: Int) throws {
    if input == .arguments { return try inner.update(arguments, rows: range, group: group) }
    try take(arguments[0], range) { _ in group }
  }
  private func take(_ column: Column, _ rows: Range<Int>, _ group: (Int) -> Int) throws {
    let text = TextView(column)
    for row in rows where !column.isNull(at: row) { try inner.merge(encoded: text.bytes(row), into: group(row)) }
  }

  func merge(_ other: any GroupedAggregate, groups: UnsafeBufferPointer<UInt32>) throws {
    guard let other = other as? StoredStateAggregate else { preconditionFailure("states of one aggregate merge") }
    try inner.merge(other.inner, groups: groups)
  }

  func result() throws -> Column {
    if output == .result { return try inner.result() }
    var builder = ColumnBuilder(.text, capacity: count)
    let text = Buffer<UInt8>()
    for group in 0..<count {
      text.count = 0
      try inner.encode(group: group, to: text)
      if text.count == 0 { builder.appendNull() } else { try builder.append(text: text.span) }
    }
    return builder.finish()
  }

  var heldByteCount: Int { inner.heldByteCount }
}
