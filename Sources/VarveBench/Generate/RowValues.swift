// What the fields of a row are, in whole numbers: of decimals in units of their last place, of texts the place in the
// list of them. They follow from the seed, the series and the step alone, however the row is written.

/// Of a series: what its tags and values come from.
@inline(__always)
func seriesHash(_ row: PlannedRow, _ seed: UInt64) -> UInt64 {
  mixed(seed &+ UInt64(row.series) &* 0x1234_5678_9ABC_DEF1)
}

/// The place that a row's values come from; a provisional row has those of another.
@inline(__always)
func valueStep(_ row: PlannedRow) -> Int { Int(row.step) &+ (row.isProvisional ? 7_777 : 0) }

/// The place in the walk where a field of a series begins.
@inline(__always)
private func walkPlace(_ hash: UInt64, _ field: Int) -> Int {
  Int((hash &* (0x9E37_79B9_7F4A_7C15 &+ UInt64(field) &* 0xD1B5_4A32_D192_ED02)) >> 48)
}

@inline(__always)
private func walked(_ field: Int, _ hash: UInt64, _ step: Int, _ tables: RowTables) -> Int {
  Int(tables.walk.base[(walkPlace(hash, field) &+ step) & RowTables.walkMask])
}

@inline(__always)
func cpuValue(_ field: Int, _ hash: UInt64, _ step: Int, _ tables: RowTables) -> Int {
  Int(tables.percents.base[(walkPlace(hash, field) &+ step) & RowTables.walkMask])
}

@inline(__always)
func iotValue(_ field: Int, _ hash: UInt64, _ step: Int, _ tables: RowTables) -> Int {
  switch field {
  case 0: 50 + walked(0, hash, step, tables) / 40
  case 1: 2500 + walked(1, hash, step, tables) * 3 / 5
  case 2: 3200 + walked(2, hash, step, tables) / 10
  case 3: 3_000_000 + Int(hash & 0x1F_FFFF) + walked(3, hash, step, tables)
  case 4: 500_000 + Int(hash >> 41) + walked(4, hash, step, tables)
  // Charging is a state of some minutes, and so is the status.
  case 5: (Int(hash & 0x3FF) &+ step) >> 6 & 3 == 0 ? 1 : 0
  default: (Int(hash >> 20 & 0xFF) &+ step) >> 5 % RowShape.statuses.count
  }
}

@inline(__always)
func narrowValue(_ hash: UInt64, _ step: Int, _ tables: RowTables) -> Int { walked(0, hash, step, tables) }

@inline(__always)
func rowValue(
  _ schema: LoadPlan.Schema, _ field: Int, _ hash: UInt64, _ step: Int, _ tables: RowTables
) -> Int {
  switch schema {
  case .cpu: cpuValue(field, hash, step, tables)
  case .iot: iotValue(field, hash, step, tables)
  case .narrow: narrowValue(hash, step, tables)
  }
}

/// Where the rows' values are added up, and each row's first one kept.
struct ValueNotes {
  let sums: UnsafeMutablePointer<Int>
  let firstValues: UnsafeMutablePointer<Int32>
}
