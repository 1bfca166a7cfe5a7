// What a golden directory went through: something of every kind that a file can hold. It follows from no seed but from
// plain arithmetic, so that it is the same for ever.

import VarveCore
import VarveFormat
import VarveStorage

enum GoldenWorkload {
  private static let day: Int64 = 86_400_000_000_000

  /// `archive` is called when the oldest rows are in chunks.
  static func run(_ store: Store, archive: () throws -> Void) throws {
    var schema = TableDefinition(name: "made", tags: ["host"], fields: [("at", .timestamp), ("u", .uint64)])
    schema.partitionNanoseconds = day / 24
    _ = try store.commit([.createTable(schema)])[0].get()
    for name in ["devices", "left"] {
      _ = try store.commit([.createDimension(ModelDimension.definition(name))])[0].get()
    }
    for turn in 0..<7 {
      for request in dimensions(turn: turn) { _ = try store.commit([try request.forStore(store)])[0].get() }
      for rows in rows(turn: turn) where !rows.isEmpty { _ = try store.commit([.write(batches(rows))])[0].get() }
      for delete in deletes(turn: turn) {
        _ = try store.commit([.delete([delete.forStore(store.snapshot())], then: [])])[0].get()
      }
      // Chunks over chunks, a table that comes and goes, and rows that only the log has.
      if turn == 1 || turn == 3 || turn == 4 { try store.sealAll() }
      if turn == 3 { try compact("long", store) }
      if turn == 4 { try archive() }
      if turn == 2 || turn == 5 { _ = try store.commit([.dropTable("gone")])[0].get() }
      try rollups(turn: turn, store)
    }
    store.markDurable()
  }

  /// A rollup whose bounds, marks and policies are in manifest and log, and one that comes and goes.
  private static func rollups(turn: Int, _ store: Store) throws {
    func id(_ name: String) -> TableID {
      guard let id = store.snapshot().table(named: name)?.id else { preconditionFailure("\(name) is there") }
      return id
    }
    func commit(_ request: CommitRequest) throws { _ = try store.commit([request])[0].get() }
    func create(_ name: String, statement: String) throws {
      try commit(
        .rollupDefinition(
          .create(
            TableDefinition(name: name, tags: ["site"], fields: [("0_count", .int64)]),
            RollupDefinition(
              source: id("sensors"), stepNanoseconds: 10_000_000_000, origin: -3, columns: [ColumnID(rawValue: 0)],
              statement: statement))))
    }
    func write(_ steps: [RollupStep.Kind], _ rows: [ModelRow] = []) throws {
      let snapshot = store.snapshot()
      guard let rollup = snapshot.rollup(id("counts")) else { preconditionFailure("the rollup is there") }
      try commit(
        .rollups(
          RollupCommit([
            RollupWrite(
              table: rollup.schema.id, definition: rollup.definition, basis: snapshot.sequence,
              batches: batches(rows), steps: steps)
          ])))
    }
    func extend(_ name: String, by field: String, statement: String) throws {
      guard let old = store.snapshot().rollup(id(name))?.definition else { preconditionFailure("the rollup is there") }
      let new = RollupDefinition(
        source: old.source, stepNanoseconds: old.stepNanoseconds, origin: old.origin, columns: old.columns,
        statement: statement, additions: old.additions)
      try commit(.rollupDefinition(.extend(id(name), from: old, to: new, fields: [(field, .float64)])))
    }
    let start = -day
    switch turn {
    case 1:
      try create("counts", statement: "SELECT site, count(*) -- größer\nFROM sensors")
      try create("brief", statement: "SELECT 1")
      try commit(.rollupDefinition(.policy(id("counts"), .refresh, Array("every second".utf8))))
      try commit(.rollupDefinition(.policy(id("sensors"), .retention, Array("a year".utf8))))
      try write([.threshold(start + 200_000_000_000)])
    case 2:
      let rows = (0..<6).map {
        row("counts", ["site": "north"], start + Int64($0) * 10_000_000_000 - 3, ["0_count": .integer(Int64($0) + 1)])
      }
      try write(
        [.materialised(lower: .min, upper: start + 150_000_000_000, through: store.sequence)], rows)
      try write([.frozen(start + 5_000_000_000)])
    case 3:
      try commit(.dropTable("brief"))
      try commit(.rollupDefinition(.policy(id("sensors"), .retention, nil)))
      try commit(.rollupDefinition(.pauseJob(.compaction, true)))
    case 4:
      // Frozen rows do not know the field, which the manifest says then, and the second the log.
      try extend("counts", by: "1_sum", statement: "SELECT site, count(*), sum(celsius)\nFROM sensors")
    case 5:
      try extend("counts", by: "2_min", statement: "SELECT site, count(*), sum(celsius), min(v)\nFROM sensors")
      try write([
        .invalidated(lower: start + 90_000_000_000, upper: start + 95_000_000_000), .dropped(start + 1_000_000_000),
      ])
      try commit(.rollupDefinition(.trustClock(1_800_000_000_000_000_000)))
    default: break
    }
  }

  private static func compact(_ table: String, _ store: Store) throws {
    guard let id = store.snapshot().table(named: table)?.id else { preconditionFailure("every turn writes the table") }
    try store.compactAll(table: id)
  }

