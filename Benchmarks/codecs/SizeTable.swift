// Bits a value of each sample under both efforts, beside what they have to stay near.

import VarveCore
import VarveFormat

enum SizeTable {
  private static let file = FileID(rawValue: 1)
  /// A page's header is counted as a page of this many values would pay for it, whatever the sample's length:
  /// repeating a short sample would let a general compressor find the repetition.
  private static let headerValueCount = 8192

  static func print(directory: String) throws {
    // A day at 10 s a row is 8,640 rows.
    let walks = [8192, 8640].filter { $0 <= Limits.rowBlockRowCount }.map { Samples.walk($0) }
    let made =
      walks + [
        Samples.sensor(8192, digits: 1, step: 1, seed: 2),
        Samples.sensor(8192, digits: 3, step: 20, seed: 3), Samples.sensor(8192, digits: 5, step: 3, seed: 4),
        Samples.flags(8192, share: 0.05, seed: 5), Samples.flags(8192, share: 0.5, seed: 6),
        Samples.status(8192, changes: 1, seed: 7), Samples.status(8192, changes: 200, seed: 8),
      ]
    Swift.print("sizes, bits a value; a header is shared by \(headerValueCount) values")
    Swift.print(
      row("sample", "values", "light", "codec", "smallest", "codec", "gorilla", "reference", ""))
    for sample in made { try report(sample, isDouble: false) }
    for sample in Samples.alp(directory) { try report(sample, isDouble: true) }
    for var sample in Samples.nab(directory) {
      sample.reference = AlpFigure.bits(sample.words)
      try report(sample, isDouble: true)
    }
  }

  private static func report(_ sample: Sample, isDouble: Bool) throws {
    let light = try page(sample, .light)
    let smallest = try page(sample, .smallest)
    var gorilla: Double?
    if isDouble {
      var out = ByteWriter()
      let words = Buffer(sample.words)
      Gorilla.encode(words.span, to: &out)
      gorilla = Double(out.count * 8) / Double(sample.words.count)
    }
    var verdict = ""
    if let limit = [gorilla, sample.reference].compactMap(\.self).min() {
      let share = limit > 0 ? smallest.bits / limit - 1 : 0
      let percent = (share * 1000).rounded() / 10
      verdict = "\(percent > 0 ? "+" : "")\(percent) %"
      // Another's figure is met within 2 %; an entropy, which knows no headers, is only there to compare with.
      if isDouble { verdict = (share > 0.02 ? "OVER " : "OK ") + verdict }
    }
    Swift.print(
      row(
        sample.name, "\(sample.words.count)", decimal(light.bits), light.label, decimal(smallest.bits),
        smallest.label, gorilla.map(decimal) ?? "", sample.reference.map(decimal) ?? "", verdict))
  }

  private static func page(_ sample: Sample, _ effort: PageEffort) throws -> (bits: Double, label: String) {
    let (page, _) = try PageEncoder.encode(sample.column, effort: effort, file: file, offset: 0)
    let label = try page.withUnsafeBytes { try PageDescription.label($0, file: file, offset: 0) }
    let count = Double(sample.words.count)
    let bytes =
      Double(page.count - PageHeader.byteCount)
      + Double(PageHeader.byteCount) * min(1, count / Double(headerValueCount))
    return (bytes * 8 / count, label)
  }

  private static func row(_ cells: String...) -> String {
    let widths = [36, 8, 8, 30, 9, 34, 8, 10, 12]
    return zip(cells, widths).map { cell, width in
      cell + String(repeating: " ", count: max(1, width - cell.count))
    }.joined()
  }
}

func decimal(_ value: Double) -> String {
  let hundredths = Int((value * 100).rounded())
  return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
}
