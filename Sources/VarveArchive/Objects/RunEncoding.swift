// Levels and dictionary indices as runs, without a look at each row where rows come as runs.

import VarveCore
import VarveFormat

/// The same index, so many rows long.
struct IndexRun {
  var index: UInt64
  var count: Int
}

enum RunEncoding {
  /// Definition levels, with the length before them, of rows that all have a value or all have none.
  static func levels(rowCount: Int, arePresent: Bool) -> [UInt8] {
    levels { out in
      out.append(varint: UInt64(rowCount) << 1)
      out.append(byte: arePresent ? 1 : 0)
    }
  }

  /// Of rows of which `states` says whether they have one.
  static func levels(_ states: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    levels { out in
      withUnsafeTemporaryAllocation(of: UInt64.self, capacity: states.count) { levels in
        for row in 0..<states.count { levels[row] = states[row] == CellState.value.rawValue ? 1 : 0 }
        HybridRuns.encode(UnsafeBufferPointer(levels), width: 1, into: &out)
      }
    }
  }

  static func levels(_ runs: [IndexRun]) -> [UInt8] {
    levels { encode(runs, width: 1, into: &$0) }
  }

  private static func levels(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
    var out = ByteWriter()
    out.append(u32: 0)
    body(&out)
    out.patch(u32: UInt32(out.count - 4), at: 0)
    return out.bytes
  }

  /// Runs that are short on average are written as what they stand for, a few bits each.
  static func encode(_ runs: [IndexRun], width: Int, into out: inout ByteWriter) {
    let rowCount = runs.reduce(0) { $0 + $1.count }
    guard rowCount < runs.count * 8 else {
      for run in runs {
        out.append(varint: UInt64(run.count) << 1)
        for byte in 0..<((width + 7) / 8) { out.append(byte: UInt8(truncatingIfNeeded: run.index >> UInt64(byte * 8))) }
      }
      return
    }
    let indices = Buffer<UInt64>(capacity: rowCount)
    for run in runs { indices.append(repeating: run.index, count: run.count) }
    HybridRuns.encode(indices.span, width: width, into: &out)
  }

  /// Bits of indices into `valueCount` values; readers expect one even where there is one value alone.
  static func indexWidth(_ valueCount: Int) -> Int { max(1, HybridRuns.width(max(0, valueCount - 1))) }
}
