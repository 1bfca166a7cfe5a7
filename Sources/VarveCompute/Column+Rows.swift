// Picking and joining rows of columns.

import VarveCore

extension Column {
  /// Row i of the result is row `indices[i]` of this one.
  package func gather(_ indices: UnsafeBufferPointer<UInt32>) -> Column {
    let n = indices.count
    func check(_ i: UInt32) -> Int {
      precondition(Int(i) < count, "gathered row out of bounds")
      return Int(i)
    }
    let picked: Buffer<UInt8>? = nulls.map { nulls in
      let out = Buffer<UInt8>(repeating: 0, count: n)
      for i in 0..<n { out.base[i] = nulls.base[check(indices[i])] }
      return out
    }
    func pick(_ words: Buffer<UInt64>) -> Buffer<UInt64> {
      let out = Buffer<UInt64>(repeating: 0, count: n)
      let source = words.base
      let target = out.base
      for i in 0..<n { target[i] = source[check(indices[i])] }
      return out
    }
    switch storage {
    case .constant: return Column(type: type, count: n, storage: storage)
    case .data(let data): return Column(type: type, count: n, storage: .data(indices.map { data[Int($0)] }))
    case .words(let words): return Column(type: type, count: n, storage: .words(pick(words)), nulls: picked)
    case .text(let refs, let bytes):
      return Column(type: type, count: n, storage: .text(pick(refs), bytes: bytes), nulls: picked)
    case .dictionary(let codes, let dictionary):
      let out = Buffer<UInt32>(repeating: 0, count: n)
      for i in 0..<n { out.base[i] = codes.base[check(indices[i])] }
      return Column(type: type, count: n, storage: .dictionary(out, dictionary), nulls: picked)
    }
  }
  package func gather(_ indices: [UInt32]) -> Column { indices.withUnsafeBufferPointer { gather($0) } }

  /// Row i of the result is row `indices[i]`, or NULL where the index is negative: outer joins.
  package func gatherOrNull(_ indices: [Int32]) -> Column {
    let outside = Buffer<UInt8>(repeating: 0, count: indices.count)
    for i in 0..<indices.count where indices[i] < 0 { outside.base[i] = 1 }
    if count == 0 { return .null(type, count: indices.count) }
    let inner = gather(indices.map { UInt32(max($0, 0)) })
    switch inner.storage {
    case .constant(.null): return inner
    default:
      let flat = inner.constantValue == nil ? inner : inner.materialized()
      if case .data(var data) = flat.storage {
        for i in 0..<indices.count where indices[i] < 0 { data[i] = .null }
        return Column(type: type, count: data.count, storage: .data(data))
      }
      if let nulls = flat.nulls {
        for i in 0..<indices.count { outside.base[i] |= nulls.base[i] }
      }
      return Column(type: type, count: indices.count, storage: flat.storage, nulls: outside)
    }
  }

  /// The rows where `mask`, a column of bool, is true (neither false nor NULL), in order.
  package static func selection(of mask: Column) -> Buffer<UInt32> {
    let out = Buffer<UInt32>(capacity: mask.count)
    switch mask.storage {
    case .constant(let datum):
      if datum == .bool(true) { for i in 0..<mask.count { out.append(UInt32(i)) } }
    case .words(let words):
      // Write always, advance by the bit: no branch to mispredict.
      let target = out.base
      var n = 0
      if let nulls = mask.nulls {
        for i in 0..<mask.count {
          target[n] = UInt32(truncatingIfNeeded: i)
          n &+= Int(words.base[i] & 1 & ~UInt64(nulls.base[i]))
        }
      } else {
        for i in 0..<mask.count {
          target[n] = UInt32(truncatingIfNeeded: i)
          n &+= Int(words.base[i] & 1)
        }
      }
      out.count = n
    default: preconditionFailure("a mask is a column of bool")
    }
    return out
  }

  package func filter(_ mask: Column) -> Column {
    let rows = Column.selection(of: mask)
    return withExtendedLifetime(rows) { gather(rows.span) }
  }

