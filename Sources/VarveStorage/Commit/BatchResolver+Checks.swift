// What must hold of rows that bring something new: names, times, types, limits. A row that breaks a rule is rejected alone.

import VarveCore

extension BatchResolver {
  func checkNames(_ batch: PointBatch, _ rows: [Int], _ newKeys: [Int], _ rejected: inout RowRejections) {
    if let problem = NameRule.problem(batch.table, of: "table") {
      rejected.reject(rows, column: 1, .nameTooLong, problem)
      return
    }
    for field in batch.fields {
      if field.name == "time" {
        rejected.reject(
          rows.filter { field.column.state($0) != .absent }, column: field.sourceColumn, .reservedName,
          "a field cannot be named \"time\": that is the time stamp's column")
      } else if let problem = NameRule.problem(field.name, of: "field") {
        rejected.reject(
          rows.filter { field.column.state($0) != .absent }, column: field.sourceColumn, .nameTooLong, problem)
      }
    }
    for index in newKeys {
      let key = batch.series[index]
      var problem: (VarveError.Code, String)?
      key.forEachTag { name, value in
        let name = String(decoding: name, as: UTF8.self)
        if name == "time" {
          problem = (.reservedName, "a tag cannot be named \"time\": that is the time stamp's column")
        } else if let tooLong = NameRule.problem(name, of: "tag") {
          problem = (.nameTooLong, tooLong)
        } else if value.count > Limits.tagValueByteCount {
          problem = (
            .valueTooLong,
            "the value of tag \"\(name)\" has \(value.count) bytes; at most \(Limits.tagValueByteCount) are taken"
          )
        }
      }
      if let problem {
        rejected.reject(rows.filter { batch.rowSeries[$0] == UInt32(index) }, column: 1, problem.0, problem.1)
      }
    }
  }

  func checkTimes(_ batch: PointBatch, _ rows: [Int], _ rejected: inout RowRejections) {
    var isOff = false
    for row in rows where batch.times[row] > latestTime || batch.times[row] == .min { isOff = true }
    guard isOff else { return }
    rejected.reject(
      rows.filter { batch.times[$0] == .min }, column: 1, .invalidTimestamp,
      "the time stamp is the least that 64 bits hold, which stands for -infinity")
    rejected.reject(
      rows.filter { batch.times[$0] > latestTime }, column: 1, .timestampInFuture,
      "the time stamp is further in the future than --max-future allows")
  }

  func checkTags(
    _ batch: PointBatch, _ rows: [Int], _ newKeys: [Int], _ table: TableSchema, _ rejected: inout RowRejections
  ) {
    for index in newKeys {
      let key = batch.series[index]
      var clash: String?
      key.forEachTag { name, _ in
        let name = String(decoding: name, as: UTF8.self)
        if let column = table.column(named: name), !column.isTag { clash = name }
      }
      if let clash {
        rejected.reject(
          rows.filter { batch.rowSeries[$0] == UInt32(index) }, column: 1, .nameConflict,
          "\"\(clash)\" is a field of table \"\(table.name)\", so it cannot be a tag")
      }
    }
  }

  func checkFields(_ batch: PointBatch, _ rows: [Int], _ table: TableSchema, _ rejected: inout RowRejections) {
    for field in batch.fields {
      guard let column = table.column(named: field.name) else { continue }
      switch column.kind {
      case .tag:
        rejected.reject(
          rows.filter { field.column.state($0) != .absent }, column: field.sourceColumn, .nameConflict,
          "\"\(field.name)\" is a tag of table \"\(table.name)\", so it cannot be a field")
      case .field(let type):
        guard field.column.type != type, !(field.column.type == .int64 && type == .float64) else { continue }
        // A NULL has no type that could be wrong.
        rejected.reject(
          rows.filter { field.column.state($0) == .value }, column: field.sourceColumn, .typeConflict,
          "field \"\(field.name)\" of table \"\(table.name)\" is \(type.sqlName), not \(field.column.type.sqlName)")
      }
    }
  }

