// Objects that no chunk names any more, and since when: `_unneeded.csv`, a line each, "key,nanoseconds since 1970".

import VarveCore

struct UnneededObjects: Equatable {
  var since: [String: Int64] = [:]

  init() {}

  /// None where there is no such object. Lines that say nothing are left out: those keys count from now on.
  init(_ objects: any ObjectStore, _ key: String) throws {
    guard let byteCount = try objects.byteCount(key) else { return }
    for line in String(decoding: try objects.get(key, 0..<byteCount), as: UTF8.self).split(separator: "\n") {
      let parts = line.split(separator: ",")
      if parts.count == 2, let time = Int64(parts[1]), time >= 0 { since[String(parts[0])] = time }
    }
  }

  var bytes: [UInt8] {
    Array(since.sorted { $0.key < $1.key }.map { "\($0.key),\($0.value)\n" }.joined().utf8)
  }
}
