// Why an aggregate cannot be kept, and what can.

import VarveCore

extension AggregateParts {
  static let nearestDistinct =
    "approx_count_distinct(value) can be kept; or group by the value, and count groups when reading."

  static func refusal(_ what: String, _ reason: String, _ hint: String) -> VarveError {
    SQLError.unsupported("\(what) cannot be kept in a rollup: \(reason)", hint: hint)
  }

  static func refusal(_ function: AggregateFunction) -> VarveError {
    let name = function.name
    let what = "\(name)(\(function.argumentTypes.map(\.base.name).joined(separator: ", ")))"
    switch name {
    case "percentile_cont", "percentile_disc":
      return refusal(what, "it needs every value of a group", "approx_percentile(fraction, value) can be kept.")
    case "mode":
      return refusal(
        what, "it needs every value of a group",
        "histogram(value, min, max, buckets) can be kept; or group by the value and keep count(*).")
    case "string_agg", "array_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg":
      return refusal(
        what, "it is as long as its rows are many",
        "first(value, time), last(value, time) and approx_count_distinct(value) can be kept.")
    case "lttb":
      return refusal(
        what, "which points it chooses follows from all of them",
        "Keep first, last, min and max of a short bucket, and apply lttb to these when reading.")
    case "rate", "increase", "delta", "derivative":
      return refusal(what, "no field holds its times", "Give it a timestamp with time zone.")
    default: break
    }
    if let type = function.argumentTypes.first(where: { StoredForm($0) == nil }) {
      return refusal(
        what, "no field holds a \(type.base.name)",
        "Cast it to double precision, bigint, numeric, boolean, text or timestamp with time zone.")
    }
    if name == "first" || name == "last" {
      return refusal(
        what, "a \(function.argumentTypes[1].base.name) is kept as text, which orders otherwise",
        "Order by the time, or by a bigint or double precision.")
    }
    return refusal(
      what, "what it gives over parts cannot be merged",
      "count, sum, avg, min, max, first, last, stddev, approx_percentile and approx_count_distinct can be kept.")
  }
}