  package func slice(_ rows: Range<Int>) -> Column {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= count, "slice of a column out of bounds")
    if rows == 0..<count { return self }
    let n = rows.count
    let part = nulls.map { Buffer<UInt8>(UnsafeBufferPointer(rebasing: $0.span[rows])) }
    switch storage {
    case .constant: return Column(type: type, count: n, storage: storage)
    case .data(let data): return Column(type: type, count: n, storage: .data(Array(data[rows])))
    case .words(let words):
      return Column(
        type: type, count: n, storage: .words(Buffer(UnsafeBufferPointer(rebasing: words.span[rows]))), nulls: part)
    case .text(let refs, let bytes):
      return Column(
        type: type, count: n, storage: .text(Buffer(UnsafeBufferPointer(rebasing: refs.span[rows])), bytes: bytes),
        nulls: part)
    case .dictionary(let codes, let dictionary):
      return Column(
        type: type, count: n,
        storage: .dictionary(Buffer(UnsafeBufferPointer(rebasing: codes.span[rows])), dictionary), nulls: part)
    }
  }

  /// The rows of all columns, one after the other. All are of `type` (modifiers aside).
  package static func concat(_ columns: [Column], type: SQLType) -> Column {
    let columns = columns.filter { $0.count > 0 }
    if columns.count == 1 { return columns[0].relabelled(type) }
    let total = columns.reduce(0) { $0 + $1.count }
    if let first = columns.first?.constantValue,
      columns.allSatisfy({ $0.constantValue?.isIdentical(to: first) ?? false })
    {
      return .constant(first, type: type, count: total)
    }
    var nulls: Buffer<UInt8>?
    if columns.contains(where: { $0.nulls != nil || $0.constantValue?.isNull == true }) {
      let out = Buffer<UInt8>(capacity: total)
      for column in columns {
        if let part = column.nulls {
          out.append(part.span)
        } else {
          out.append(repeating: column.constantValue?.isNull == true ? 1 : 0, count: column.count)
        }
      }
      nulls = out
    }
    if type.isWord {
      let out = Buffer<UInt64>(capacity: total)
      for column in columns {
        if let datum = column.constantValue {
          out.append(repeating: datum.isNull ? 0 : ColumnBuilder.word(datum), count: column.count)
        } else {
          out.append(column.wordBuffer.span)
        }
      }
      return Column(type: type, count: total, storage: .words(out), nulls: nulls)
    }
    if type.isText {
      if let shared = sharedDictionary(columns) {
        let codes = Buffer<UInt32>(capacity: total)
        for column in columns {
          if case .dictionary(let part, _) = column.storage { codes.append(part.span) }
        }
        return Column(type: type, count: total, storage: .dictionary(codes, shared), nulls: nulls)
      }
      let refs = Buffer<UInt64>(capacity: total)
      let bytes = Buffer<UInt8>()
      for column in columns {
        let flat = column.materialized()
        guard case .text(let partRefs, let partBytes) = flat.storage else { preconditionFailure("a text column") }
        // Whole bytes are kept when most of them are used, else only what the rows refer to.
        let used = partRefs.span.reduce(0) { $0 + Int($1 & 0xFF_FFFF) }
        if used * 2 >= partBytes.count {
          let shift = UInt64(bytes.count) << 24
          bytes.append(partBytes.span)
          for word in partRefs.span { refs.append(word &+ shift) }
        } else {
          for word in partRefs.span {
            let ref = TextRef(word: word)
            refs.append(TextRef(offset: bytes.count, length: ref.length).word)
            bytes.append(UnsafeBufferPointer(start: partBytes.base + ref.offset, count: ref.length))
          }
        }
      }
      return Column(type: type, count: total, storage: .text(refs, bytes: bytes), nulls: nulls)
    }
    var data: [Datum] = []
    data.reserveCapacity(total)
    for column in columns {
      if case .data(let part) = column.storage {
        data.append(contentsOf: part)
      } else {
        for i in 0..<column.count { data.append(column.datum(at: i)) }
      }
    }
    return Column(type: type, count: total, storage: .data(data))
  }

  private static func sharedDictionary(_ columns: [Column]) -> TextDictionary? {
    guard case .dictionary(_, let first)? = columns.first?.storage else { return nil }
    for column in columns {
      guard case .dictionary(_, let other) = column.storage, other === first else { return nil }
    }
    return first
  }

  /// Memory held by this column alone, in bytes, roughly: for query budgets.
  package var byteCount: Int {
    let masks = nulls?.byteCount ?? 0
    switch storage {
    case .constant: return 64
    case .words(let words): return words.byteCount + masks
    case .text(let refs, let bytes): return refs.byteCount + bytes.byteCount + masks
    case .dictionary(let codes, _): return codes.byteCount + masks
    case .data(let data): return data.count * 64
    }
  }
}

extension ColumnBatch {
  package func gather(_ indices: UnsafeBufferPointer<UInt32>) -> ColumnBatch {
    ColumnBatch(count: indices.count, columns: columns.map { $0.gather(indices) })
  }
  package func filter(_ mask: Column) -> ColumnBatch {
    let rows = Column.selection(of: mask)
    return withExtendedLifetime(rows) { rows.count == count ? self : gather(rows.span) }
  }
  package func slice(_ rows: Range<Int>) -> ColumnBatch {
    ColumnBatch(count: rows.count, columns: columns.map { $0.slice(rows) })
  }
}