  /// Rows that come, change and go, and columns likewise; a table that only its file has, since no later commit is
  /// about it.
  static func dimensions(turn: Int) -> [Request] {
    var changes = ModelChanges(table: "devices")
    for number in 0..<(turn == 0 ? 300 : 40) {
      let key = "device \((number * 7 + turn * 13) % 400)"
      changes.rows[key] = .some(number % 5 == 4 ? nil : ["n": Int64(number - turn * 1000), "site": Int64(turn)])
    }
    var requests: [Request] = [.transaction([row("sensors", ["site": "north"], Int64(turn), [:])], [changes])]
    if turn == 0 {
      requests.append(.transaction([], [ModelChanges(table: "left", rows: ["a\u{0}b": ["n": 1], "": ["n": -1]])]))
    }
    if turn == 2 { requests.append(.alter("devices", .add("site", older: 5))) }
    if turn == 3 { requests.append(.alter("devices", .add("gone", older: nil))) }
    if turn == 4 { requests += [.alter("devices", .drop("gone")), .alter("devices", .rename("n", to: "number"))] }
    if turn == 5 { requests.append(.alter("devices", .rename("number", to: "n"))) }
    return requests
  }

  /// Of rows in chunks and in the head, of all series and of few; one is the last commit before the process ends.
  static func deletes(turn: Int) -> [ModelDelete] {
    switch turn {
    case 1, 6:
      [ModelDelete(table: "sensors", time: TimeRange(lower: 100_000_000_000 - day, upper: 130_000_000_000 - day))]
    case 2: [ModelDelete(table: "made", host: "h1", time: TimeRange(lower: .min, upper: 0))]
    case 4: [ModelDelete(table: "fleet", time: TimeRange(lower: day + 10, upper: day + 12))]
    default: []
    }
  }

  /// The commits of one turn.
  static func rows(turn: Int) -> [[ModelRow]] {
    [
      sensors(turn), turn % 3 == 0 ? long(turn) : [],
      [row("gone", ["h": "x"], Int64(turn), ["v": .integer(Int64(turn))])], made(turn),
      fleet(turn),
    ]
  }

  /// A few long series, with everything that a double or a text can be; later turns write over earlier ones in part.
  private static func sensors(_ turn: Int) -> [ModelRow] {
    let doubles: [Double] = [0, -0.0, .infinity, -.infinity, .leastNonzeroMagnitude, 0.1, 1e22, -273.15]
    let nan: UInt64 = 0x7FF8_0000_0000_0123
    return (0..<90).map { i in
      var fields: [String: Cell] = ["walk": .integer(Int64(i * i % 17 + turn))]
      if i % 3 == 0 { fields["v"] = i % 30 == 0 ? .double(nan) : .double(doubles[(i / 3) % 8].bitPattern) }
      if i % 4 == 1 { fields["celsius"] = .double((Double(i * 7 % 300) / 10 + Double(turn)).bitPattern) }
      if i % 5 == 2 { fields["state"] = .text(["ok", "", "größer", "零"][i % 4]) }
      if i % 7 == 3 { fields["v"] = .null }
      if i % 11 == 4 { fields["up"] = .other(.bool, UInt64(i & 1)) }
      let site = ["north", "süd", "a b=c,d"][i % 3]
      return row(
        "sensors", ["site": site], Int64(i / 3) * 10_000_000_000 + Int64(turn / 2) * 45_000_000_000 - day, fields)
    }
  }

  /// Series of enough rows for summaries and for every codec of full compaction.
  private static func long(_ turn: Int) -> [ModelRow] {
    var noise: UInt64 = UInt64(turn + 1)
    var walk: Int64 = 50
    return (0..<600).map { i in
      noise = noise &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      walk += Int64(noise >> 62) - 1
      let celsius = Double(walk) / 10 + Double(noise >> 40 & 7) / 100
      var fields: [String: Cell] = [
        "walk": .integer(walk), "celsius": .double(celsius.bitPattern), "up": .other(.bool, noise >> 59 & 1),
        "bits": .double(0x3FF0_0000_0000_0000 | noise >> 12), "level": .integer([0, 7, 1 << 40][Int(noise >> 33 % 3)]),
      ]
      if i % 9 == 0 { fields["state"] = .text(["ok", "failed", "starting"][Int(noise >> 20 % 3)]) }
      if i % 50 == 49 { fields["celsius"] = .null }
      return row("long", ["host": "h\(i / 300)"], Int64(i % 300 + turn * 300) * 1_000_000_000 + 5 * day, fields)
    }
  }

  /// Types that only CREATE TABLE or line protocol's suffixes give, in hourly partitions on both sides of 1970.
  private static func made(_ turn: Int) -> [ModelRow] {
    (0..<6).map { i in
      row(
        "made", i == 0 ? [:] : ["host": "h\(i % 2)"], Int64(i - 3) * day / 24 + Int64(turn),
        ["u": .other(.uint64, UInt64.max - UInt64(i)), "at": .other(.timestamp, UInt64(bitPattern: Int64(i - turn)))])
    }
  }

  /// Many short series.
  private static func fleet(_ turn: Int) -> [ModelRow] {
    (0..<40).map { i in
      var tags = ["device": "d\(i + turn * 10)"]
      if i % 3 == 0 { tags["zone"] = "z\(i % 2)" }
      return row("fleet", tags, day + Int64(i), ["load": .double((Double(i) / 4).bitPattern)])
    }
  }

  private static func row(_ table: String, _ tags: [String: String], _ time: Int64, _ fields: [String: Cell])
    -> ModelRow
  {
    ModelRow(table: table, identity: Identity(tags: tags, time: time), fields: fields)
  }
}
