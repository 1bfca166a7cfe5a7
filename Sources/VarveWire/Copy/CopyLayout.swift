// What follows from the columns and options of a COPY, found out once.

import VarveCore

struct CopyLayout {
  /// Indices of the tag columns, in order of their names' bytes.
  let tagColumns: [Int]
  let tagNames: [[UInt8]]
  /// The columns of all tags if they stand side by side; then their bytes as sent name the series.
  let tagRun: Range<Int>?
  let textColumns: [Int]
  /// A batch is handed over at this many rows: fewer than the options' limit when it is wide.
  let rowLimit: Int
  /// No digit is a delimiter or a quote, nor are digits NULL: a number is what it looks like.
  let digitsArePlain: Bool
  /// Rows are points of series.
  let makesBatches: Bool

  /// A batch has at most this many cells (32 MiB of words).
  private static let cellLimit = 4 * 1024 * 1024

  init(_ options: CopyOptions) {
    let columns = options.columns
    precondition(
      options.rows == nil
        ? columns.count(where: { $0.role == .time }) == 1 : columns.allSatisfy { $0.role == .value },
      "one column is the time, or all are values of whole rows")
    makesBatches = options.rows == nil
    textColumns = columns.indices.filter { columns[$0].role == .field(.text) }
    let tags = columns.indices.filter { columns[$0].role == .tag }
    tagColumns = tags.sorted { columns[$0].name.utf8.lexicographicallyPrecedes(columns[$1].name.utf8) }
    tagNames = tagColumns.map { Array(columns[$0].name.utf8) }
    if let first = tags.first, let last = tags.last, last - first + 1 == tags.count {
      tagRun = first..<(last + 1)
    } else {
      tagRun = nil
    }
    rowLimit = max(1, min(options.batchRowLimit, Self.cellLimit / max(1, columns.count)))
    let null = options.null
    let digitsAreNull = !null.isEmpty && null.allSatisfy(Self.isDigit)
    let quotesAreDigits = options.format == .csv && Self.isDigit(options.quote)
    digitsArePlain = !digitsAreNull && !quotesAreDigits && !Self.isDigit(options.delimiter)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
}
