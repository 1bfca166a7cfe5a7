// Series drawn with characters: lines of braille dots between two axes, and a legend whose spark lines tell the series
// apart where there are no colours.

package struct TimeChart {
  /// Of the whole drawing, and of the part with the lines.
  package var width: Int
  package var height: Int
  /// By escape sequences of a terminal.
  package var hasColours: Bool
  /// Whether the horizontal axis is time, in nanoseconds since 1970, shown in UTC.
  package var isTime: Bool

  package init(width: Int, height: Int = 16, hasColours: Bool = false, isTime: Bool = true) {
    self.width = max(40, width)
    self.height = max(4, height)
    self.hasColours = hasColours
    self.isTime = isTime
  }

  /// No series, or none with a point: says so.
  package func draw(_ series: [ChartSeries]) -> String {
    let series = series.filter { !$0.points.isEmpty }.map(Self.sorted)
    guard let x = Self.range(series.flatMap { $0.points.map(\.x) }),
      let y = Self.range(series.flatMap { $0.points.map(\.y) })
    else { return "(no values to draw)\n" }
    let labels = [y.upperBound, y.lowerBound / 2 + y.upperBound / 2, y.lowerBound].map { Self.number($0) }
    let margin = labels.map(\.count).max() ?? 0
    var grid = BrailleGrid(columns: width - margin - 2, rows: height)
    for (index, one) in series.enumerated() { grid.add(one.points, x, y, colour: index % Self.colours.count) }
    var out = ""
    for row in 0..<height {
      let label = row == 0 ? labels[0] : row == height / 2 ? labels[1] : row == height - 1 ? labels[2] : ""
      out += Self.left(label, margin) + (label.isEmpty ? " │" : " ┤") + line(grid, row) + "\n"
    }
    out += String(repeating: " ", count: margin) + " └" + String(repeating: "─", count: grid.columns) + "\n"
    out += String(repeating: " ", count: margin + 2) + axis(x, grid.columns) + "\n"
    return out + legend(series)
  }

  private static let colours = [36, 33, 35, 32, 34, 31]

  private func line(_ grid: BrailleGrid, _ row: Int) -> String {
    var out = ""
    var colour: Int?
    for column in 0..<grid.columns {
      let cell = grid[column, row]
      let wanted = hasColours && cell.dots != 0 ? cell.colour : nil
      if wanted != colour, cell.dots != 0 || wanted != nil {
        if let wanted { out += "\u{1B}[\(Self.colours[wanted])m" }
        colour = wanted
      }
      out.unicodeScalars.append(cell.dots == 0 ? " " : Unicode.Scalar(0x2800 + UInt32(cell.dots)) ?? " ")
    }
    if colour != nil { out += "\u{1B}[0m" }
    // Blanks at the end say nothing.
    return colour == nil ? String(out.reversed().drop { $0 == " " }.reversed()) : out
  }

  private func axis(_ range: ClosedRange<Double>, _ columns: Int) -> String {
    func label(_ value: Double) -> String {
      isTime ? Self.time(value, span: range.upperBound - range.lowerBound) : Self.number(value)
    }
    let (first, last) = (label(range.lowerBound), label(range.upperBound))
    let middle = label(range.lowerBound / 2 + range.upperBound / 2)
    let room = columns - first.count - last.count
    guard room > 0 else { return first }
    guard room > middle.count + 4 else { return first + String(repeating: " ", count: room) + last }
    let before = max(2, columns / 2 - first.count - middle.count / 2)
    let after = room - before - middle.count
    guard after > 0 else { return first + String(repeating: " ", count: room) + last }
    return first + String(repeating: " ", count: before) + middle + String(repeating: " ", count: after) + last
  }

  private func legend(_ series: [ChartSeries]) -> String {
    let names = series.map { Self.cut($0.name, 30) }
    let nameWidth = names.map { DisplayWidth.of($0) }.max() ?? 0
    let sparkWidth = max(8, min(40, width - nameWidth - 40))
    var out = ""
    for (index, one) in series.enumerated() {
      let colour = hasColours ? "\u{1B}[\(Self.colours[index % Self.colours.count])m" : ""
      let values = one.points.map(\.y)
      let last = values.last ?? 0
      out +=
        "\(colour)\(DisplayWidth.padded(names[index], nameWidth))  \(SparkLine.draw(one.points, width: sparkWidth))"
      out +=
        "\(hasColours ? "\u{1B}[0m" : "")  min \(Self.number(values.min() ?? 0))  max \(Self.number(values.max() ?? 0))"
      out += "  last \(Self.number(last))\n"
    }
    return out
  }

  // MARK: Texts

  private static func sorted(_ series: ChartSeries) -> ChartSeries {
    ChartSeries(name: series.name, points: series.points.sorted { $0.x < $1.x })
  }

  static func range(_ values: [Double]) -> ClosedRange<Double>? {
    guard let lower = values.min(), let upper = values.max() else { return nil }
    return lower...upper
  }

  private static func left(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  static func cut(_ text: String, _ width: Int) -> String {
    guard DisplayWidth.of(text) > width else { return text }
    var out = ""
    var taken = 0
    for character in text {
      let next = DisplayWidth.of(character)
      if taken + next > width - 1 { break }
      out.append(character)
      taken += next
    }
    return out + "…"
  }

  /// Four significant digits; with a power of ten where that is shorter.
  package static func number(_ value: Double) -> String {
    if value == 0 { return "0" }
    // At the ends of a double's range powers of ten are none of its values.
    guard (1e-300...1e300).contains(value.magnitude) else { return "\(value)" }
    let exponent = magnitudeExponent(value)
    guard (-4...9).contains(exponent) else {
      let scaled = value / power(exponent)
      return "\(plain(scaled, 3))e\(exponent)"
    }
    return plain(value, max(0, 3 - exponent))
  }

  private static func magnitudeExponent(_ value: Double) -> Int {
    var exponent = 0
    var rest = value.magnitude
    while rest >= 10 {
      rest /= 10
      exponent += 1
    }
    while rest < 1 {
      rest *= 10
      exponent -= 1
    }
    return exponent
  }

  private static func power(_ exponent: Int) -> Double {
    var result = 1.0
    for _ in 0..<abs(exponent) { result = exponent > 0 ? result * 10 : result / 10 }
    return result
  }

  /// Rounded to so many digits behind the point, without zeros at the end.
  private static func plain(_ value: Double, _ digits: Int) -> String {
    let factor = power(digits)
    let scaled = (value.magnitude * factor).rounded()
    guard scaled < 9e18 else { return "\(value)" }
    let whole = UInt64(scaled)
    let sign = value < 0 && whole > 0 ? "-" : ""
    let unit = UInt64(factor)
    if digits == 0 { return "\(sign)\(whole)" }
    var fraction = String(whole % unit)
    fraction = String(repeating: "0", count: digits - fraction.count) + fraction
    while fraction.last == "0" { fraction.removeLast() }
    return "\(sign)\(whole / unit)" + (fraction.isEmpty ? "" : "." + fraction)
  }

  /// As much of it as tells apart moments of such a span.
  static func time(_ nanoseconds: Double, span: Double) -> String {
    guard nanoseconds.magnitude < 9.3e18 else { return number(nanoseconds) }
    let (days, second) = floorDivide(Int64(nanoseconds / 1e9), 86_400)
    func two(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let (year, month, day) = civil(days)
    let date = "\(year)-\(two(month))-\(two(day))"
    let clock = "\(two(second / 3600)):\(two(second / 60 % 60))"
    if span >= 30 * 86_400e9 { return date }
    if span >= 86_400e9 { return "\(date) \(clock)" }
    return span >= 600e9 ? clock : "\(clock):\(two(second % 60))"
  }

  private static func floorDivide(_ a: Int64, _ b: Int64) -> (Int64, Int64) {
    let (quotient, rest) = a.quotientAndRemainder(dividingBy: b)
    return rest < 0 ? (quotient - 1, rest + b) : (quotient, rest)
  }

  /// Days since 1970 in the Gregorian calendar (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
    let year = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * year + year / 4 - year / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (year + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }
}
