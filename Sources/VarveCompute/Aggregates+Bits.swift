// bit_and, bit_or and bit_xor of integers.

struct BitState: WordState {
  enum Operation: String, CaseIterable, Sendable { case bit_and, bit_or, bit_xor }
  private let operation: Operation
  private var bits: UInt64?

  init(_ settings: Operation) { operation = settings }

  mutating func add(_ first: UInt64, _ second: UInt64) {
    guard let bits else {
      bits = first
      return
    }
    switch operation {
    case .bit_and: self.bits = bits & first
    case .bit_or: self.bits = bits | first
    case .bit_xor: self.bits = bits ^ first
    }
  }
  mutating func merge(_ other: BitState) { if let theirs = other.bits { add(theirs, 0) } }
  func finish(_ settings: Operation, into builder: inout ColumnBuilder) {
    if let bits { builder.append(word: bits) } else { builder.appendNull() }
  }
}
