// A grid of characters whose braille dots make a picture: two dots wide and four high each (Unicode, U+2800).

struct BrailleGrid {
  let columns: Int
  let rows: Int
  private var dots: [UInt8]
  /// The series that drew last in each cell.
  private var colours: [Int]

  init(columns: Int, rows: Int) {
    self.columns = max(1, columns)
    self.rows = max(1, rows)
    dots = Array(repeating: 0, count: self.columns * self.rows)
    colours = Array(repeating: 0, count: self.columns * self.rows)
  }

  subscript(column: Int, row: Int) -> (dots: UInt8, colour: Int) {
    (dots[row * columns + column], colours[row * columns + column])
  }

  /// A line through the points, which are in order of `x`; of those in one column of dots, their range.
  mutating func add(_ points: [ChartPoint], _ x: ClosedRange<Double>, _ y: ClosedRange<Double>, colour: Int) {
    var before: (x: Int, y: Int)?
    for point in points {
      let place = (
        x: Self.place(point.x, x, columns * 2), y: rows * 4 - 1 - Self.place(point.y, y, rows * 4)
      )
      if let before { draw(before, place, colour) } else { set(place.x, place.y, colour) }
      before = place
    }
  }

  /// Halves first: the width of a range may be beyond a double.
  private static func place(_ value: Double, _ range: ClosedRange<Double>, _ count: Int) -> Int {
    part(value, range).map { max(0, min(count - 1, Int($0 * Double(count - 1) + 0.5))) } ?? count / 2
  }

  /// From 0 to 1; nil where the range has no width.
  static func part(_ value: Double, _ range: ClosedRange<Double>) -> Double? {
    let width = range.upperBound / 2 - range.lowerBound / 2
    guard width > 0 else { return nil }
    let part = (value / 2 - range.lowerBound / 2) / width
    // A mean may be beyond a double where its values are at the end of the range.
    return part.isFinite ? max(0, min(1, part)) : 1
  }

  /// Bresenham's line.
  private mutating func draw(_ from: (x: Int, y: Int), _ to: (x: Int, y: Int), _ colour: Int) {
    let (dx, dy) = (abs(to.x - from.x), -abs(to.y - from.y))
    let (stepX, stepY) = (from.x < to.x ? 1 : -1, from.y < to.y ? 1 : -1)
    var (x, y, error) = (from.x, from.y, dx + dy)
    while true {
      set(x, y, colour)
      if x == to.x, y == to.y { return }
      let twice = 2 * error
      if twice >= dy {
        error += dy
        x += stepX
      }
      if twice <= dx {
        error += dx
        y += stepY
      }
    }
  }

  private static let bits: [[UInt8]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]]

  private mutating func set(_ x: Int, _ y: Int, _ colour: Int) {
    let cell = y / 4 * columns + x / 2
    dots[cell] |= Self.bits[y % 4][x % 2]
    colours[cell] = colour
  }
}

/// A series in one line of text: blocks of eight heights, blanks where nothing is.
package enum SparkLine {
  package static func draw(_ points: [ChartPoint], width: Int) -> String {
    guard let x = TimeChart.range(points.map(\.x)), let y = TimeChart.range(points.map(\.y)) else { return "" }
    var sums = [Double](repeating: 0, count: width)
    var counts = [Int](repeating: 0, count: width)
    for point in points {
      let place = min(width - 1, Int((BrailleGrid.part(point.x, x) ?? 0) * Double(width)))
      sums[place] += point.y
      counts[place] += 1
    }
    return zip(sums, counts).map { sum, count -> String in
      guard count > 0 else { return " " }
      return blocks[min(7, Int((BrailleGrid.part(sum / Double(count), y) ?? 0.5) * 8))]
    }.joined()
  }

  private static let blocks = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
}
