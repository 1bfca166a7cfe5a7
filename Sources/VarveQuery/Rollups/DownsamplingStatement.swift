// The SELECT of a level of downsampling: of numbers all that is usually asked for, of everything else the last value. Levels
// above the first are made of the same columns of the level below.

import VarveCompute
import VarveCore
import VarveStorage

struct DownsamplingStatement {
  /// Of the bucket, of tags, and of what is kept; in order.
  let columns: [(name: String, expression: String)]
  private let tagCount: Int
  private let source: String

  /// `width` as SQL writes an interval.
  init(_ table: TableSchema, from source: String, isFirst: Bool, width: String) {
    func quoted(_ name: String) -> String { TextKernels.quoteIdentifier(name) }
    var columns = [(name: "time", expression: "time_bucket(\(TextKernels.quoteLiteral(width)), time)")]
    let tags = table.columns.filter(\.isTag)
    for tag in tags { columns.append((tag.name, quoted(tag.name))) }
    columns.append(("rows", isFirst ? "count(*)" : "sum(rows)::bigint"))
    for field in table.fields {
      guard case .field(let type) = field.kind else { continue }
      func add(_ aggregate: String, _ expression: String) { columns.append(("\(field.name)_\(aggregate)", expression)) }
      func kept(_ aggregate: String) -> String { quoted(isFirst ? field.name : "\(field.name)_\(aggregate)") }
      if [.float64, .int64, .uint64].contains(type) {
        add("min", "min(\(kept("min")))")
        add("max", "max(\(kept("max")))")
        if isFirst {
          add("avg", "avg(\(kept("avg")))")
        } else {
          let count = "sum(\(kept("count")))" + (type == .float64 ? "::double precision" : "")
          add("avg", "sum(\(kept("sum"))) / nullif(\(count), 0)")
        }
        add("sum", "sum(\(kept("sum")))")
        add("count", isFirst ? "count(\(kept("count")))" : "sum(\(kept("count")))::bigint")
        add("first", "first(\(kept("first")), time)")
      }
      add("last", "last(\(kept("last")), time)")
    }
    self.columns = columns
    tagCount = tags.count
    self.source = quoted(source)
  }

  var text: String {
    let list = columns.map { "\($0.expression) AS \(TextKernels.quoteIdentifier($0.name))" }
    let keys = (1...(1 + tagCount)).map(String.init)
    return "SELECT \(list.joined(separator: ", ")) FROM \(source) GROUP BY \(keys.joined(separator: ", "))"
  }
}
