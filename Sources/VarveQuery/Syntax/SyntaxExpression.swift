// Expressions as written: names not looked up, types not decided. Locations are byte offsets in the statement's
// text, -1 where the text has none.

/// A function call as written.
struct CallSyntax {
  var name: [String]
  var arguments: [ExpressionSyntax] = []
  var isStar = false
  var isDistinct = false
  var isVariadic = false
  var orderBy: [SortSyntax] = []
  var isWithinGroup = false
  var filter: ExpressionSyntax?
  var hasWindow = false
}

struct TypeSyntax {
  var names: [String] = []
  var modifiers: [Int] = []
  var isArray = false
  var location = -1
}

struct SortSyntax {
  enum Nulls { case byDirection, first, last }
  var expression: ExpressionSyntax
  var isDescending = false
  var nulls = Nulls.byDirection
}

enum SublinkKind { case scalar, exists, anyOf, allOf, array }

enum BooleanTest: String { case isTrue, isNotTrue, isFalse, isNotFalse, isUnknown, isNotUnknown }

indirect enum ExpressionKind {
  case null
  case integer(Int)
  /// Digits with a point, an exponent, or too many for an integer.
  case decimal(String)
  case string(String)
  case boolean(Bool)
  case column([String])
  /// `*` or `t.*`.
  case star([String])
  case parameter(Int)
  case call(CallSyntax)
  case prefix(String, ExpressionSyntax)
  case infix(String, ExpressionSyntax, ExpressionSyntax)
  /// `left op ANY (array)`, or ALL.
  case quantified(String, ExpressionSyntax, ExpressionSyntax, isAll: Bool)
  case inList(ExpressionSyntax, [ExpressionSyntax], isNegated: Bool)
  case between(ExpressionSyntax, ExpressionSyntax, ExpressionSyntax, isNegated: Bool, isSymmetric: Bool)
  case isDistinct(ExpressionSyntax, ExpressionSyntax, isNegated: Bool)
  case nullIf(ExpressionSyntax, ExpressionSyntax)
  case and([ExpressionSyntax])
  case or([ExpressionSyntax])
  case not(ExpressionSyntax)
  case isNull(ExpressionSyntax, isNegated: Bool)
  case booleanTest(ExpressionSyntax, BooleanTest)
  case cast(ExpressionSyntax, TypeSyntax)
  case choose(operand: ExpressionSyntax?, cases: [(ExpressionSyntax, ExpressionSyntax)], otherwise: ExpressionSyntax?)
  case coalesce([ExpressionSyntax])
  case greatest([ExpressionSyntax], isLeast: Bool)
  /// current_user and its kin: the keyword in lower case.
  case keyword(String)
  case array([ExpressionSyntax])
  case row([ExpressionSyntax])
  case element(ExpressionSyntax, ExpressionSyntax)
  case sublink(SublinkKind, operator: String, operand: ExpressionSyntax?, SelectSyntax)
  /// DEFAULT in INSERT's VALUES.
  case defaultValue
  /// Something of PostgreSQL's grammar that is not taken; what it is called.
  case unsupported(String)
}

struct ExpressionSyntax {
  var kind: ExpressionKind
  var location: Int
}
