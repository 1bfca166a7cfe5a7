import Testing
import VarveCore
import VarveSimulator

@testable import VarveArchive

@Suite struct DamageTests {
  private func file() -> [UInt8] {
    var g = SeededRandom(seed: 7)
    return write(Samples.columns, [Samples.columns.map { Samples.vector($0, rows: 40, &g) }])
  }

  /// Reads all there is. Anything but an error of the right kind fails the test by itself.
  private func isRead(_ bytes: [UInt8]) throws -> Bool {
    do {
      let file = try ParquetFile(ParquetBytes(bytes))
      for group in file.metadata.rowGroups.indices {
        for column in file.metadata.columns.indices {
          _ = try file.pageLocations(group: group, column: column)
          _ = try file.columnIndex(group: group, column: column)
          var cursor = try ColumnCursor(file, group: group, column: column, first: 20)
          while try cursor.next() != nil {}
        }
      }
      _ = try read(bytes)
      return true
    } catch is VarveError {
      return false
    }
  }

  @Test func aFileCutAnywhereIsRefused() throws {
    let bytes = file()
    #expect(try isRead(bytes))
    for count in 0..<bytes.count { #expect(try !isRead(Array(bytes.prefix(count))), "\(count) bytes") }
  }

  @Test func aChangedByteGivesAnErrorOrValues() throws {
    let bytes = file()
    var refused = 0
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= UInt8(truncatingIfNeeded: 1 << (index % 8))
      if try !isRead(changed) { refused += 1 }
    }
    // Pages are under a checksum.
    #expect(refused > bytes.count / 4)
  }

  @Test func nestedColumnsAreRefusedByName() throws {
    let list = ParquetColumn("points", .int64)
    var out = CompactWriter()
    out.element { out in
      out.field(2, list: 3, of: .structure) { out in
        out.element { root in
          root.field(4, text: "schema")
          root.field(5, int32: 1)
        }
        out.element { group in
          group.field(3, int32: 1)
          group.field(4, text: "points")
          group.field(5, int32: 1)
        }
        out.element { list.write(to: &$0) }
      }
      out.field(3, int64: 0)
      out.field(4, list: 0, of: .structure) { _ in }
    }
    let error = #expect(throws: VarveError.self) {
      _ = try out.bytes.withUnsafeBytes { try ParquetMetadata(footer: $0) }
    }
    #expect(error?.code == .unsupported)
    #expect(error?.message.contains("\"points\"") == true)
  }

  @Test func snappyBlocksAreUnpackedAndTheirDamageIsFound() throws {
    // A length of 10; the literal "ab"; eight bytes from two before.
    let block: [UInt8] = [10, 1 << 2, 0x61, 0x62, (8 - 4) << 2 | 1, 2]
    #expect(try block.withUnsafeBytes { try Snappy.decompress($0, byteCount: 10) } == Array("ababababab".utf8))
    for (index, value) in [(0, 11), (4, 0x15), (5, 3), (5, 0)] as [(Int, UInt8)] {
      var changed = block
      changed[index] = value
      #expect(throws: VarveError.self) {
        _ = try changed.withUnsafeBytes { try Snappy.decompress($0, byteCount: 10) }
      }
    }
  }
}
