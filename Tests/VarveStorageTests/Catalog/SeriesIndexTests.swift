import Testing
import VarveCore
import VarveFormat
import VarveSimulator
import VarveStorage

/// The index against a list of tag sets, whatever the number of values of a tag.
@Suite struct SeriesIndexTests {
  private static let table = TableID(rawValue: 1)
  private static let names = ["h", "few", "some", "é"]

  private let catalog: Catalog

  init() throws {
    var catalog = Catalog()
    try catalog.apply(.createTable(Self.table, name: "t", partitionNanoseconds: 1))
    for (id, name) in Self.names.enumerated() {
      try catalog.apply(
        .addColumn(
          Self.table, ColumnDefinition(id: ColumnID(rawValue: UInt16(id)), name: name, fieldType: nil)))
    }
    self.catalog = catalog
  }

  private func column(_ name: UnsafeBufferPointer<UInt8>) -> ColumnID? {
    Self.names.firstIndex { $0.utf8.elementsEqual(name) }.map { ColumnID(rawValue: UInt16($0)) }
  }

  /// One of many hosts, three kinds, some hundred places, each tag now and then left out.
  private func tags(_ random: inout SeededRandom) -> [String: String] {
    var tags: [String: String] = [:]
    if !random.chance(5) { tags["h"] = "host \(random.next() % 700)" }
    if !random.chance(20) { tags["few"] = ["a", "b", "e\u{301}", "\u{e9}"][Int(random.next() % 4)] }
    if !random.chance(20) { tags["some"] = "place with a long name, \(random.next() % 100)" }
    if random.chance(30) { tags["é"] = "\(random.next() % 3)" }
    return tags
  }

  private func key(_ tags: [String: String]) -> SeriesKey { SeriesKey(tags: tags.map { ($0.key, $0.value) }) }

  private func fill(_ index: SeriesIndex, _ count: Int, _ random: inout SeededRandom) throws -> [[String: String]] {
    var model: [[String: String]] = []
    var numbers: [SeriesKey: Int] = [:]
    for _ in 0..<count {
      let tags = tags(&random)
      let known = numbers.updateValue(model.count, forKey: key(tags))
      #expect(index.find(key(tags), column: column)?.rawValue == known.map { UInt32($0) })
      if let known {
        numbers[key(tags)] = known
        continue
      }
      if random.chance(50) {
        var seen: Int?
        let refused = try index.findOrAdd(key(tags), column: column) { count in
          seen = count
          return false
        }
        #expect(refused == nil && seen == model.count)
        let added = try index.findOrAdd(key(tags), column: column) { _ in true }
        #expect(added.map { Int($0.rawValue) } == model.count)
      } else {
        #expect(Int(try index.add(key(tags), column: column).rawValue) == model.count)
      }
      model.append(tags)
    }
    return model
  }

  @Test(arguments: 1...6) func everyConditionFindsWhatAPlainFilterFinds(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let index = SeriesIndex(hash: WideHash(seed: random.next()))
    let model = try fill(index, 400, &random)
    #expect(index.count == model.count)
    for (id, name) in Self.names.enumerated() {
      let column = ColumnID(rawValue: UInt16(id))
      func expect(_ condition: TagPredicate.Condition, _ test: (String?) -> Bool) {
        let expected = model.indices.filter { test(model[$0][name]) }.map { UInt32($0) }
        #expect(index.series(where: condition, on: column) == expected, "seed \(seed), \(name)")
      }
      for _ in 0..<10 {
        let some = (0..<Int.random(in: 0...5, using: &random)).compactMap { _ in tags(&random)[name] } + ["nobody's"]
        let wanted = Set(some.map { Array($0.utf8) })
        expect(.isIn(some + some)) { $0.map { wanted.contains(Array($0.utf8)) } ?? false }
      }
      let all = Set(model.compactMap { $0[name].map { Array($0.utf8) } })
      expect(.isIn(all.map { String(decoding: $0, as: UTF8.self) })) { $0 != nil }
      expect(.satisfies { $0 == nil }) { $0 == nil }
      expect(.satisfies { $0?.hasSuffix("1") ?? true }) { $0?.hasSuffix("1") ?? true }
      expect(.satisfies { $0?.hasSuffix("1") ?? false }) { $0?.hasSuffix("1") ?? false }
      let view = index.tagColumn(column)
      for (series, tags) in model.enumerated() {
        let code = view.code(of: SeriesID(rawValue: UInt32(series)))
        #expect(code == 0 ? tags[name] == nil : view.value(code).utf8.elementsEqual(tags[name, default: ""].utf8))
      }
    }
    #expect(index.series(where: .isIn(["a"]), on: ColumnID(rawValue: 9)).isEmpty)
    #expect(index.series(where: .satisfies { $0 == nil }, on: ColumnID(rawValue: 9)).count == model.count)
  }

