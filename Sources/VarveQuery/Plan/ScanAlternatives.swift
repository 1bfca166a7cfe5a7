// What an OR says of series and times: a row that passes it passes one of its branches, and so is of that branch's series
// and times. `(host = 'a' OR site = 'b')` reads the series of both; `(time < x OR time > y)` leaves out what lies between.

import VarveCompute
import VarveCore
import VarveStorage

struct ScanAlternatives: Sendable {
  /// All that it says must hold.
  struct Branch: Sendable {
    /// Condition on column 0, which is the tag.
    var tags: [TagCondition] = []
    var times: [ScanBound] = []
  }
  let branches: [Branch]
  /// Whether the OR says no more than which series: rows need not be tested.
  let isExact: Bool

  var hasTimes: Bool { branches.contains { !$0.times.isEmpty } }

  /// nil: nothing follows for the scan as a whole.
  init?(_ parts: [BoundExpression], _ columns: [SeriesColumn]) {
    let conjuncts = parts.map(\.conjuncts)
    isExact = conjuncts.joined().allSatisfy { ScanPlanning.tagCondition($0, columns) != nil }
    var branches: [Branch] = []
    for conditions in conjuncts {
      var branch = Branch()
      // What is tested row by row as well is looked up only where that is cheap.
      for condition in conditions where isExact || !condition.hasSubquery {
        if let tag = ScanPlanning.tagCondition(condition, columns) {
          branch.tags.append(tag)
        } else if let bound = ScanPlanning.timeBound(condition, columns) {
          branch.times.append(bound)
        }
      }
      branches.append(branch)
    }
    self.branches = branches
    guard branches.allSatisfy({ !$0.tags.isEmpty }) || branches.allSatisfy({ !$0.times.isEmpty }) else { return nil }
  }

  /// Series and times of the branches within a range, which rows of any branch are of. No times: no branch can hold.
  func reach(_ table: TableID, within range: TimeRange, _ context: ExecutionContext) throws -> (
    series: SeriesSet, times: [TimeRange]
  ) {
    var series = SeriesSet.some([])
    var times: [TimeRange] = []
    for branch in branches {
      guard let time = try context.timeRange(branch.times)?.intersection(range), !time.isEmpty else { continue }
      let predicates = try branch.tags.map { try TagConditions.predicate($0.column, $0.condition, table, context) }
      let found = predicates.isEmpty ? .all : context.snapshot.series(of: table, where: predicates)
      if found.isEmpty { continue }
      series = series.union(found)
      times.append(time)
    }
    return (series, times)
  }
}

extension SeriesSet {
  var isEmpty: Bool {
    if case .some(let list) = self { list.isEmpty } else { false }
  }

  func union(_ other: SeriesSet) -> SeriesSet {
    guard case .some(let a) = self, case .some(let b) = other else { return .all }
    if a.isEmpty { return other }
    if b.isEmpty { return self }
    return .some(Set(a).union(b).sorted())
  }

  func intersection(_ other: SeriesSet) -> SeriesSet {
    guard case .some(let a) = self else { return other }
    guard case .some(let b) = other else { return self }
    let members = Set(b)
    return .some(a.filter { members.contains($0) })
  }
}

extension [TimeRange] {
  /// The same times as ranges that ascend and stand apart.
  var merged: [TimeRange] {
    var result: [TimeRange] = []
    for range in sorted(by: { $0.lower < $1.lower }) where !range.isEmpty {
      if let last = result.last, last.upper == .max || range.lower <= last.upper + 1 {
        result[result.count - 1].upper = Swift.max(last.upper, range.upper)
      } else {
        result.append(range)
      }
    }
    return result
  }

  /// What both have; both are merged.
  func intersection(_ other: [TimeRange]) -> [TimeRange] {
    flatMap { range in other.map { $0.intersection(range) } }.merged
  }
}
