import Testing
import VarveCore

@testable import VarveWire

@Suite struct CopyErrorTests {
  private static let time = "2024-01-01 00:00:00+00"

  private func text(
    _ data: String, table: CopyTable = .narrow, _ format: CopyFormat = .text,
    _ configure: (inout CopyOptions) -> Void = { _ in }
  ) -> CopyResult {
    CopyReading.read(Array(data.utf8), table.options(format, configure))
  }

  private func values(_ result: CopyResult) -> [Int64?] {
    result.rows.map { row in
      if case .word(let word) = row.cells[0] { return Int64(bitPattern: word) }
      return nil
    }
  }

  @Test func errorsNameTheLineTheColumnAndTheValue() {
    #expect(
      text("\(Self.time)\t1\n\(Self.time)\tabc\n").error
        == ["22P02", "bad bigint: abc", "COPY t, line 2, column n: \"abc\""])
    #expect(
      text("\(Self.time)\t1\t2\n").error
        == ["22P04", "extra data after last expected column", "COPY t, line 1: \"\(Self.time)\t1\t2\""])
    #expect(
      text("\(Self.time)\n").error == ["22P04", "missing data for column \"n\"", "COPY t, line 1: \"\(Self.time)\""])
    #expect(
      text("\\N\t1\n").error == [
        "23502", "null value in column \"time\" of relation \"t\" violates not-null constraint",
        "COPY t, line 1: \"\\N\t1\"",
      ])
    let long = String(repeating: "9", count: 200)
    #expect(
      text("\(Self.time)\t\(long)\n").error?[2]
        == "COPY t, line 1, column n: \"\(String(repeating: "9", count: 100))...\"")
  }

  @Test func linesWithinQuotesAreCounted() {
    let table = CopyTable(columns: CopyTable.narrow.columns + [CopyColumn(name: "s", role: .field(.text))])
    #expect(
      text("time,n,s\n\(Self.time),1,\"a\nb\nc\"\n\(Self.time),x,y\n", table: table, .csv) { $0.header = .skipped }
        .error == ["22P02", "bad bigint: x", "COPY t, line 5, column n: \"x\""])
  }

  @Test func lineBreaksMustBeAlike() {
    #expect(
      text("\(Self.time)\t1\n\(Self.time)\t2\r\n").error
        == ["22P04", "literal carriage return found in data", "COPY t, line 2"])
    #expect(
      text("\(Self.time)\t1\r\n\(Self.time)\t2\n").error == [
        "22P04", "literal newline found in data", "COPY t, line 2",
      ])
    #expect(
      text("\(Self.time),1\n\(Self.time),2\r\n", .csv).error
        == ["22P04", "unquoted carriage return found in data", "COPY t, line 2"])
  }

  @Test func theMarkOfTheEndEndsIt() {
    #expect(values(text("\(Self.time)\t1\n\\.\nwhatever")) == [1])
    #expect(values(text("\(Self.time)\t1\n\(Self.time)\t2\\.\nwhatever")) == [1, 2])
    #expect(text("\(Self.time)\t1\n\\.x\n").error == ["22P04", "end-of-copy marker corrupt", "COPY t, line 2"])
    #expect(
      text("\(Self.time)\t1\r\n\\.\n").error
        == ["22P04", "end-of-copy marker does not match previous newline style", "COPY t, line 2"])
    #expect(values(text("\(Self.time),1\n\\.\nwhatever", .csv)) == [1])
    // In CSV it is data where more follows.
    #expect(
      text("\\.x,1\n", .csv).error == ["22P02", "bad timestamptz: \\.x", "COPY t, line 1, column time: \"\\.x\""])
  }

  @Test func aLastLineNeedsNoLineBreak() {
    #expect(values(text("\(Self.time)\t1\n\(Self.time)\t2")) == [1, 2])
    #expect(values(text("\(Self.time),7", .csv)) == [7])
    #expect(values(text("")) == [])
  }

  @Test func headersAreCompared() {
    let expected = "column name mismatch in header line field 2: got \"m\", expected \"n\""
    #expect(
      text("time,m\n", .csv) { $0.header = .matched }.error == ["22P04", expected, "COPY t, line 1: \"time,m\""])
    #expect(
      text("time\n", .csv) { $0.header = .matched }.error
        == ["22P04", "wrong number of fields in header line: got 1, expected 2", "COPY t, line 1: \"time\""])
  }

  @Test func nullsCanBeForcedBothWays() {
    let columns = [
      CopyColumn(name: "time", role: .time), CopyColumn(name: "a", role: .field(.text), isNeverNull: true),
      CopyColumn(name: "b", role: .field(.text), isNullInQuotes: true), CopyColumn(name: "c", role: .field(.text)),
    ]
    let result = text("\(Self.time),,\"\",\"\"\n\(Self.time),,,\n", table: CopyTable(columns: columns), .csv)
    #expect(result.rows.map(\.cells) == [[.text([]), .null, .text([])], [.text([]), .null, .null]])
  }

  @Test func digitsMayBeSpecial() {
    #expect(values(text("\(Self.time),0\n\(Self.time),1\n", .csv) { $0.null = Array("0".utf8) }) == [nil, 1])
    let split = CopyTable(columns: [CopyColumn(name: "n", role: .field(.int64)), CopyColumn(name: "time", role: .time)])
    #expect(values(text("\"1\"7epoch\n27epoch\n3\n", table: split, .csv) { $0.delimiter = 0x37 }) == [])
    #expect(values(text("17epoch\n27epoch\n", table: split, .csv) { $0.delimiter = 0x37 }) == [1, 2])
  }

  @Test func textIsUTF8WithoutZeros() {
    for (bytes, shown) in [([0xFF], "0xff"), ([0xC3, 0x28], "0xc3 0x28"), ([0], "0x00")] as [([UInt8], String)] {
      let line = Array("\(Self.time)\t1".utf8) + bytes + [0x0A]
      let result = CopyReading.read(line, CopyTable.narrow.options(.text))
      #expect(
        result.error == ["22021", "invalid byte sequence for encoding \"UTF8\": \(shown)", "COPY t, line 1"])
    }
    let table = CopyTable(columns: [CopyColumn(name: "time", role: .time), CopyColumn(name: "s", role: .field(.text))])
    #expect(text("\(Self.time)\t\\377\n", table: table).error?[0] == "22021")
    #expect(text("\(Self.time)\t\\303\\251\n", table: table).rows.first?.cells == [.text(Array("é".utf8))])
  }

  @Test func rowsHaveALimit() {
    let long = "\(Self.time)\t1\n\(Self.time)\t" + String(repeating: "0", count: 300) + "\n"
    for longest in [1, 50, 1000] {
      var random = SeededGenerator(state: 9)
      let pieces = CopyReading.pieces(Array(long.utf8), longest: longest, using: &random)
      #expect(
        CopyReading.read(pieces, CopyTable.narrow.options(.text) { $0.rowByteLimit = 100 }).error
          == ["54000", "a row of COPY is longer than 100 bytes", "COPY t, line 2"])
    }
  }

  @Test func timesHaveALimit() {
    #expect(text("\(Self.time)\t1\n") { $0.latestTime = 5 }.error?[0] == "22008")
  }

  // MARK: binary

  private static func row(_ time: [UInt8], _ n: [UInt8]) -> [UInt8] {
    [0, 2] + Client.int32(Int32(time.count)) + time + Client.int32(Int32(n.count)) + n
  }
  private static let eight: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 5]

  private func binary(_ bytes: [UInt8]) -> CopyResult { CopyReading.read(bytes, CopyTable.narrow.options(.binary)) }

  @Test func binaryHeadersAreChecked() {
    let header = CopyEncoder.header
    let good = Self.row(Self.eight, Self.eight) + [0xFF, 0xFF]
    #expect(values(binary(header + good)) == [5])
    #expect(values(binary(header + Self.row(Self.eight, Self.eight))) == [5])
    // An extension, and flags that are not critical.
    #expect(values(binary(header[..<11] + [0, 0, 0x7F, 0xFF, 0, 0, 0, 3, 9, 9, 9] + good)) == [5])
    #expect(binary([]).error == ["22P04", "COPY file signature not recognized", ""])
    #expect(binary(Array("time\tn\n1\t2\n3\t4\n5\t6\n".utf8)).error?[1] == "COPY file signature not recognized")
    #expect(binary(Array(header[..<12])).error?[1] == "invalid COPY file header (missing flags)")
    #expect(binary(Array(header[..<16])).error?[1] == "invalid COPY file header (missing length)")
    #expect(binary(header[..<11] + [0, 1, 0, 0, 0, 0, 0, 0]).error?[1] == "invalid COPY file header (WITH OIDS)")
    #expect(
      binary(header[..<11] + [0x80, 0, 0, 0, 0, 0, 0, 0]).error?[1] == "unrecognized critical flags in COPY file header"
    )
    #expect(binary(header[..<15] + [0, 0, 0, 9, 1]).error?[1] == "invalid COPY file header (wrong length)")
  }

  @Test func binaryRowsAreChecked() {
    let header = CopyEncoder.header
    let good = Self.row(Self.eight, Self.eight)
    #expect(
      binary(header + good + [0, 3]).error == ["22P04", "row field count is 3, expected 2", "COPY t, line 2"])
    #expect(
      binary(header + good + Self.row(Self.eight, [0, 0, 0, 5])).error
        == ["08P01", "insufficient data left in message", "COPY t, line 2, column n"])
    #expect(
      binary(header + Self.row(Self.eight, Self.eight + [0])).error
        == ["22P03", "incorrect binary data format", "COPY t, line 1, column n"])
    #expect(
      binary(header + [0, 2] + Client.int32(-2)).error == [
        "22P04", "invalid field size", "COPY t, line 1, column time",
      ])
    #expect(
      binary(header + good.dropLast()).error == ["22P04", "unexpected EOF in COPY data", "COPY t, line 1, column n"])
    #expect(
      binary(header + good + [0xFF, 0xFF, 1]).error == [
        "22P04", "received copy data after EOF marker", "COPY t, line 2",
      ])
    // PostgreSQL takes a cut count for the end.
    #expect(values(binary(header + good + [0xFF])) == [5])
    #expect(
      binary(header + Self.row([0x7F] + [UInt8](repeating: 0xFF, count: 6) + [0xFE], Self.eight)).error?[0] == "22008")
  }

  // MARK: anything

  /// Whatever the bytes are: the same however they are cut, and no trap.
  @Test func mutatedDataGivesTheSameHoweverItIsCut() {
    for format in [CopyFormat.text, .csv, .binary] {
      for seed in UInt64(1)...400 {
        var random = SeededGenerator(state: seed)
        let table = [CopyTable.usual, .scattered, .narrow][Int(seed % 3)]
        let options = table.options(format) { if seed % 4 == 0 { $0.header = format == .binary ? .none : .skipped } }
        let rows = RandomRows.random(table, 12, using: &random)
        var encoder = CopyEncoder(table: table, options: options, random: random)
        if seed % 5 == 0 { encoder.newline = [0x0D, 0x0A] }
        var bytes = encoder.encode(rows)
        for _ in 0..<Int.random(in: 0...3, using: &random) where !bytes.isEmpty {
          let place = Int.random(in: 0..<bytes.count, using: &random)
          switch Int.random(in: 0..<3, using: &random) {
          case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
          case 1: bytes.remove(at: place)
          default: bytes.insert([0x22, 0x5C, 0x0A, 0x0D, 0x2C, 0x09, 0x2E].randomElement(using: &random)!, at: place)
          }
        }
        let whole = CopyReading.read(bytes, options)
        let cut = CopyReading.read(CopyReading.pieces(bytes, longest: 40, using: &random), options)
        #expect(whole == cut, "seed \(seed), \(format)")
        guard format != .binary else { continue }
        #expect(whole == CopyReference.read(bytes, options), "seed \(seed), \(format)")
      }
    }
  }
}
