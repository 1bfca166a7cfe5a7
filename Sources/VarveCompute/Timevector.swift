// The values of type timevector: an array of times and values in turns.

import VarveCore

package enum Timevector {
  /// A row a point.
  package static func rows(_ datum: Datum) -> [[Datum]] {
    guard case .array(let elements) = datum else { return [] }
    return stride(from: 0, to: elements.count - 1, by: 2).map { [elements[$0], elements[$0 + 1]] }
  }

  /// As PostgreSQL prints an array of records: `{"(2020-01-01 00:00:00+00,1.5)"}`, with quotes around the times that
  /// have spaces.
  static func append(_ elements: [Datum], to out: Buffer<UInt8>, context: EvaluationContext) throws {
    out.append(UInt8(ascii: "{"))
    for i in stride(from: 0, to: elements.count - 1, by: 2) {
      TypeText.append(i == 0 ? "\"(\\\"" : ",\"(\\\"", to: out)
      try TypeText.append(elements[i], type: .timestamptz, to: out, context: context)
      TypeText.append("\\\",", to: out)
      try TypeText.append(elements[i + 1], type: .float8, to: out, context: context)
      TypeText.append(")\"", to: out)
    }
    out.append(UInt8(ascii: "}"))
  }
}
