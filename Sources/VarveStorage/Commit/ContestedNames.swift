// Names that a batch would create and on which its rows could disagree: a field that comes with two types, or as a tag of
// one row and a field of another. Until a row has decided, rows that touch such a name are taken one by one.

import VarveCore

struct ContestedNames {
  private let batch: PointBatch
  private let fields: [PointBatch.Field]
  /// By index of the tag set: whether it has a contested tag.
  private let series: [Bool]

  init(_ batch: PointBatch, _ table: TableSchema?) {
    self.batch = batch
    let newFields = batch.fields.filter { table?.column(named: $0.name) == nil }
    guard batch.rowCount > 1, !newFields.isEmpty else {
      fields = []
      series = []
      return
    }
    var seen = Set<[UInt8]>()
    var contested = Set<[UInt8]>()
    for field in newFields where !seen.insert(Array(field.name.utf8)).inserted {
      contested.insert(Array(field.name.utf8))
    }
    for key in batch.series {
      key.forEachTag { name, _ in
        let name = Array(name)
        if seen.contains(name) { contested.insert(name) }
      }
    }
    fields = newFields.filter { contested.contains(Array($0.name.utf8)) }
    series =
      contested.isEmpty
      ? []
      : batch.series.map { key in
        var has = false
        key.forEachTag { name, _ in if contested.contains(Array(name)) { has = true } }
        return has
      }
  }

  var isEmpty: Bool { fields.isEmpty }

  func touches(_ row: Int) -> Bool {
    series[Int(batch.rowSeries[row])] || fields.contains { $0.column.state(row) != .absent }
  }
}
