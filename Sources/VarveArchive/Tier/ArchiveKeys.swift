// Under which keys an archive keeps what:
//
//   <folder>/<table id>/varve_date=2026-11-27/<chunk id>.parquet     an object: rows of one day in UTC
//   <folder>/<table id>/_objects.json         the objects that hold the table's archived rows, written last in a run
//   <folder>/<table id>/_unneeded.csv         objects that no chunk names any more, and since when
//   <folder>/<table id>/varve_date=2026-11-27/_<chunk id>.unneeded   one of these objects
//   <folder>/archive.json                     who wrote last, see `ArchiveIdentity`
//   <folder>/archive.lock                     held by a run
//
// What begins with `_` is no data to engines that read a table's folder.
//
// A folder is one data directory's: its name is random. Ids are numbers; names that users chose stand in objects and in
// the JSON, never in keys.

import VarveCore
import VarveStorage

enum ArchiveKeys {
  static func object(_ folder: String, _ table: TableID, day: Int64, _ chunk: FileID) -> String {
    "\(folder)/\(table.rawValue)/varve_date=\(date(day))/\(StorePaths.name(chunk, "parquet"))"
  }

  static func objects(_ folder: String, _ table: TableID) -> String { "\(folder)/\(table.rawValue)/_objects.json" }
  static func unneeded(_ folder: String, _ table: TableID) -> String { "\(folder)/\(table.rawValue)/_unneeded.csv" }
  static func state(_ folder: String) -> String { "\(folder)/archive.json" }
  static func lock(_ folder: String) -> String { "\(folder)/archive" }

  /// Nothing is in no folder.
  static func isIn(_ folder: String?, _ key: String) -> Bool { folder.map { key.hasPrefix($0 + "/") } ?? false }

  /// Where an object is kept that no chunk names any more. Engines that read the folder leave it out: its name begins with
  /// an underscore and does not end as those of objects do.
  static func unneeded(_ key: String) -> String {
    let slash = key.lastIndex(of: "/").map { key.index(after: $0) } ?? key.startIndex
    return key[..<slash] + "_" + key[slash...].dropLast(objectSuffix.count) + unneededSuffix
  }

  /// The chunk whose object it is, be it put aside or not.
  static func chunk(of key: String) -> FileID? {
    let name = key[(key.lastIndex(of: "/").map { key.index(after: $0) } ?? key.startIndex)...]
    if name.hasSuffix(objectSuffix) { return StorePaths.id(of: String(name), suffix: String(objectSuffix.dropFirst())) }
    return StorePaths.id(of: String(name.drop { $0 == "_" }), suffix: String(unneededSuffix.dropFirst()))
  }

  static let objectSuffix = ".parquet"
  static let unneededSuffix = ".unneeded"

  /// A day since 1970 as year, month and day of the Gregorian calendar.
  static func date(_ day: Int64) -> String {
    // Days from a 1 March on, in cycles of 400 years: https://howardhinnant.github.io/date_algorithms.html
    let shifted = day + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let month = (5 * dayOfYear + 2) / 153
    let monthOfYear = month < 10 ? month + 3 : month - 9
    let year = yearOfEra + era * 400 + (monthOfYear <= 2 ? 1 : 0)
    return "\(padded(year, 4))-\(padded(monthOfYear, 2))-\(padded(dayOfYear - (153 * month + 2) / 5 + 1, 2))"
  }

  private static func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number.magnitude)
    return (number < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
  }
}
