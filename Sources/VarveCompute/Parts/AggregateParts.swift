// How an aggregate is kept for later, as rollups keep it: what it comes to over some rows is stored as parts, each an
// ordinary field; parts are made from rows, merged and finished by ordinary aggregates and scalar functions, so that
// scans, summaries and threads serve them as they serve any query.
//
// From rows: `encode(partial(arguments))` is stored. Of stored rows: `merge(stored parts)`, and to be stored again
// `encodeMerged`. The answer: `finish(merged parts, constants of the call)`. A part that is NULL holds no value.
//
// What always holds: parts of disjoint sets of rows, merged in any order and any grouping, stored in between or not,
// finish as what the aggregate gives over all the rows: integers, numerics, times, texts and sketches equal, doubles but
// for rounding. Two things follow the order of rows where the aggregate itself does: which of several values at one
// time `first` and `last` give, and which of equal numerics of different scales `min` and `max` give.
//
// The functions here that no SQL can name are named in EXPLAIN by what they give: `quantile_sketch`, `low_word`. A name
// with its argument types means one function, as in the catalogue. Names, types and encodings of parts are on disk
// (FORMAT.md, Parts of aggregates): they only grow.

import VarveCore

package struct AggregateParts: Sendable {
  package struct Part: Sendable {
    /// Names the field among those of its call: `sum`, `first_time`.
    package let name: String
    /// How it is stored.
    package let fieldType: FieldType
    package let partial: AggregateFunction
    /// Places among the call's arguments of what `partial` takes.
    package let arguments: [Int]
    /// What `partial` gives, as it is stored; nil: as it is.
    package let encode: ScalarFunction?
    package let merge: AggregateFunction
    /// Places among the parts of what `merge` takes.
    package let mergeArguments: [Int]
    /// Of merged parts, what is stored again; nil: what `merge` gave.
    package let encodeMerged: Derived?

    init(
      _ name: String, _ fieldType: FieldType, _ partial: AggregateFunction, _ arguments: [Int],
      encode: ScalarFunction? = nil, merge: AggregateFunction, _ mergeArguments: [Int], encodeMerged: Derived? = nil
    ) {
      self.name = name
      self.fieldType = fieldType
      self.partial = partial
      self.arguments = arguments
      self.encode = encode
      self.merge = merge
      self.mergeArguments = mergeArguments
      self.encodeMerged = encodeMerged
    }

    /// What the part holds of its arguments: parts of one signature over the same expressions hold the same values,
    /// whichever aggregates they are of, so that sum and avg can share a field and what one keeps answers the other.
    package var signature: String {
      let types = partial.argumentTypes.map(\.base.name).joined(separator: ", ")
      return "\(partial.name)(\(types))" + (encode.map { " as \($0.name)" } ?? "")
    }
  }

  /// A value made of others of the same row.
  package indirect enum Derived: Sendable {
    /// What a part's `merge` gave.
    case part(Int)
    /// An argument of the call, which is one of `constants`.
    case argument(Int)
    case call(ScalarFunction, [Derived])
  }

  package let parts: [Part]
  package let finish: Derived
  /// Places of arguments that must be constants of the call; those that are no argument of a part may differ between
  /// what is kept and what is asked.
  package let constants: [Int]
  /// Whether only stretches of one series of samples that are disjoint in time merge exactly, and are stored again
  /// only with all that lie between them.
  package let needsDisjointTimes: Bool

  init(_ parts: [Part], finish: Derived, constants: [Int] = [], needsDisjointTimes: Bool = false) {
    self.parts = parts
    self.finish = finish
    self.constants = constants
    self.needsDisjointTimes = needsDisjointTimes
  }

  /// Of an aggregate as the binder found it. Throws 0A000 where parts cannot be merged exactly, with the nearest that
  /// can be kept as the hint.
  package static func of(_ function: AggregateFunction, isDistinct: Bool = false) throws -> AggregateParts {
    if isDistinct, !repetitionIsNothing.contains(function.name) {
      throw refusal("\(function.name)(DISTINCT …)", "which values were counted would have to be kept", nearestDistinct)
    }
    let parts =
      counts(function) ?? sums(function) ?? extremes(function) ?? ends(function) ?? spreads(function)
      ?? sketches(function) ?? counters(function) ?? regressions(function)
    guard let parts else { throw refusal(function) }
    return parts
  }

  /// DISTINCT changes nothing in these.
  private static let repetitionIsNothing: Set<String> = [
    "min", "max", "bool_and", "bool_or", "every", "bit_and", "bit_or", "approx_count_distinct",
  ]
}