  /// A field may not have the name of a tag on its own line. (For series that are known, `checkFields` finds it.)
  func checkFieldsAgainstTags(
    _ batch: PointBatch, _ rows: [Int], _ newKeys: [Int], _ rejected: inout RowRejections
  ) {
    guard !newKeys.isEmpty else { return }
    var tagNames = Set<[UInt8]>()
    for index in newKeys { batch.series[index].forEachTag { name, _ in tagNames.insert(Array(name)) } }
    for field in batch.fields where tagNames.contains(Array(field.name.utf8)) {
      rejected.reject(
        rows.filter { field.column.state($0) != .absent && batch.series[Int(batch.rowSeries[$0])].hasTag(field.name) },
        column: field.sourceColumn, .nameConflict,
        "\"\(field.name)\" is a tag of this line, so it cannot be a field too")
    }
  }
}

extension BatchResolver {
  /// Rows that would make a table, a column or a series beyond the limits; earlier rows come first.
  mutating func checkLimits(
    _ batch: PointBatch, _ rows: [Int], _ newKeys: [Int], _ table: TableSchema?, _ rejected: inout RowRejections
  ) {
    if table == nil, catalog.tableCount >= Limits.tables {
      rejected.reject(rows, column: 1, .limitExceeded, "a database holds at most \(Limits.tables) tables")
      return
    }
    checkColumnLimit(batch, rows, newKeys, table, &rejected)
    checkSeriesLimit(batch, rows, newKeys, table, &rejected)
  }

  private func checkColumnLimit(
    _ batch: PointBatch, _ rows: [Int], _ newKeys: [Int], _ table: TableSchema?, _ rejected: inout RowRejections
  ) {
    let room = Limits.columnsPerTable - (table?.nextColumn ?? 0)
    let newFields = batch.fields.filter { table?.column(named: $0.name) == nil }
    var newTags: [UInt32: [[UInt8]]] = [:]
    var names = Set(newFields.map { Array($0.name.utf8) })
    for key in newKeys {
      var ofKey: [[UInt8]] = []
      batch.series[key].forEachTag { name, _ in
        if table?.column(named: String(decoding: name, as: UTF8.self)) == nil { ofKey.append(Array(name)) }
      }
      newTags[UInt32(key)] = ofKey
      names.formUnion(ofKey)
    }
    guard names.count > room else { return }
    var accepted = Set<[UInt8]>()
    for row in rows where !rejected.contains(row) {
      var wanted = Set(newFields.filter { $0.column.state(row) != .absent }.map { Array($0.name.utf8) })
      wanted.formUnion(newTags[batch.rowSeries[row]] ?? [])
      wanted.subtract(accepted)
      if accepted.count + wanted.count <= room {
        accepted.formUnion(wanted)
      } else {
        rejected.reject(
          [row], column: 1, .limitExceeded,
          "table \"\(batch.table)\" holds at most \(Limits.columnsPerTable) columns")
      }
    }
  }

  private mutating func checkSeriesLimit(
    _ batch: PointBatch, _ rows: [Int], _ newKeys: [Int], _ table: TableSchema?, _ rejected: inout RowRejections
  ) {
    guard !newKeys.isEmpty else { return }
    var room = seriesRoom
    var count = table.map { seriesOf($0.id).count } ?? 0
    let needed = newKeys.reduce(0) { $0 + SeriesIndex.byteCount(ofNew: batch.series[$1]) }
    if room.refusal(table: batch.table, seriesCount: count + newKeys.count - 1, byteCount: needed) == nil { return }
    var refused: [UInt32: String] = [:]
    let new = Set(newKeys.map { UInt32($0) })
    // By key: a tag set that is listed twice is one series.
    var reasons: [SeriesKey: String?] = [:]
    for row in rows where !rejected.contains(row) {
      let local = batch.rowSeries[row]
      guard new.contains(local) else { continue }
      let key = batch.series[Int(local)]
      if reasons[key] == nil {
        let byteCount = SeriesIndex.byteCount(ofNew: key)
        let reason = room.refusal(table: batch.table, seriesCount: count, byteCount: byteCount)
        reasons.updateValue(reason, forKey: key)
        if reason == nil {
          room.byteCount -= byteCount
          count += 1
        }
      }
      if case .some(.some(let reason)) = reasons[key] { refused[local] = reason }
    }
    guard !refused.isEmpty else { return }
    for row in rows {
      if let reason = refused[batch.rowSeries[row]] { rejected.reject([row], column: 1, .limitExceeded, reason) }
    }
  }
}

extension SeriesKey {
  func hasTag(_ wanted: String) -> Bool {
    var found = false
    forEachTag { name, _ in if name.elementsEqual(wanted.utf8) { found = true } }
    return found
  }
}
