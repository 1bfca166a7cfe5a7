// Whether a rollup can answer an aggregate over its source, a table or another rollup, and how: by its parts, whatever
// aggregates they were kept for.
//
// It can if every condition of the rollup is one of the query's, what else the query asks for speaks of time and of tags
// that the rollup has, every key is made of such tags or of buckets that are unions of the rollup's, and every part of
// every aggregate is kept. Whether buckets fit is looked at when the query runs: they may depend on the session.

import VarveCompute
import VarveCore
import VarveRollup
import VarveStorage

struct RollupMatch: Sendable {
  let rollup: BoundRollup
  /// The query over all columns of the source.
  let query: PartsQuery
  /// What bounds the query's time.
  let bounds: [ScanBound]
  /// The query's key that is a bucket, if there is one.
  let bucketKey: Int?
  /// The query's keys over the columns of the stored rows.
  let keys: [BoundExpression]
  /// Conditions on tags, likewise.
  let conditions: [BoundExpression]
  /// Of the query's fields, over the columns of the stored rows.
  let fields: [BoundExpression]

  /// The rollups that can answer; of the others, why they cannot.
  static func all(_ question: RollupQuestion) -> (
    matches: [RollupMatch], reasons: [(name: String, text: String)]
  ) {
    var matches: [RollupMatch] = []
    var reasons: [(name: String, text: String)] = []
    for rollup in question.rollups {
      do { matches.append(try RollupMatch(rollup, question)) } catch {
        reasons.append((rollup.schema.name, (error as? Refusal)?.reason ?? asMessage(error)))
      }
    }
    return (matches, reasons)
  }

  private static func asMessage(_ error: any Error) -> String {
    (error as? VarveError)?.message ?? String(describing: error)
  }

  struct Refusal: Error {
    let reason: String
  }

  private init(_ rollup: BoundRollup, _ question: RollupQuestion) throws {
    let (keys, conditions, calls) = (question.keys, question.conditions, question.calls)
    let time = question.source.timePlace
    let statement = rollup.statement
    let stored = StoredRollup(rollup)
    for condition in statement.query.conditions where !conditions.contains(where: { $0.isSame(as: condition) }) {
      throw Refusal(reason: "it has only the rows that meet its own condition")
    }
    /// Tags of the source that the rollup has, as columns of its stored rows.
    let tags = Dictionary(
      uniqueKeysWithValues: statement.tagKeys.compactMap { key -> (Int, BoundExpression)? in
        guard case .column(let reference) = statement.keys[key] else { return nil }
        return (reference.index, stored.key(key))
      })
    func overStored(_ expression: BoundExpression) -> BoundExpression? {
      guard !expression.isVolatile, !expression.hasSubquery, !expression.columns.isEmpty,
        expression.columns.allSatisfy({ tags[$0] != nil })
      else { return nil }
      return expression.replacingColumns { tags[$0.index] ?? .column($0) }
    }
    var bounds: [ScanBound] = []
    var tagConditions: [BoundExpression] = []
    for condition in conditions where !statement.query.conditions.contains(where: { $0.isSame(as: condition) }) {
      if condition.columns == [time], let bound = ScanPlanning.bound(condition, type: .timestamptz), bound.isExact {
        guard !bound.value.hasSubquery, !bound.value.hasOuter else {
          throw Refusal(reason: "a bound of time comes from another query")
        }
        bounds.append(bound)
      } else if let moved = overStored(condition) {
        tagConditions.append(moved)
      } else {
        throw Refusal(reason: "it does not have what a condition asks for")
      }
    }
    var bucketKey: Int?
    var storedKeys: [BoundExpression] = []
    for (index, key) in keys.enumerated() {
      if RollupBuckets.isBucket(key, time: time), bucketKey == nil {
        bucketKey = index
        storedKeys.append(key.replacingColumns { _ in .place(0, .timestamptz) })
      } else if let moved = overStored(key) {
        storedKeys.append(moved)
      } else {
        throw Refusal(reason: "it does not have what the query groups by")
      }
    }
    guard calls.allSatisfy({ $0.orderBy.isEmpty }) else {
      throw Refusal(reason: "an aggregate needs its rows in order")
    }
    let kept = try KeptAggregates(calls)
    fields = try kept.fields.map { field in
      guard let place = statement.query.kept.place(of: field, calls) else {
        throw Refusal(reason: "it does not keep \(calls[field.call].function.name) of that")
      }
      return stored.field(place)
    }
    for (call, parts) in zip(calls, kept.parts) {
      guard parts.parts.constants.allSatisfy({ call.arguments[$0].constantValue != nil }) else {
        throw Refusal(reason: "an argument of \(call.function.name) is not constant")
      }
      // Samples of several series would come in between each other.
      if parts.parts.needsDisjointTimes {
        let whole = Set(keys.compactMap { key -> Int? in if case .column(let tag) = key { tag.index } else { nil } })
        guard Set(tags.keys).isSubset(of: whole) else {
          throw Refusal(reason: "\(call.function.name) over its groups needs each of them for itself")
        }
      }
    }
    self.rollup = rollup
    self.bounds = bounds
    self.bucketKey = bucketKey
    self.keys = storedKeys
    self.conditions = tagConditions
    query = PartsQuery(source: question.source, keys: keys, conditions: conditions, kept: kept)
  }
}
