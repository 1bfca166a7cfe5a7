// How far a rollup is: what its rows stand for. FORMAT.md, "Rollups".
//
//   time ──►      frozen        watermark       threshold
//   ──────────────┼─────────────┼───────────────┼──────────────
//    rows of the  │ rows of the │ being         │ rows of the source
//    rollup, and  │ rollup,     │ materialised  │ only
//    late rows of │ but in      │               │
//    the source   │ invalid     │               │
//    beside them  │ ranges      │               │
//
// Invalid ranges lie below the threshold: what was written, replaced or deleted there since the rollup's rows were made.
// Below `frozen` the source's rows are gone; an invalid range there says where late ones wait to be merged.

import VarveCore

/// Times from `lower` to below `upper` that commits up to `sequence` changed.
package struct InvalidRange: Sendable, Hashable {
  package var lower: Int64
  package var upper: Int64
  package var sequence: Sequence
  package init(lower: Int64, upper: Int64, sequence: Sequence) {
    self.lower = lower
    self.upper = upper
    self.sequence = sequence
  }
}

package struct RollupState: Sendable, Hashable {
  package let table: TableID
  /// The rollup's rows below are gone, and are not made again; where a bucket starts.
  package var dropped: Int64 = .min
  /// The source's rows below are gone from it, and stand in the rollup's for good.
  package var frozen: Int64 = .min
  /// The rollup has all of the source below.
  package var watermark: Int64 = .min
  /// What comes late is marked below.
  package var threshold: Int64 = .min
  /// Ascending, disjoint, not empty.
  package var invalid: [InvalidRange] = []

  package init(table: TableID) { self.table = table }

  /// What the source has below is nothing to make the rollup's rows of: only what came late for frozen ones is added.
  package var settled: Int64 { max(frozen, dropped) }

  /// varint table id, zigzag dropped, zigzag frozen, zigzag watermark, zigzag threshold, varint count of ranges, for each: zigzag lower,
  /// varint length, varint sequence.
  func append(to body: inout ByteWriter) {
    body.append(varint: UInt64(table.rawValue))
    body.append(zigzag: dropped)
    body.append(zigzag: frozen)
    body.append(zigzag: watermark)
    body.append(zigzag: threshold)
    body.append(varint: UInt64(invalid.count))
    for range in invalid {
      body.append(zigzag: range.lower)
      body.append(varint: UInt64(bitPattern: range.upper &- range.lower))
      body.append(varint: range.sequence.rawValue)
    }
  }

  static func read(from reader: inout ByteReader) throws -> RollupState {
    var state = RollupState(table: TableID(rawValue: try reader.readUInt32Varint()))
    state.dropped = try reader.readZigzag()
    state.frozen = try reader.readZigzag()
    state.watermark = try reader.readZigzag()
    state.threshold = try reader.readZigzag()
    for _ in 0..<(try reader.readCount(minimumByteCount: 3)) {
      let lower = try reader.readZigzag()
      let upper = lower &+ Int64(bitPattern: try reader.readVarint())
      state.invalid.append(
        InvalidRange(lower: lower, upper: upper, sequence: Sequence(rawValue: try reader.readVarint())))
    }
    guard state.isWhole else {
      throw VarveError(.corruption, "the state of rollup \(state.table.rawValue) contradicts itself")
    }
    return state
  }

  private var isWhole: Bool {
    max(dropped, frozen) <= watermark && watermark <= threshold && invalid.allSatisfy { $0.lower < $0.upper }
      && zip(invalid, invalid.dropFirst()).allSatisfy { $0.upper <= $1.lower }
      && (invalid.last.map { $0.upper <= threshold } ?? true)
      && invalid.allSatisfy { $0.upper <= frozen || $0.lower >= dropped }
  }
}

/// A step of a rollup, in the commit that makes it true.
package struct RollupStep: Sendable, Hashable {
  package enum Kind: Sendable, Hashable {
    /// From now on what comes late below is marked.
    case threshold(Int64)
    /// The rollup's rows from `lower` to below `upper` are what the source had as of commit `through`.
    case materialised(lower: Int64, upper: Int64, through: Sequence)
    /// The source's rows below go with this commit.
    case frozen(Int64)
    /// The rollup's rows from `lower` to below `upper` are not what they should be.
    case invalidated(lower: Int64, upper: Int64)
    /// The rollup's rows below go with this commit.
    case dropped(Int64)
  }
  package let table: TableID
  package let kind: Kind
  package init(_ table: TableID, _ kind: Kind) {
    self.table = table
    self.kind = kind
  }

  /// varint table id, u8 kind, and its numbers: zigzag times, varint sequence.
  func append(to body: inout ByteWriter) {
    body.append(varint: UInt64(table.rawValue))
    switch kind {
    case .threshold(let time):
      body.append(byte: 1)
      body.append(zigzag: time)
    case .materialised(let lower, let upper, let through):
      body.append(byte: 2)
      body.append(zigzag: lower)
      body.append(zigzag: upper)
      body.append(varint: through.rawValue)
    case .frozen(let time):
      body.append(byte: 3)
      body.append(zigzag: time)
    case .invalidated(let lower, let upper):
      body.append(byte: 4)
      body.append(zigzag: lower)
      body.append(zigzag: upper)
    case .dropped(let time):
      body.append(byte: 5)
      body.append(zigzag: time)
    }
  }

  static func read(from reader: inout ByteReader) throws -> RollupStep {
    let table = TableID(rawValue: try reader.readUInt32Varint())
    let tag = try reader.readByte()
    let first = try reader.readZigzag()
    switch tag {
    case 1: return RollupStep(table, .threshold(first))
    case 2:
      let upper = try reader.readZigzag()
      return RollupStep(
        table, .materialised(lower: first, upper: upper, through: Sequence(rawValue: try reader.readVarint())))
    case 3: return RollupStep(table, .frozen(first))
    case 4: return RollupStep(table, .invalidated(lower: first, upper: try reader.readZigzag()))
    case 5: return RollupStep(table, .dropped(first))
    default: throw VarveError(.corruption, "unknown step of a rollup (\(tag))")
    }
  }
}
