// Fills an empty store with many short series, through commits as a server would, and seals it.

import VarveCore
import VarveStorage

struct Builder {
  private static let start: Int64 = 1_451_606_400_000_000_000
  private static let stepNanoseconds: Int64 = 10_000_000_000
  private static let seriesPerBatch = 20_000
  private static let regions = [
    "us-east-1", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-1", "ap-southeast-2",
    "ap-northeast-1", "sa-east-1",
  ]

  private let count: Int
  private let rows: Int

  init(_ count: Int, rows: Int) {
    self.count = count
    self.rows = rows
  }

  func build(_ options: StoreOptions) throws {
    var options = options
    options.sync = .off
    options.maxSeriesPerTable = count
    let store = try Store.open(options)
    var random = SplitMix(state: 1)
    var walks = Walks(count: count, &random)
    for step in 0..<rows {
      for first in stride(from: 0, to: count, by: Self.seriesPerBatch) {
        let part = first..<min(first + Self.seriesPerBatch, count)
        let keys = part.map { Self.key($0) }
        let batch = PointBatch(
          table: "cpu", series: keys, rowSeries: Buffer(part.map { UInt32($0 - first) }),
          times: Buffer(repeating: Self.start + Int64(step) * Self.stepNanoseconds, count: part.count),
          fields: walks.step(part, &random))
        _ = try store.commit([.write([batch])])[0].get()
        if store.shouldFreeze { try store.sealAll() }
      }
    }
    try store.sealAll()
    try store.close()
  }

  /// The tags of one series. Each shared tag follows from the number by a hash of its own.
  private static func key(_ number: Int) -> SeriesKey {
    var random = SplitMix(state: UInt64(number) &* 0x9E37_79B9_7F4A_7C15 | 1)
    let region = regions[Int(random.next() % 9)]
    func pick(_ count: UInt64) -> UInt64 { random.next() % count }
    return SeriesKey(tags: [
      ("arch", ["x64", "x86"][Int(pick(2))]), ("datacenter", region + ["a", "b", "c"][Int(pick(3))]),
      ("hostname", "host_\(number)"), ("os", ["Ubuntu16.10", "Ubuntu16.04LTS", "Ubuntu15.10"][Int(pick(3))]),
      ("rack", String(pick(5_000))), ("region", region), ("service", String(pick(20))),
      ("service_environment", ["production", "staging", "test"][Int(pick(3))]),
      ("service_version", String(pick(2))), ("team", ["SF", "NYC", "LON", "CHI"][Int(pick(4))]),
    ])
  }
}

/// Four fields a series: three integers between 0 and 100 that move by at most one, and a decimal with two places.
struct Walks {
  private var integers: [[Int64]]
  private var cents: [Int64]

  init(count: Int, _ random: inout SplitMix) {
    integers = (0..<3).map { _ in (0..<count).map { _ in Int64(random.next() % 101) } }
    cents = (0..<count).map { _ in Int64(random.next() % 10_000) }
  }

  /// The next row of each of the series.
  mutating func step(_ part: Range<Int>, _ random: inout SplitMix) -> [PointBatch.Field] {
    var fields: [PointBatch.Field] = []
    for (field, name) in ["usage_user", "usage_system", "usage_idle"].enumerated() {
      let words = Buffer<UInt64>(capacity: part.count)
      for series in part {
        let next = integers[field][series] + Int64(random.next() % 3) - 1
        integers[field][series] = min(100, max(0, next))
        words.append(UInt64(bitPattern: integers[field][series]))
      }
      fields.append(PointBatch.Field(name: name, column: FieldColumn(type: .int64, words: words)))
    }
    let words = Buffer<UInt64>(capacity: part.count)
    for series in part {
      cents[series] += Int64(random.next() % 101) - 50
      words.append((Double(cents[series]) / 100).bitPattern)
    }
    fields.append(PointBatch.Field(name: "load", column: FieldColumn(type: .float64, words: words)))
    return fields
  }
}

/// The same numbers in every run; the system's generator is a call into it for each.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
