// AND, OR, NOT with three values, under the names `and`, `or`, `not`.

import VarveCore

extension FunctionTable {
  mutating func addLogic() {
    add("and", [.bool, .bool], .bool) { columns, n, _ in LogicKernels.and(columns[0], columns[1], n) }
    add("or", [.bool, .bool], .bool) { columns, n, _ in LogicKernels.or(columns[0], columns[1], n) }
    add("not", [.bool], .bool) { columns, n, _ in Evaluation.words1(columns[0], n, .bool) { $0 ^ 1 } }
  }
}

package enum LogicKernels {
  package static func and(_ a: Column, _ b: Column, _ n: Int) -> Column { combine(a, b, n, absorbing: 0) }
  package static func or(_ a: Column, _ b: Column, _ n: Int) -> Column { combine(a, b, n, absorbing: 1) }
  package static func not(_ a: Column, _ n: Int) -> Column { Evaluation.words1(a, n, .bool) { $0 ^ 1 } }

  /// `absorbing` decides alone (false for AND, true for OR); else NULL wins over the other value.
  private static func combine(_ a: Column, _ b: Column, _ n: Int, absorbing: UInt64) -> Column {
    let x = a.materialized()
    let y = b.materialized()
    let p = x.wordBuffer
    let q = y.wordBuffer
    let out = Buffer<UInt64>(capacity: n)
    out.count = n
    guard x.nulls != nil || y.nulls != nil else {
      if absorbing == 0 {
        for i in 0..<n { out.base[i] = p.base[i] & q.base[i] }
      } else {
        for i in 0..<n { out.base[i] = p.base[i] | q.base[i] }
      }
      return Column(type: .bool, count: n, storage: .words(out))
    }
    let nulls = Buffer<UInt8>(repeating: 0, count: n)
    var any: UInt8 = 0
    for i in 0..<n {
      let noX = x.nulls.map { $0.base[i] } ?? 0
      let noY = y.nulls.map { $0.base[i] } ?? 0
      let decided = (noX == 0 && p.base[i] == absorbing) || (noY == 0 && q.base[i] == absorbing)
      if decided {
        out.base[i] = absorbing
      } else {
        out.base[i] = 1 - absorbing
        nulls.base[i] = noX | noY
        any |= noX | noY
      }
    }
    return Column(type: .bool, count: n, storage: .words(out), nulls: any == 0 ? nil : nulls)
  }
}
