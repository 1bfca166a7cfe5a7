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
  /// What stands behind OVER.
  var window: WindowSyntax?
  /// Of a procedure: a SELECT runs it, and no CALL.
  var isSelected = false
}

/// A window: behind OVER, or behind its name in WINDOW.
struct WindowSyntax {
  /// Its own name in WINDOW; behind OVER, the window that is meant as it is.
  var name: String?
  /// The window that this one is made from: `(w ORDER BY …)`.
  var base: String?
  var partition: [ExpressionSyntax] = []
  var orderBy: [SortSyntax] = []
  var frame = FrameSyntax()
  var location = 0
}

struct FrameSyntax {
  enum Unit: String { case rows = "ROWS", range = "RANGE", groups = "GROUPS" }
  enum Bound { case unboundedPreceding, unboundedFollowing, currentRow, preceding, following }
  enum Exclusion { case none, currentRow, group, ties }
  /// Whether a frame was written.
  var isGiven = false
  var unit = Unit.range
  var start = Bound.unboundedPreceding
  var end = Bound.currentRow
  var startOffset: ExpressionSyntax?
  var endOffset: ExpressionSyntax?
  var exclusion = Exclusion.none

  /// The bits of FRAMEOPTION_… in PostgreSQL's parsenodes.h.
  mutating func take(options: Int) {
    func has(_ bit: Int) -> Bool { options & bit != 0 }
    isGiven = has(0x1)
    unit = has(0x4) ? .rows : has(0x8) ? .groups : .range
    start =
      has(0x20) ? .unboundedPreceding : has(0x200) ? .currentRow : has(0x800) ? .preceding : .following
    end = has(0x100) ? .unboundedFollowing : has(0x400) ? .currentRow : has(0x1000) ? .preceding : .following
    exclusion = has(0x8000) ? .currentRow : has(0x10000) ? .group : has(0x20000) ? .ties : .none
  }
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

enum GroupingSetKind { case empty, sets, rollup, cube }

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
  /// A value of a row that UPDATE assigns to several columns: which of how many.
  case part(ExpressionSyntax, Int, of: Int)
  case element(ExpressionSyntax, ExpressionSyntax)
  /// `array[lower:upper]`; a bound that is left out is that of the array.
  case slice(ExpressionSyntax, lower: ExpressionSyntax?, upper: ExpressionSyntax?)
  /// `(row).name`.
  case field(ExpressionSyntax, String)
  case sublink(SublinkKind, operator: String, operand: ExpressionSyntax?, SelectSyntax)
  /// An argument by name: `start => …`.
  case named(String, ExpressionSyntax)
  /// GROUPING SETS and its kin, in GROUP BY.
  case groupingSet(GroupingSetKind, [ExpressionSyntax])
  /// GROUPING(…).
  case grouping([ExpressionSyntax])
  /// DEFAULT in INSERT's VALUES.
  case defaultValue
  /// Something of PostgreSQL's grammar that is not taken; what it is called.
  case unsupported(String)
}

struct ExpressionSyntax {
  var kind: ExpressionKind
  var location: Int
}

extension ExpressionSyntax {
  /// Where its text begins: an operator stands behind its left side.
  var start: Int {
    switch kind {
    case .infix(_, let left, _), .quantified(_, let left, _, _), .inList(let left, _, _),
      .between(let left, _, _, _, _), .isDistinct(let left, _, _), .isNull(let left, _), .booleanTest(let left, _),
      .element(let left, _), .field(let left, _):
      Self.first(left.start, location)
    case .cast(let operand, let type): Self.first(Self.first(operand.start, type.location), location)
    case .and(let parts), .or(let parts): parts.first.map { Self.first($0.start, location) } ?? location
    case .sublink(_, _, let operand?, _): Self.first(operand.start, location)
    default: location
    }
  }
  private static func first(_ a: Int, _ b: Int) -> Int { a < 0 ? b : b < 0 ? a : min(a, b) }
}
