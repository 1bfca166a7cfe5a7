// Which rows of a page have a value, are null, or are absent. FORMAT.md, "Presence".

import VarveCore

/// How the states are written. The raw value is in files: never renumber.
package enum PresenceCodec: UInt8, Sendable, CaseIterable {
  /// Every row has a value; takes no bytes.
  case all = 0
  /// A bitmap of rows with a value; the others are absent.
  case values = 1
  /// A bitmap of rows with a value, then one of null rows.
  case valuesAndNulls = 2
  /// A varint of runs, then a varint each: state + 4 × (length - 1).
  case runs = 3
  /// An integer stream of states.
  case stream = 4
}

package enum Presence {
  /// Writes the states in the smallest way. Nil, or all with a value, takes no bytes.
  package static func encode(
    _ states: UnsafeBufferPointer<UInt8>?, effort: PageEffort = .light, to out: inout ByteWriter
  ) -> PresenceCodec {
    guard let states, !states.isEmpty else { return .all }
    let count = states.count
    var values = 0
    var nulls = 0
    var runs = 1
    for i in 0..<count {
      values += states[i] == CellState.value.rawValue ? 1 : 0
      nulls += states[i] == CellState.null.rawValue ? 1 : 0
      if i > 0 && states[i] != states[i - 1] { runs += 1 }
    }
    if values == count { return .all }
    let bitmaps = Bitmap.byteCount(count) * (nulls > 0 ? 2 : 1)
    var limit = bitmaps
    var stream = ByteWriter()
    if effort == .smallest {
      let words = Buffer(states.lazy.map { UInt64($0) })
      IntegerCodec.append(stream: words.span, effort: effort, to: &stream)
      limit = min(limit, stream.count)
    }
    if runs <= limit {
      var body = ByteWriter()
      body.append(varint: UInt64(runs))
      var start = 0
      for i in 1...count where i == count || states[i] != states[start] {
        body.append(varint: UInt64(states[start]) | UInt64(i - start - 1) << 2)
        start = i
      }
      if body.count <= limit {
        out.append(body.bytes)
        return .runs
      }
    }
    if limit < bitmaps {
      out.append(stream.bytes)
      return .stream
    }
    Bitmap.append(count, to: &out) { states[$0] == CellState.value.rawValue }
    guard nulls > 0 else { return .values }
    Bitmap.append(count, to: &out) { states[$0] == CellState.null.rawValue }
    return .valuesAndNulls
  }

  /// The states of `count` rows; nil when every row has a value. Total; whoever calls bounds `count`.
  package static func decode(
    _ codec: PresenceCodec, count: Int, from reader: inout ByteReader
  ) throws -> Buffer<UInt8>? {
    guard codec != .all else { return nil }
    let states = Buffer<UInt8>(repeating: CellState.absent.rawValue, count: count)
    let out = states.base
    switch codec {
    case .all: break
    case .values:
      let values = try Bitmap.read(count, from: &reader)
      for i in 0..<count { out[i] = Bitmap.bit(values, i) }
    case .valuesAndNulls:
      let values = try Bitmap.read(count, from: &reader)
      let nulls = try Bitmap.read(count, from: &reader)
      for i in 0..<count {
        out[i] = Bitmap.bit(values, i) | Bitmap.bit(nulls, i) << 1
        guard out[i] < 3 else { throw VarveError(.corruption, "a row is null and has a value") }
      }
    case .stream:
      let words = Buffer<UInt64>(capacity: count)
      try IntegerCodec.read(stream: count, from: &reader, into: words.base)
      var greatest: UInt64 = 0
      for i in 0..<count { greatest = max(greatest, words.base[i]) }
      guard greatest < 3 else { throw VarveError(.corruption, "a row has an unknown state (\(greatest))") }
      for i in 0..<count { out[i] = UInt8(truncatingIfNeeded: words.base[i]) }
    case .runs:
      var at = 0
      for _ in 0..<(try reader.readCount(minimumByteCount: 1)) {
        let run = try reader.readVarint()
        guard run & 3 < 3, run >> 2 < UInt64(count - at) else {
          throw VarveError(.corruption, "runs of row states do not fit their page")
        }
        let length = Int(run >> 2) + 1
        (out + at).update(repeating: UInt8(run & 3), count: length)
        at += length
      }
      guard at == count else { throw VarveError(.corruption, "runs of row states hold \(at) rows of \(count)") }
    }
    return states
  }
}
