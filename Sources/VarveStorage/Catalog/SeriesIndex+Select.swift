// The series for which a condition on a tag holds.
//
// Conditions are tested on views, without the lock; what must be looked up under it is looked up some at a time, so that
// commits never wait for a long list.

import Synchronization
import VarveCore

extension SeriesIndex {
  private static let lookupsPerLock = 256
  /// Links are followed for so small a part of all series; for more, reading through the codes is faster.
  private static let linkedShare = 32

  /// The series for which `condition` holds on `column`, ascending.
  package func series(where condition: TagPredicate.Condition, on column: ColumnID) -> [UInt32] {
    let (view, links, count) = state.withLock { state in
      let dictionary = state.dictionary(of: column)
      return (dictionary?.column, dictionary?.links.view, state.count)
    }
    let tag = view ?? TagColumn(codes: [], values: [""])
    var wanted: [UInt32] = []
    var absentToo = false
    switch condition {
    case .isIn(let values): wanted = codes(of: values, column)
    case .satisfies(let test):
      absentToo = test(nil)
      for code in 1..<max(1, UInt32(tag.codeCount)) where test(tag.value(code)) { wanted.append(code) }
    }
    if wanted.isEmpty, !absentToo { return [] }
    if !absentToo, let links, links.count > 0, let found = linked(wanted, column, links, count) { return found }
    return readThrough(tag, wanted, absentToo: absentToo, count: count)
  }

  /// The codes of the values that there are, each once.
  private func codes(of values: [String], _ column: ColumnID) -> [UInt32] {
    var found: Set<UInt32> = []
    var codes: [UInt32] = []
    for start in stride(from: 0, to: values.count, by: Self.lookupsPerLock) {
      state.withLock { state in
        guard let place = state.place(of: column) else { return }
        for value in values[start..<min(start + Self.lookupsPerLock, values.count)] where !value.isEmpty {
          var value = value
          let code = value.withUTF8 { state.dictionaries[place].table.find($0) }
          if let code, found.insert(code).inserted { codes.append(code) }
        }
      }
    }
    return codes
  }

  /// By the links of the codes; nil if these are too many series for that. A code or series that came after the view is
  /// left out.
  private func linked(
    _ wanted: [UInt32], _ column: ColumnID, _ links: AppendOnlyView<UInt32>, _ count: Int
  ) -> [UInt32]? {
    let limit = max(64, count / Self.linkedShare)
    guard wanted.count <= limit else { return nil }
    var result: [UInt32] = []
    for start in stride(from: 0, to: wanted.count, by: Self.lookupsPerLock) {
      let codes = wanted[start..<min(start + Self.lookupsPerLock, wanted.count)]
      for first in state.withLock({ $0.dictionary(of: column)?.newest(of: codes) }) ?? [] {
        var next = first
        while next != 0 {
          let series = Int(next - 1)
          guard series < links.count else {
            next = newerLink(series, column)
            continue
          }
          result.append(UInt32(series))
          if result.count > limit { return nil }
          next = links[series]
        }
      }
    }
    result.sort()
    return result
  }

  /// The link of a series that is newer than the view.
  private func newerLink(_ series: Int, _ column: ColumnID) -> UInt32 {
    state.withLock { $0.dictionary(of: column)?.links[series] ?? 0 }
  }

  private func readThrough(_ tag: TagColumn, _ wanted: [UInt32], absentToo: Bool, count: Int) -> [UInt32] {
    var accepted = [Bool](repeating: false, count: tag.codeCount)
    for code in wanted where Int(code) < accepted.count { accepted[Int(code)] = true }
    accepted[0] = absentToo
    return tag.withCodes { codes in
      accepted.withUnsafeBufferPointer { accepted in
        [UInt32](unsafeUninitializedCapacity: count) { result, found in
          let coded = min(codes.count, count)
          // Without a branch: which series pass follows no pattern.
          for series in 0..<coded {
            result[found] = UInt32(series)
            found += accepted[Int(codes[series])] ? 1 : 0
          }
          guard absentToo else { return }
          for series in coded..<count {
            result[found] = UInt32(series)
            found += 1
          }
        }
      }
    }
  }
}
