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
      last_time timestamptz archived_chunks int8 archived_rows int8 archived_bytes int8
      """
    ) { view in
      view.snapshot.tables().map { table in
        let statistics = view.snapshot.statistics(of: table.id)
        return [
          .text(table.name), .array(table.tags.map { .text($0.name) }), .array(table.fields.map { .text($0.name) }),
          .interval(interval(table.partitionNanoseconds)), Cell.int(statistics.series), Cell.int(statistics.rows),
          Cell.int(statistics.headRows), Cell.int(statistics.partitions), Cell.int(statistics.chunks),
          Cell.int(statistics.chunkBytes),
          perValue(statistics.chunkBytes + statistics.objectBytes, statistics.chunkValues),
          statistics.time.map { .timestamp($0.lower) } ?? .null,
          statistics.time.map { .timestamp($0.upper) } ?? .null, Cell.int(statistics.archivedChunks),
          Cell.int(statistics.archivedRows), Cell.int(statistics.objectBytes),
        ]
      }
    },
    VirtualTable(
      "varve", "chunks",
      """
      table_name text file text partition_start timestamptz partition_end timestamptz level int8 rows int8 bytes int8 \
      bytes_per_value float8 first_time timestamptz last_time timestamptz first_commit int8 last_commit int8 \
      overlapping bool tier text object_bytes int8
      """
    ) { view in
      view.snapshot.tables().flatMap { table in
        view.snapshot.chunks(of: table.id).map { chunk in
          [
            .text(table.name), .text(chunk.file), .timestamp(chunk.partition.lower),
            // The first instant behind it.
            .timestamp(chunk.partition.upper == .max ? .max : chunk.partition.upper + 1), Cell.int(chunk.level),
            Cell.int(chunk.rows), Cell.int(chunk.bytes),
            perValue(chunk.bytes + chunk.objectBytes, chunk.values),
            .timestamp(chunk.time.lower), .timestamp(chunk.time.upper),
            .int(Int64(bitPattern: chunk.firstSequence.rawValue)), .int(Int64(bitPattern: chunk.lastSequence.rawValue)),
            .bool(chunk.isOverlapping), .text(chunk.isArchived ? "cold" : "warm"),
            chunk.isArchived ? Cell.int(chunk.objectBytes) : .null,
          ]
        }
      }
    },
  ]

  /// Here and in the archive.
  private static func perValue(_ bytes: Int, _ values: Int) -> Datum {
    values > 0 ? .float(Double(bytes) / Double(values)) : .null
  }

  private static func interval(_ nanoseconds: Int64) -> Interval {
    let day: Int64 = 86_400_000_000_000
    if nanoseconds % day == 0 { return Interval(days: Int32(clamping: nanoseconds / day)) }
    return Interval(microseconds: nanoseconds / 1000)
  }
}
