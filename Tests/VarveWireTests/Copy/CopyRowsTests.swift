// Rows of tables that are no series tables: their values go to who takes them, the same however the data is cut.

import Testing
import VarveCore

@testable import VarveWire

@Suite struct CopyRowsTests {
  private final class Taken: CopyRows {
    private(set) var rows: [[String?]] = []
    private var row: [String?] = [nil, nil]

    func put(_ bytes: UnsafeBufferPointer<UInt8>?, column: Int, isBinary: Bool) throws(VarveError) {
      let text = bytes.map { String(decoding: $0, as: UTF8.self) }
      if text == "bad" { throw VarveError(.invalidNumber, "a bad value") }
      row[column] = text
    }
    func checkRow() throws(VarveError) {
      if row[0] == nil { throw VarveError(.query, "no key") }
    }
    func endRow() throws(VarveError) {
      if rows.contains(where: { $0[0] == row[0] }) { throw VarveError(.query, "a key twice") }
      rows.append(row)
    }
  }

  private func read(_ data: [UInt8], _ format: CopyFormat, cut: Int) -> (rows: [[String?]], error: VarveError?) {
    let taken = Taken()
    var options = CopyOptions(
      table: "d", columns: ["a", "b"].map { CopyColumn(name: $0, role: .value) }, format: format, conversion: .plain)
    options.rows = taken
    let reader = CopyReader(options: options)
    do throws(VarveError) {
      for start in stride(from: 0, to: data.count, by: cut) {
        try reader.read(Array(data[start..<min(start + cut, data.count)]))
      }
      try reader.finish()
      return (taken.rows, nil)
    } catch {
      return (taken.rows, error)
    }
  }

  private static let binary =
    Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0] + [UInt8](repeating: 0, count: 8)
    + [0, 2, 0, 0, 0, 1, 0x31, 0, 0, 0, 2, 0x78, 0x09, 0, 2, 0, 0, 0, 1, 0x32, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]

  @Test(arguments: [
    (CopyFormat.text, Array("1\tx\\t\n2\t\\N\n".utf8)), (.csv, Array("1,\"x\t\"\n2,\n".utf8)), (.binary, binary),
  ])
  func valuesAreGivenAsTheyRead(format: CopyFormat, data: [UInt8]) {
    for cut in 1...data.count {
      let (rows, error) = read(data, format, cut: cut)
      #expect(rows == [["1", "x\t"], ["2", nil]] && error == nil)
    }
  }

  @Test(arguments: [
    ("1\tx\nbad\ty\n3\tz\n", "a bad value", "COPY d, line 2, column a: \"bad\""),
    ("1\tx\n\\N\ty\n", "no key", "COPY d, line 2: \"\\N\ty\""), ("1\tx\n1\ty\n", "a key twice", "COPY d, line 2"),
    ("1\tx\n2\n", "missing data for column \"b\"", "COPY d, line 2: \"2\""),
  ])
  func theFirstErrorIsGivenItsPlace(data: String, message: String, context: String) {
    for cut in 1...data.utf8.count {
      let (rows, error) = read(Array(data.utf8), .text, cut: cut)
      #expect(rows == [["1", "x"]])
      #expect(error?.message == message && error?.context == context)
    }
  }
}
