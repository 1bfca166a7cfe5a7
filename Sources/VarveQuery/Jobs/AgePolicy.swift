// What the catalog keeps of how something is done with what is old of a table by itself, and by which time of day it is: rows
// go by retention, and chunks to the archive by tiering. FORMAT.md, "Policies".

import VarveCompute
import VarveCore
import VarveFormat

package struct AgePolicy: Sendable, Hashable {
  package var isPaused = false
  /// It is about what is wholly older.
  package var age: Interval

  package init(_ age: Interval) { self.age = age }

  package var bytes: [UInt8] {
    var out = ByteWriter()
    out.append(byte: isPaused ? PolicyFlags.paused : 0)
    out.append(zigzag: Int64(age.months))
    out.append(zigzag: Int64(age.days))
    out.append(zigzag: age.microseconds)
    return out.bytes
  }

  /// Throws `.corruption` for what is no policy.
  package init(_ bytes: [UInt8]) throws {
    var reader = ByteReader(bytes)
    let flags = try reader.readByte()
    guard flags & ~PolicyFlags.paused == 0, let months = Int32(exactly: try reader.readZigzag()),
      let days = Int32(exactly: try reader.readZigzag())
    else { throw VarveError(.corruption, "a policy about what is old is described impossibly") }
    isPaused = flags & PolicyFlags.paused != 0
    age = Interval(months: months, days: days, microseconds: try reader.readZigzag())
    try reader.expectEnd()
  }

  /// What is older than this is old, at this time of day.
  package func limit(at now: Int64) throws -> Int64 { try age.before(now) }
}
