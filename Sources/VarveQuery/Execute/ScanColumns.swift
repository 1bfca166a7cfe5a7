// What a scan delivers, as columns of a query: tags by series, fields by their words.

import VarveCompute
import VarveCore
import VarveStorage

/// One tag over the series of a scan.
final class TagReader {
  private let tag: TagColumn
  private let dictionary: TextDictionary
  /// Code of the tag column → code of `dictionary`, where only some values are in it.
  private let smaller: [UInt32: UInt32]?

  init(_ tag: TagColumn, _ series: SeriesSet) {
    self.tag = tag
    // A scan of few series does not pay for all values of the tag.
    if case .some(let ids) = series, ids.count * 4 < tag.codeCount {
      var values = [""]
      var map: [UInt32: UInt32] = [0: 0]
      for id in ids {
        let code = tag.code(of: id)
        if map[code] == nil {
          map[code] = UInt32(values.count)
          values.append(tag.value(code))
        }
      }
      smaller = map
      dictionary = TextDictionary(values)
    } else {
      smaller = nil
      dictionary = TextDictionary(tag.codeCount == 0 ? [""] : tag.values)
    }
  }

  func column(_ runs: [SeriesRun], _ count: Int) -> Column {
    let out = Buffer<UInt32>(capacity: count)
    var nulls: Buffer<UInt8>?
    for run in runs {
      var code = tag.code(of: run.series)
      if let smaller { code = smaller[code] ?? 0 }
      if code == 0 {
        if nulls == nil { nulls = Buffer(repeating: 0, count: count) }
        if let nulls { for row in out.count..<(out.count + run.count) { nulls[row] = 1 } }
      }
      out.append(repeating: code, count: run.count)
    }
    return Column(type: .text, count: count, storage: .dictionary(out, dictionary), nulls: nulls)
  }
}

enum FieldReader {
  /// `type` is the column's; the field may have been written with a narrower one before the column widened.
  static func column(_ field: FieldColumn, _ type: FieldType) -> Column {
    let count = field.count
    var nulls: Buffer<UInt8>?
    if let states = field.states {
      let mask = Buffer<UInt8>(repeating: 0, count: count)
      var any: UInt8 = 0
      for row in 0..<count {
        let isNull: UInt8 = states[row] == CellState.value.rawValue ? 0 : 1
        mask.base[row] = isNull
        any |= isNull
      }
      if any != 0 { nulls = mask }
    }
    switch type {
    case .text:
      guard let bytes = field.text else { preconditionFailure("a text field carries its bytes") }
      return Column(type: .text, count: count, storage: .text(field.words, bytes: bytes), nulls: nulls)
    case .uint64:
      let data = (0..<count).map { row -> Datum in
        nulls?[row] == 1 ? .null : .numeric(Numeric(field.words[row]))
      }
      return Column(type: type.sqlType, count: count, storage: .data(data))
    case .float64, .int64, .bool, .timestamp:
      return Column(type: type.sqlType, count: count, storage: .words(field.words), nulls: nulls)
    }
  }
}

/// Conditions on one tag, tested once for each distinct value.
enum TagConditions {
  static func predicate(
    _ column: ColumnID, _ condition: BoundExpression, _ table: TableID, _ context: ExecutionContext
  ) throws -> TagPredicate {
    if let values = try listed(condition, context) { return TagPredicate(column: column, condition: .isIn(values)) }
    let tag = context.snapshot.tagColumn(column, of: table)
    // Row 0 stands for a series without the tag.
    let count = max(tag.codeCount, 1)
    let codes = Buffer<UInt32>((0..<UInt32(count)).map { $0 })
    let nulls = Buffer<UInt8>(repeating: 0, count: count)
    nulls[0] = 1
    let dictionary = TextDictionary(tag.codeCount == 0 ? [""] : tag.values)
    let values = Column(type: .text, count: count, storage: .dictionary(codes, dictionary), nulls: nulls)
    let result = try context.evaluate(condition, QueryBatch(count: count, columns: [values]))
    let chosen = Column.selection(of: result)
    var accepted: [String] = []
    var acceptsMissing = false
    for row in chosen.span { if row == 0 { acceptsMissing = true } else { accepted.append(tag.value(row)) } }
    if !acceptsMissing { return TagPredicate(column: column, condition: .isIn(accepted)) }
    let bytes = Set(accepted.map { Array($0.utf8) })
    return TagPredicate(
      column: column, condition: .satisfies { value in value.map { bytes.contains(Array($0.utf8)) } ?? true })
  }

  /// The values of `tag = x`, `tag IN (…)` and `tag = ANY (…)`, without looking at what values there are.
  private static func listed(_ condition: BoundExpression, _ context: ExecutionContext) throws -> [String]? {
    func texts(_ data: [Datum]) -> [String] {
      data.compactMap { if case .text(let text) = $0 { text } else { nil } }
    }
    switch condition {
    case .call(let function, let arguments) where function.name == "=" && arguments.count == 2:
      guard function.argumentTypes.allSatisfy({ $0 == .text }) else { return nil }
      if case .column = arguments[0], arguments[1].columns.isEmpty {
        return texts([try context.constant(arguments[1])])
      }
      if case .column = arguments[1], arguments[0].columns.isEmpty {
        return texts([try context.constant(arguments[0])])
      }
      return nil
    case .inList(.column, let items) where items.allSatisfy({ $0.columns.isEmpty }):
      return texts(try items.map { try context.constant($0) })
    case .quantified(let function, .column, let array, isAll: false)
    where function.name == "=" && array.columns.isEmpty && function.argumentTypes.allSatisfy({ $0 == .text }):
      guard case .array(let items) = try context.constant(array) else { return [] }
      return texts(items)
    default: return nil
    }
  }
}
