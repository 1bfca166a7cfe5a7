// A rollup as plain as can be, above a store: rows of table "t" counted by host and bucket of 100 ns in table "r". What
// refreshes, retention and reads must do is here in a few lines each; what the store promises them is what is tested.

import VarveCore
import VarveFormat
import VarveSimulator

@testable import VarveStorage

struct Group: Hashable {
  var host: String
  var bucket: Int64
}

enum CountingRollup {
  static let width: Int64 = 100

  static func create(_ store: Store) throws {
    let created = store.commit([
      .createTable(
        TableDefinition(name: "t", tags: ["host"], fields: [("v", .int64)], partitionNanoseconds: 60_000_000_000))
    ])
    _ = try created[0].get()
    let source = try table("t", store)
    let definition = RollupDefinition(
      source: source, stepNanoseconds: width / 4, origin: 0, columns: [ColumnID(rawValue: 0)], statement: "count")
    let table = TableDefinition(
      name: "r", tags: ["host"], fields: [("n", .int64)], partitionNanoseconds: 60_000_000_000)
    _ = try store.commit([.rollupDefinition(.create(table, definition))])[0].get()
  }

  private static func table(_ name: String, _ store: Store) throws -> TableID {
    guard let id = store.snapshot().table(named: name)?.id else { throw VarveError(.notFound, name) }
    return id
  }

  static func bucket(_ time: Int64) -> Int64 { PartitionSplit.index(time, width: width) * width }

  // MARK: Reading

  /// What a reader makes of a snapshot: rows of the rollup where they are valid, rows of the source everywhere else.
  static func read(_ snapshot: Snapshot) throws -> [Group: Int64] {
    guard let table = snapshot.table(named: "r"), let rollup = snapshot.rollup(table.id) else { return [:] }
    let state = rollup.state
    var counts: [Group: Int64] = [:]
    for row in try rows(snapshot, "r") {
      let isValid = row.time < state.frozen || (row.time < state.watermark && !isInvalid(row.time, state))
      if isValid { counts[Group(host: row.host, bucket: bucket(row.time)), default: 0] += row.value }
    }
    for row in try rows(snapshot, "t") {
      let isAdded =
        row.time < state.frozen
        ? state.invalid.contains { $0.lower <= row.time && row.time < $0.upper }
        : row.time >= state.watermark || isInvalid(row.time, state)
      if isAdded { counts[Group(host: row.host, bucket: bucket(row.time)), default: 0] += 1 }
    }
    return counts.filter { $0.value != 0 }
  }

  /// Whether the cell that holds the time (its bucket, cut where frozen rows end) has an invalid range.
  private static func isInvalid(_ time: Int64, _ state: RollupState) -> Bool {
    let lower = max(bucket(time), state.frozen)
    return state.invalid.contains { $0.lower < bucket(time) + width && lower < $0.upper }
  }

  static func rows(_ snapshot: Snapshot, _ name: String) throws -> [(host: String, time: Int64, value: Int64)] {
    guard let table = snapshot.table(named: name), let host = table.column(named: "host"),
      let field = table.fields.first
    else { return [] }
    let tags = snapshot.tagColumn(host.id, of: table.id)
    let cursor = try snapshot.scan(ScanRequest(table: table.id, fields: [field.id]))
    var found: [(host: String, time: Int64, value: Int64)] = []
    while let batch = try cursor.next() {
      var row = 0
      for run in batch.runs {
        let value = tags.withCodes { tags.values[Int($0[Int(run.series.rawValue)])] }
        for _ in 0..<run.count {
          found.append((value, batch.times[row], Int64(bitPattern: batch.fields[0].words[row])))
          row += 1
        }
      }
    }
    return found
  }

  // MARK: Refreshing

  /// Begins: from its commit on, what comes late below is marked.
  static func begin(_ store: Store, upTo threshold: Int64) -> CommitOutcome? {
    guard let write = write(store.snapshot(), steps: [.threshold(threshold)]) else { return nil }
    return store.commit([.rollups(RollupCommit([write]))])[0]
  }

  /// What the snapshot's rows make of all that is not frozen below the threshold.
  static func refresh(_ snapshot: Snapshot) throws -> RollupCommit? {
    guard let state = write(snapshot, steps: []).flatMap({ snapshot.rollup($0.table)?.state }),
      state.frozen < state.threshold
    else { return nil }
    var counts: [Group: Int64] = [:]
    for row in try rows(snapshot, "t") where row.time >= state.frozen && row.time < state.threshold {
      counts[Group(host: row.host, bucket: max(bucket(row.time), state.frozen)), default: 0] += 1
    }
    guard
      var write = write(
        snapshot,
        steps: [.materialised(lower: state.frozen, upper: state.threshold, through: snapshot.sequence)])
    else { return nil }
    write.clearing = [TimeRange(lower: state.frozen, upper: state.threshold - 1)]
    write.batches = batches(counts)
    return RollupCommit([write])
  }

  /// What the snapshot's rows make of everything below the threshold, rows of times below `time` for good.
  static func freeze(_ snapshot: Snapshot, before time: Int64) throws -> RollupCommit? {
    guard let table = snapshot.table(named: "r"), let source = snapshot.table(named: "t"),
      let state = snapshot.rollup(table.id)?.state, time > state.frozen, time <= state.threshold
    else { return nil }
    var counts: [Group: Int64] = [:]
    for row in try rows(snapshot, "r") where row.time < state.frozen {
      counts[Group(host: row.host, bucket: row.time), default: 0] += row.value
    }
    for row in try rows(snapshot, "t") where row.time < state.threshold {
      // Late ones are added to what is frozen of their bucket, which may be in two parts; a cut bucket stands in two.
      var key = bucket(row.time)
      if row.time >= state.frozen { key = max(key, state.frozen) }
      if row.time >= time { key = max(key, time) }
      counts[Group(host: row.host, bucket: key), default: 0] += 1
    }
    guard
      var write = write(
        snapshot,
        steps: [.materialised(lower: .min, upper: state.threshold, through: snapshot.sequence), .frozen(time)])
    else { return nil }
    write.clearing = [TimeRange(lower: .min, upper: state.threshold - 1)]
    write.batches = batches(counts)
    return RollupCommit(
      [write], drop: RetentionDrop(source: source.id, before: time, settledBefore: state.threshold))
  }

  private static func write(_ snapshot: Snapshot, steps: [RollupStep.Kind]) -> RollupWrite? {
    guard let table = snapshot.table(named: "r"), let rollup = snapshot.rollup(table.id) else { return nil }
    return RollupWrite(table: table.id, definition: rollup.definition, basis: snapshot.sequence, steps: steps)
  }

  private static func batches(_ counts: [Group: Int64]) -> [PointBatch] {
    VarveStorageTests.batches(
      counts.sorted { ($0.key.bucket, $0.key.host) < ($1.key.bucket, $1.key.host) }.map { group, count in
        ModelRow(
          table: "r", identity: Identity(tags: ["host": group.host], time: group.bucket),
          fields: ["n": .integer(count)])
      })
  }
}
