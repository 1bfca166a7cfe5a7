import Testing
import VarveCore
import VarveWire

@testable import VarveServer

private final class Collector {
  var bytes: [UInt8] = []
  var text: String { String(decoding: bytes, as: UTF8.self) }
  func output(_ piece: UnsafeRawBufferPointer) { bytes += piece }
}

private let columns = [
  ResultColumn(name: "name", typeOID: 25, typeSize: -1), ResultColumn(name: "n", typeOID: 701, typeSize: 8),
  ResultColumn(name: "ok", typeOID: 16, typeSize: 1),
]

private func send(_ rows: [[String?]], to sink: any ResultSink) throws {
  try sink.begin(columns)
  for row in rows {
    let bytes = Buffer<UInt8>()
    var cells: [Range<Int>?] = []
    for cell in row {
      guard let cell else {
        cells.append(nil)
        continue
      }
      let start = bytes.count
      for byte in cell.utf8 { bytes.append(byte) }
      cells.append(start..<bytes.count)
    }
    try sink.row(ResultRow(bytes: bytes.span, cells: cells))
  }
  try sink.end(tag: "SELECT \(rows.count)")
}

private let rows: [[String?]] = [["plain", "1.5", "t"], ["a,\"b\"\n", "NaN", "f"], ["", nil, nil]]

@Suite struct ResultFormatTests {
  @Test func csvQuotesWhatNeedsItAndTellsEmptyFromNull() throws {
    let collector = Collector()
    try send(rows, to: CSVSink(collector.output))
    #expect(collector.text == "name,n,ok\nplain,1.5,t\n\"a,\"\"b\"\"\n\",NaN,f\n\"\",,\n")
  }

  @Test func jsonKeepsNumbersAndBooleansAndQuotesWhatItCannotSay() throws {
    let collector = Collector()
    try send(rows, to: JSONSink(collector.output))
    #expect(
      collector.text
        == "[\n{\"name\":\"plain\",\"n\":1.5,\"ok\":true},\n{\"name\":\"a,\\\"b\\\"\\n\",\"n\":\"NaN\",\"ok\":false},\n{\"name\":\"\",\"n\":null,\"ok\":null}\n]\n"
    )
  }

  @Test func anEmptyResultIsStillValid() throws {
    let (json, csv, table) = (Collector(), Collector(), Collector())
    try send([], to: JSONSink(json.output))
    try send([], to: CSVSink(csv.output))
    try send([], to: TableSink(table.output))
    #expect(json.text == "[\n]\n")
    #expect(csv.text == "name,n,ok\n")
    #expect(table.text == " name | n | ok\n------+---+----\n(0 rows)\n\n")
  }

  @Test func aTableAlignsNumbersRightAndSurvivesRowsWiderThanItsSample() throws {
    let collector = Collector()
    var many: [[String?]] = Array(repeating: ["x", "1", "t"], count: 1000)
    many.append(["longer than the sample", "22", "f"])
    try send(many, to: TableSink(collector.output))
    let lines = collector.text.split(separator: "\n")
    #expect(lines[2] == " x    | 1 | t")
    #expect(lines[1002] == " longer than the sample | 22 | f")
    #expect(lines.last == "(1001 rows)")
  }
}

@Suite struct ConnectionURLTests {
  @Test func readsUserHostPortAndName() throws {
    let url = try ConnectionURL("postgres://me@[::1]:99/db", defaultPorts: ["postgres": 5433])
    #expect(url.user == "me" && url.host == "::1" && url.port == 99 && url.name == "db")
    let short = try ConnectionURL("postgres://localhost", defaultPorts: ["postgres": 5433])
    #expect(short.port == 5433 && short.user == nil && short.name == nil)
  }

  @Test(arguments: [
    "", "host:1", "http://h:1", "postgres://", "postgres://h:x", "postgres://h:0", "postgres://u:p@h:1",
    "postgres://h:1/?a=b", "postgres://a:b:c",
  ])
  func refusesWhatItDoesNotUnderstand(text: String) {
    #expect(throws: VarveError.self) { try ConnectionURL(text, defaultPorts: ["postgres": 5433]) }
  }
}

@Suite struct LineProtocolEncoderTests {
  /// What our parser reads of a text, written by the encoder and read again, is the same.
  @Test func whatIsEncodedIsReadBackAsItWas() throws {
    let text = """
      cpu,host=a\\ b,x\\,y=z\\=1 f=1.5,i=-3i,u=18446744073709551615u,b=t,s="q\\"\\\\uote, and space",e=1e300 1700000000000000001
      we\\ ird\\,name tiny=5e-324,t=1700000000000000t -5
      cpu,host=c f=-0.25 7

      """
    let first = parse(text)
    var again = ""
    for batch in first {
      var encoder = LineProtocolEncoder(batch)
      encoder.encode(lineBase: 0)
      #expect(encoder.unsent.isEmpty)
      again += String(decoding: encoder.text.span, as: UTF8.self)
    }
    #expect(describe(parse(again)) == describe(first))
    #expect(describe(first).count == 3)
  }

  @Test func linesOfTheSourceAreKeptWhereTextsHaveLineBreaks() throws {
    let batches = parse("a s=\"one\ntwo\" 1\na s=\"three\" 2\n")
    var encoder = LineProtocolEncoder(batches[0])
    encoder.encode(lineBase: 10)
    #expect(encoder.sourceLines == [11, 11, 13])
  }

  private func parse(_ text: String) -> [PointBatch] {
    let parser = LineProtocolParser()
    parser.parse(Array(text.utf8), now: 1_800_000_000_000_000_000)
    parser.finish(now: 1_800_000_000_000_000_000)
    #expect(parser.takeRejected().count == 0)
    return parser.takeEvents().compactMap { event in
      if case .batch(let batch) = event { return batch.points }
      return nil
    }
  }

  private func describe(_ batches: [PointBatch]) -> [String] {
    batches.flatMap { batch in
      (0..<batch.rowCount).map { row in
        let tags = batch.series[Int(batch.rowSeries[row])].tags
        let fields = batch.fields.filter { $0.column.state(row) == .value }.map { field in
          "\(field.name):\(field.column.type)="
            + (field.column.type == .text ? field.column.string(row) : "\(field.column.words[row])")
        }.sorted()
        return "\(batch.table) \(tags) \(fields) \(batch.times[row])"
      }
    }.sorted()
  }
}
