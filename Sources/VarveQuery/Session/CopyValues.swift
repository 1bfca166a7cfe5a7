// Values of a COPY in all shapes that SQL takes, as the words that the store keeps: what INSERT does with a literal.

import VarveCompute
import VarveCore

package struct CopyValues {
  let context: EvaluationContext

  package func word(text: UnsafeBufferPointer<UInt8>, type: FieldType) throws(VarveError) -> UInt64 {
    try word(type) { try TypeText.parse(bytes: text, as: type.sqlType, context: context) }
  }

  package func word(binary: UnsafeBufferPointer<UInt8>, type: FieldType) throws(VarveError) -> UInt64 {
    try word(type) { try TypeBinary.decode(binary, as: type.sqlType, context: context) }
  }

  /// Of any type, without being put into a word.
  func datum(_ bytes: UnsafeBufferPointer<UInt8>, type: SQLType, isBinary: Bool) throws(VarveError) -> Datum {
    try Self.typed {
      isBinary
        ? try TypeBinary.decode(bytes, as: type, context: context)
        : try TypeText.parse(bytes: bytes, as: type, context: context)
    }
  }

  private func word(_ type: FieldType, _ datum: () throws -> Datum) throws(VarveError) -> UInt64 {
    try Self.typed {
      switch try datum() {
      case .bool(let value): return value ? 1 : 0
      case .int(let value): return UInt64(bitPattern: value)
      case .float(let value): return value.bitPattern
      case .timestamp(let value): return UInt64(bitPattern: value)
      case .numeric(let value):
        guard let word = UInt64(exactly: try value.rescaled(to: 0).mantissa) else {
          throw SQLError.make("22003", "value is out of range: \(value.text) is not within 0 to 2^64 - 1")
        }
        return word
      default: preconditionFailure("a field that is no text is a word")
      }
    }
  }

  /// With the errors that the reader of a COPY takes.
  static func typed<Value>(_ body: () throws -> Value) throws(VarveError) -> Value {
    do {
      return try body()
    } catch let error as VarveError {
      throw error
    } catch {
      throw VarveError(.query, "\(error)", sqlState: "XX000")
    }
  }
}
