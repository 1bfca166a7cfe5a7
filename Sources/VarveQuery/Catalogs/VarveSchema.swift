// The schema `varve`: what the store says of itself.

import VarveCompute
import VarveCore
import VarveStorage

enum VarveSchema {
  static let tables: [VirtualTable] = [
    VirtualTable(
      "varve", "tables",
      """
      table_name text tags text[] fields text[] partition interval series int8 rows int8 head_rows int8 \
      partitions int8 chunks int8 chunk_bytes int8 bytes_per_value float8 first_time timestamptz \
      last_time timestamptz
      """
    ) { view in
      view.snapshot.tables().map { table in
        let statistics = view.snapshot.statistics(of: table.id)
        return [
          .text(table.name), .array(table.tags.map { .text($0.name) }), .array(table.fields.map { .text($0.name) }),
          .interval(interval(table.partitionNanoseconds)), Cell.int(statistics.series), Cell.int(statistics.rows),
          Cell.int(statistics.headRows), Cell.int(statistics.partitions), Cell.int(statistics.chunks),
          Cell.int(statistics.chunkBytes),
          statistics.chunkValues > 0
            ? .float(Double(statistics.chunkBytes) / Double(statistics.chunkValues)) : .null,
          statistics.time.map { .timestamp($0.lower) } ?? .null,
          statistics.time.map { .timestamp($0.upper) } ?? .null,
        ]
      }
    }
  ]

  private static func interval(_ nanoseconds: Int64) -> Interval {
    let day: Int64 = 86_400_000_000_000
    if nanoseconds % day == 0 { return Interval(days: Int32(clamping: nanoseconds / day)) }
    return Interval(microseconds: nanoseconds / 1000)
  }
}
