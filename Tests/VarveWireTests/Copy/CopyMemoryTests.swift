// What COPYs remember of the series that they bring.

import Testing
import VarveCore

@testable import VarveWire

@Suite struct CopyMemoryTests {
  private static let table = CopyTable(columns: [
    CopyColumn(name: "time", role: .time), CopyColumn(name: "host", role: .tag),
    CopyColumn(name: "n", role: .field(.int64)),
  ])

  /// Readers, each with rows of a series of its own in turn; rows that they gave, and the most that they held.
  private func read(_ readers: inout [CopyReader], rows: Int, _ check: () -> Void) throws -> (rows: Int, held: Int) {
    var (count, most) = (0, 0)
    for row in 0..<rows {
      try readers[row % readers.count].read(Array("2024-01-01 00:00:00+00\thost_\(row)\t\(row)\n".utf8))
      if row % 1000 == 999 {
        count += readers.reduce(0) { $0 + $1.takeBatches().reduce(0) { $0 + $1.points.rowCount } }
        most = max(most, readers.reduce(0) { $0 + $1.heldByteCount })
        check()
      }
    }
    for reader in readers {
      try reader.finish()
      count += reader.takeBatches().reduce(0) { $0 + $1.points.rowCount }
    }
    return (count, most)
  }

  @Test func copiesShareTheMemoryForSeries() throws {
    let memory = ByteBudget(byteLimit: 1_000_000)
    var readers = (0..<4).map { _ in
      CopyReader(
        options: Self.table.options(.text) {
          $0.batchRowLimit = 100
          $0.seriesMemory = memory
        })
    }
    var taken = 0
    let (rows, held) = try read(&readers, rows: 40_000) {
      #expect(memory.byteCount <= 1_000_000)
      taken = max(taken, memory.byteCount)
    }
    #expect(rows == 40_000)
    #expect(taken > 800_000, "the common amount is used")
    // Beside what each has in any case, and its batch and the bytes that it gathers.
    #expect(held > 800_000 && held < 1_000_000 + 4 * 200_000, "\(held) bytes")
    readers.removeAll()
    #expect(memory.byteCount == 0)
  }

  @Test func withoutACommonAmountTheLimitOfACopyHolds() throws {
    var readers = [
      CopyReader(
        options: Self.table.options(.text) {
          $0.batchRowLimit = 100
          $0.seriesMemoryByteLimit = 200_000
        })
    ]
    let (rows, held) = try read(&readers, rows: 20_000) {}
    #expect(rows == 20_000)
    #expect(held < 400_000, "\(held) bytes")
  }
}
