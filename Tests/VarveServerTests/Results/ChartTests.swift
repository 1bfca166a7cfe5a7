import Testing
import VarveCore
import VarveWire

@testable import VarveServer

@Suite struct ChartTests {
  private func sink(_ columns: [(String, UInt32)], _ rows: [[String?]]) throws -> ChartSink {
    let sink = ChartSink()
    try sink.begin(columns.map { ResultColumn(name: $0.0, typeOID: $0.1, typeSize: -1) })
    for row in rows {
      let bytes = Buffer<UInt8>()
      var cells: [Range<Int>?] = []
      for text in row {
        let start = bytes.count
        if var text { text.withUTF8 { bytes.append($0) } }
        cells.append(text == nil ? nil : start..<bytes.count)
      }
      try sink.row(ResultRow(bytes: bytes.span, cells: cells))
    }
    return sink
  }

  @Test func rowsBecomeSeriesByTheirTextsAndNumbers() throws {
    let one = try sink(
      [("host", 25), ("time", 1184), ("v", 701)],
      [
        ["a", "1970-01-01 00:00:01+00", "1.5"], ["b", "1970-01-01 00:00:02+00", "NaN"], ["b", "infinity", "1"],
        ["b", "1970-01-01 00:00:03+00", nil], [nil, "1970-01-01 00:00:03+00", "-2"],
      ])
    #expect(one.isTime)
    #expect(
      one.series == [
        ChartSeries(name: "a", points: [ChartPoint(x: 1e9, y: 1.5)]),
        ChartSeries(name: "NULL", points: [ChartPoint(x: 3e9, y: -2)]),
      ])
    let two = try sink([("n", 23), ("a", 20), ("b", 1700)], [["1", "2", "3"], ["2", "4", "6"]])
    #expect(!two.isTime && two.series.map(\.name) == ["a", "b"])
    #expect(two.series[1].points == [ChartPoint(x: 1, y: 3), ChartPoint(x: 2, y: 6)])
    #expect(throws: VarveError.self) { try sink([("time", 1184), ("host", 25)], []) }
    #expect(throws: VarveError.self) { try sink([("v", 701)], []) }
  }

  @Test func aLineIsDrawnBetweenItsAxes() {
    let points = (0...100).map { ChartPoint(x: Double($0) * 60e9, y: Double($0)) }
    let chart = TimeChart(width: 40, height: 4).draw([ChartSeries(name: "v", points: points)])
    let rows = chart.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    #expect(rows[0].hasPrefix("100 ┤") && rows[2].hasPrefix(" 50 ┤") && rows[3].hasPrefix("  0 ┤"), "\(chart)")
    #expect(rows[4] == "    └" + String(repeating: "─", count: 35))
    #expect(rows[5] == "     00:00          00:50          01:40", "\(chart)")
    #expect(rows[6].hasPrefix("v  ▁▁▂▂▃▄▅▅▆▇█") || rows[6].contains("min 0  max 100  last 100"), "\(chart)")
    // From the corner below on the left to the one above on the right.
    #expect(rows[3].contains("⡠") || rows[3].contains("⣀"), "\(chart)")
    #expect(!rows[3].hasSuffix(" ") && rows[0].count == 40, "\(chart)")
    #expect(!chart.contains("\u{1B}"))
  }

  @Test func coloursAreForTerminalsOnly() {
    let series = [
      ChartSeries(name: "a", points: [ChartPoint(x: 0, y: 0), ChartPoint(x: 1, y: 0)]),
      ChartSeries(name: "b", points: [ChartPoint(x: 0, y: 1), ChartPoint(x: 1, y: 1)]),
    ]
    let chart = TimeChart(width: 60, hasColours: true, isTime: false).draw(series)
    #expect(chart.contains("\u{1B}[36m") && chart.contains("\u{1B}[33m"))
    #expect(chart.split(separator: "\n").allSatisfy { !$0.contains("\u{1B}[3") || $0.contains("\u{1B}[0m") })
  }

  @Test func oddValuesAreDrawnToo() {
    let odd: [[(Double, Double)]] = [
      [], [(0, 0)], [(1, 5), (1, 5)], [(-1e300, 1e308), (1e300, -1e308)], [(0, .leastNonzeroMagnitude), (1, 0)],
      [(9.2e18, 1), (-9.2e18, 2)],
    ]
    for points in odd {
      let series = ChartSeries(name: "é語", points: points.map { ChartPoint(x: $0.0, y: $0.1) })
      for isTime in [true, false] {
        let chart = TimeChart(width: 50, isTime: isTime).draw([series])
        #expect(points.isEmpty ? chart == "(no values to draw)\n" : chart.contains("é語"), "\(points)")
      }
      #expect(SparkLine.draw(series.points, width: 10).count == (points.isEmpty ? 0 : 10))
    }
  }

  @Test(arguments: [
    (0, "0"), (1, "1"), (-1.5, "-1.5"), (1234.5678, "1235"), (0.012346, "0.01235"), (1e12, "1e12"),
    (-2.5e-9, "-2.5e-9"),
    (99.999, "100"), (123_456_789, "123456789"),
  ]) func numbersHaveFourDigits(value: Double, text: String) {
    #expect(TimeChart.number(value) == text)
  }

  @Test(arguments: [
    (0.0, 60e9, "00:00:00"), (1_714_564_800e9, 3600e9, "12:00"), (1_714_564_800e9, 2 * 86_400e9, "2024-05-01 12:00"),
    (1_709_164_800e9, 400 * 86_400e9, "2024-02-29"), (-86_400e9, 40 * 86_400e9, "1969-12-31"),
  ]) func timesAreAsLongAsTheirSpanNeeds(time: Double, span: Double, text: String) {
    #expect(TimeChart.time(time, span: span) == text)
  }

  @Test(arguments: [("abc", 3), ("é", 1), ("e\u{301}", 1), ("語", 2), ("👍", 2), ("", 0), ("\u{200B}", 0)])
  func textsHaveTheWidthThatTerminalsGiveThem(text: String, width: Int) {
    #expect(DisplayWidth.of(text) == width)
    #expect(DisplayWidth.of(DisplayWidth.padded(text, 5)) == 5)
  }
}