  @Test func aViewStaysAsItWasWhileSeriesCome() throws {
    var random = SeededRandom(seed: 3)
    let index = SeriesIndex(hash: WideHash(seed: 1))
    var views: [(view: TagColumn, count: Int, values: [String])] = []
    for number in 0..<1_000 {
      if number % 100 == 0 {
        let view = index.tagColumn(ColumnID(rawValue: 0))
        views.append((view, number, (0..<number).map { view.value(view.code(of: SeriesID(rawValue: UInt32($0)))) }))
      }
      var tags = tags(&random)
      tags["h"] = "unique \(number)"
      _ = try index.add(key(tags), column: column)
    }
    for (view, count, values) in views {
      for series in 0..<count {
        #expect(values[series] == "unique \(series)")
        #expect(view.value(view.code(of: SeriesID(rawValue: UInt32(series)))) == values[series])
      }
      #expect(view.code(of: SeriesID(rawValue: UInt32(count))) == 0)
    }
  }

  @Test(arguments: 1...4) func recordsMakeTheSameIndex(seed: Int) throws {
    var random = SeededRandom(seed: UInt64(seed))
    let hash = WideHash(seed: 1)
    let index = SeriesIndex(hash: hash)
    let model = try fill(index, 300, &random)
    let again = SeriesIndexes(hash: hash)
    var from = 0
    while from < model.count {
      let to = min(model.count, from + Int.random(in: 1...120, using: &random))
      // What is known already is repeated.
      let first = max(0, from - Int(random.next() % 5))
      var body = ByteWriter()
      index.record(Self.table, from: first, to: to).append(to: &body)
      var reader = ByteReader(body.bytes)
      try again.apply(try SeriesRecord.read(from: &reader), catalog: catalog)
      try reader.expectEnd()
      from = to
    }
    #expect(again[Self.table].count == model.count)
    for (series, tags) in model.enumerated() {
      #expect(again[Self.table].find(key(tags), column: column)?.rawValue == UInt32(series), "seed \(seed)")
      let found = again[Self.table].tags(of: SeriesID(rawValue: UInt32(series)))
      let named = found.map { (Self.names[Int($0.column.rawValue)], $0.value) }
      #expect(SeriesKey(tags: named.map { ($0.0, $0.1) }) == key(tags), "seed \(seed)")
    }
  }

  @Test func aRecordBehindAGapIsDamage() throws {
    let index = SeriesIndex(hash: WideHash(seed: 1))
    for number in 0..<5 { _ = try index.add(key(["h": "\(number)"]), column: column) }
    let series = SeriesIndexes(hash: WideHash(seed: 1))
    try series.apply(index.record(Self.table, from: 0, to: 2), catalog: catalog)
    let error = #expect(throws: VarveError.self) {
      try series.apply(index.record(Self.table, from: 3, to: 5), catalog: catalog)
    }
    #expect(error?.code == .corruption && series[Self.table].count == 2)
  }

  @Test func impossibleTagSetsAreRefused() throws {
    func read(_ tags: [(UInt64, [UInt8])]) throws -> Int {
      var body = ByteWriter()
      for number: UInt64 in [1, 0, 1, UInt64(tags.count)] { body.append(varint: number) }
      for (column, value) in tags {
        body.append(varint: column)
        body.append(prefixed: value)
      }
      var reader = ByteReader(body.bytes)
      return try SeriesRecord.read(from: &reader).count
    }
    #expect(try read([]) == 1)
    #expect(try read([(0, [0x61]), (3, Array("größe".utf8))]) == 1)
    #expect(try read([(0, Array(repeating: 0x61, count: Limits.tagValueByteCount))]) == 1)
    let refused: [[(UInt64, [UInt8])]] = [
      [(1, [0x61]), (1, [0x61])], [(1, [0x61]), (0, [0x61])], [(0, [])], [(0, [0xFF])],
      [(0, Array("123456789".utf8) + [0xC3])], [(1 << 16, [0x61])],
      [(0, Array(repeating: 0x61, count: Limits.tagValueByteCount + 1))],
    ]
    for tags in refused {
      let error = #expect(throws: VarveError.self) { try read(tags) }
      #expect(error?.code == .corruption)
    }
  }
}
