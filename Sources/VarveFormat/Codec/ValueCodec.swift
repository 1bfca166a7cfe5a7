/// How the values of a page, or of a stream within one, are written. The raw value is in files (FORMAT.md,
/// "Codecs"): never renumber; a new codec takes a new number, and readers refuse numbers they do not know.
package enum ValueCodec: UInt8, Sendable, CaseIterable {
  /// Words as they are, 8 bytes each.
  case raw = 0
  /// One word for all.
  case constant = 1
  /// First and step.
  case arithmetic = 2
  /// Packed vectors of the words.
  case packed = 3
  /// Packed vectors of differences.
  case delta = 4
  /// Packed vectors of differences of differences.
  case deltaOfDelta = 5
  /// Run values and run lengths.
  case runs = 6
  /// XOR of doubles.
  case gorilla = 7
  /// Doubles that are whole numbers, as integers.
  case integral = 8
  /// A bit a boolean.
  case bitmap = 9
  /// Distinct strings and a code a value.
  case textDictionary = 10
  /// Lengths and bytes.
  case text = 11
  /// Series of a row block and how many rows each has.
  case seriesRuns = 12
  /// Integers or their differences, cut into an entropy-coded symbol and packed low bits.
  case split = 13
  /// Decimal doubles as integers.
  case decimal = 14
  /// Doubles cut into a left part from a small dictionary and packed right bits.
  case realDoubles = 15
  /// Distinct words and a code a value.
  case dictionary = 16

  package var label: String {
    switch self {
    case .raw: "raw"
    case .constant: "constant"
    case .arithmetic: "arithmetic"
    case .packed: "packed"
    case .delta: "delta"
    case .deltaOfDelta: "delta-of-delta"
    case .runs: "runs"
    case .gorilla: "gorilla"
    case .integral: "integral"
    case .bitmap: "bitmap"
    case .textDictionary: "dictionary"
    case .text: "text"
    case .seriesRuns: "series-runs"
    case .split: "split"
    case .decimal: "alp"
    case .realDoubles: "alp-rd"
    case .dictionary: "value-dictionary"
    }
  }
}
