// Hashing, equality and order of rows, as GROUP BY, DISTINCT, joins and ORDER BY need them: NULLs equal each other
// here, text goes by its bytes, NaN is greatest and equals itself, numerics compare by value.

import CVarve
import VarveCore

extension Column {
  /// Writes, or combines into, a hash a row. Equal values hash equally whatever their storage.
  package func hash(into hashes: UnsafeMutableBufferPointer<UInt64>, combining: Bool) {
    precondition(hashes.count == count, "a hash a row")
    @inline(__always) func put(_ row: Int, _ value: UInt64) {
      hashes[row] = combining ? Hashing.combine(hashes[row], value) : value
    }
    switch storage {
    case .constant(let datum):
      let value = Column.hash(of: datum)
      for i in 0..<count { put(i, value) }
    case .data(let data):
      for i in 0..<count { put(i, Column.hash(of: data[i])) }
    case .words(let words):
      let float = type.isFloat
      if let nulls {
        for i in 0..<count {
          let word = float ? Hashing.canonicalDouble(words.base[i]) : words.base[i]
          put(i, nulls.base[i] != 0 ? Hashing.null : Hashing.word(word))
        }
      } else if float {
        for i in 0..<count { put(i, Hashing.word(Hashing.canonicalDouble(words.base[i]))) }
      } else {
        for i in 0..<count { put(i, Hashing.word(words.base[i])) }
      }
    case .text(let refs, let bytes):
      for i in 0..<count {
        if isNull(at: i) {
          put(i, Hashing.null)
          continue
        }
        let ref = TextRef(word: refs.base[i])
        put(i, Hashing.bytes(UnsafeBufferPointer(start: bytes.base + ref.offset, count: ref.length)))
      }
    case .dictionary(let codes, let dictionary):
      for i in 0..<count {
        put(i, isNull(at: i) ? Hashing.null : dictionary.hashes[Int(codes.base[i])])
      }
    }
  }

  static func hash(of datum: Datum) -> UInt64 {
    switch datum {
    case .null: return Hashing.null
    case .bool(let value): return Hashing.word(value ? 1 : 0)
    case .int(let value), .timestamp(let value): return Hashing.word(UInt64(bitPattern: value))
    case .float(let value): return Hashing.word(Hashing.canonicalDouble(value.bitPattern))
    case .date(let value): return Hashing.word(UInt64(bitPattern: Int64(value)))
    case .text(let text):
      var text = text
      return text.withUTF8 { Hashing.bytes($0) }
    case .numeric(let value): return value.hashWord
    case .interval(let value):
      let span = value.comparable
      return Hashing.combine(
        Hashing.word(UInt64(truncatingIfNeeded: span)), Hashing.word(UInt64(truncatingIfNeeded: span >> 64)))
    case .bytea(let bytes): return bytes.withUnsafeBufferPointer { Hashing.bytes($0) }
    case .array(let elements):
      return elements.reduce(UInt64(elements.count)) { Hashing.combine($0, hash(of: $1)) }
    }
  }

  /// IS NOT DISTINCT FROM between two rows of columns of one type.
  package func isSame(_ row: Int, _ other: Column, _ otherRow: Int) -> Bool {
    let a = isNull(at: row)
    let b = other.isNull(at: otherRow)
    if a || b { return a && b }
    if case .words(let x) = storage, case .words(let y) = other.storage {
      if x.base[row] == y.base[otherRow] { return true }
      return type.isFloat
        && Hashing.canonicalDouble(x.base[row]) == Hashing.canonicalDouble(y.base[otherRow])
    }
    if case .dictionary(let x, let dictionary) = storage, case .dictionary(let y, let second) = other.storage,
      dictionary === second
    {
      return x.base[row] == y.base[otherRow] || compareValues(row, other, otherRow) == 0
    }
    return compareValues(row, other, otherRow) == 0
  }

  /// -1, 0 or 1 by ORDER BY's rules. NULLs count as greater than all values unless `nullsFirst`, whatever the
  /// direction (the caller passes `nullsFirst: descending` for the default).
  package func compare(
    _ row: Int, _ other: Column, _ otherRow: Int, descending: Bool = false, nullsFirst: Bool = false
  ) -> Int {
    let a = isNull(at: row)
    let b = other.isNull(at: otherRow)
    if a || b {
      if a == b { return 0 }
      return a == nullsFirst ? -1 : 1
    }
    let order = compareValues(row, other, otherRow)
    return descending ? -order : order
  }

