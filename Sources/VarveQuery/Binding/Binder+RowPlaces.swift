// ctid, the place of a row in PostgreSQL's files. Rows of Varve have none that stays, but readers that divide a table into
// ranges of blocks ask for one that covers all of them.

import VarveCompute
import VarveCore

extension Binder {
  /// `ctid BETWEEN '(0,0)' AND '(4294967295,0)'`: each row, since no table has blocks beyond; nil: it is not about ctid.
  func rowPlaceRange(
    _ operand: ExpressionSyntax, _ low: ExpressionSyntax, _ high: ExpressionSyntax, isNegated: Bool,
    _ level: QueryLevel
  ) throws -> BoundExpression? {
    guard case .column(let names) = operand.kind, names.last == "ctid",
      case .missing = level.resolve(names, location: operand.location)
    else { return nil }
    guard let first = Self.block(low), let last = Self.block(high), first == 0, last == UInt32.max else {
      throw noRowPlaces(at: operand.location)
    }
    return .constant(.bool(!isNegated), .bool)
  }

  func noRowPlaces(at location: Int) -> VarveError {
    source.unsupported(
      "ctid", at: location,
      hint: "Rows have no place that stays: name them by their tags and time, or by their primary key.")
  }

  /// Of `'(block,offset)'`, with or without a cast.
  private static func block(_ syntax: ExpressionSyntax) -> UInt32? {
    switch syntax.kind {
    case .cast(let operand, let type) where type.names.last == "tid": return block(operand)
    case .string(let text):
      guard text.hasPrefix("("), text.hasSuffix(")") else { return nil }
      let parts = text.dropFirst().dropLast().split(separator: ",", omittingEmptySubsequences: false)
      guard parts.count == 2, UInt16(parts[1]) != nil else { return nil }
      return UInt32(parts[0])
    default: return nil
    }
  }
}