  /// Both values are there.
  private func compareValues(_ row: Int, _ other: Column, _ otherRow: Int) -> Int {
    if case .words(let x) = storage, case .words(let y) = other.storage {
      return Ordering.words(x.base[row], y.base[otherRow], float: type.isFloat)
    }
    if type.isText, constantValue == nil, other.constantValue == nil {
      return Ordering.bytes(textBytes(row), other.textBytes(otherRow))
    }
    return Ordering.datums(datum(at: row), other.datum(at: otherRow))
  }

  /// The bytes of one text row, pointing into the column's memory: keep the column. Not for constants or NULL.
  @inline(__always) package func textBytes(_ row: Int) -> UnsafeBufferPointer<UInt8> {
    switch storage {
    case .text(let refs, let bytes):
      let ref = TextRef(word: refs.base[row])
      return UnsafeBufferPointer(start: bytes.base + ref.offset, count: ref.length)
    case .dictionary(let codes, let dictionary):
      let ref = TextRef(word: dictionary.refs[Int(codes.base[row])])
      return UnsafeBufferPointer(start: dictionary.bytes.base + ref.offset, count: ref.length)
    default: preconditionFailure("text bytes of a text column")
    }
  }
}

/// Order of single values.
package enum Ordering {
  @inline(__always) static func words(_ x: UInt64, _ y: UInt64, float: Bool) -> Int {
    if float { return doubles(Double(bitPattern: x), Double(bitPattern: y)) }
    let a = Int64(bitPattern: x)
    let b = Int64(bitPattern: y)
    return a < b ? -1 : (a > b ? 1 : 0)
  }
  @inline(__always) static func doubles(_ a: Double, _ b: Double) -> Int {
    if a < b { return -1 }
    if a > b { return 1 }
    if a == b { return 0 }
    return a != a ? (b != b ? 0 : 1) : -1
  }
  @inline(__always) package static func bytes(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
    let n = min(a.count, b.count)
    if n > 0, let x = a.baseAddress, let y = b.baseAddress {
      let order = cvarve_memcmp(x, y, n)
      if order != 0 { return order < 0 ? -1 : 1 }
    }
    return a.count < b.count ? -1 : (a.count > b.count ? 1 : 0)
  }

  /// Two values of one type, neither NULL at the top; within arrays NULLs are greatest.
  package static func datums(_ a: Datum, _ b: Datum) -> Int {
    func order<T: Comparable>(_ x: T, _ y: T) -> Int { x < y ? -1 : (x > y ? 1 : 0) }
    switch (a, b) {
    case (.null, .null): return 0
    case (.null, _): return 1
    case (_, .null): return -1
    case (.bool(let x), .bool(let y)): return x == y ? 0 : (x ? 1 : -1)
    case (.int(let x), .int(let y)): return order(x, y)
    case (.float(let x), .float(let y)): return doubles(x, y)
    case (.numeric(let x), .numeric(let y)): return Numeric.compare(x, y)
    case (.timestamp(let x), .timestamp(let y)): return order(x, y)
    case (.date(let x), .date(let y)): return order(x, y)
    case (.interval(let x), .interval(let y)): return order(x.comparable, y.comparable)
    case (.text(var x), .text(var y)): return x.withUTF8 { p in y.withUTF8 { bytes(p, $0) } }
    case (.bytea(let x), .bytea(let y)):
      return x.withUnsafeBufferPointer { p in y.withUnsafeBufferPointer { bytes(p, $0) } }
    case (.array(let x), .array(let y)):
      for (p, q) in zip(x, y) {
        let order = datums(p, q)
        if order != 0 { return order }
      }
      return order(x.count, y.count)
    default: preconditionFailure("values of one type are compared")
    }
  }
}

extension Interval {
  /// Microseconds with months of 30 days: PostgreSQL's order of intervals.
  var comparable: Int128 {
    (Int128(months) * 30 + Int128(days)) * 86_400_000_000 + Int128(microseconds)
  }
}
