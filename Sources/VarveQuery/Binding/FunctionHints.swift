// What to write in place of functions that other databases have under other names.

enum FunctionHints {
  /// In small letters, as names without quotes arrive.
  static let words: [String: String] = {
    let groups: [([String], String)] = [
      (
        ["percentile_agg", "uddsketch", "tdigest", "quantile", "percentile", "approx_quantile"],
        "approx_percentile(fraction, value) estimates; percentile_cont(fraction) WITHIN GROUP (ORDER BY value) is exact."
      ),
      (["median"], "percentile_cont(0.5) WITHIN GROUP (ORDER BY value)."),
      (
        ["hyperloglog", "approx_distinct", "uniq", "approx_count"],
        "approx_count_distinct(value) estimates; count(DISTINCT value) is exact."
      ),
      (["uniqexact"], "count(DISTINCT value)."),
      (["stats_agg"], "Write avg, stddev, variance, corr or regr_slope themselves."),
      (
        ["counter_agg", "gauge_agg", "irate", "non_negative_derivative"],
        "rate, increase and derivative (value, time) work on rows; counters may reset."
      ),
      (["time_weight"], "avg over time_bucket_gapfill with locf or interpolate weighs by time."),
      (["candlestick_agg", "ohlc"], "Write first(value, time), max(value), min(value) and last(value, time)."),
      (["argmax", "arg_max", "max_by", "latest", "last_value_by"], "last(value, by)."),
      (["argmin", "arg_min", "min_by", "earliest"], "first(value, by)."),
      (
        [
          "tostartofinterval", "tostartofminute", "tostartofhour", "tostartofday", "tostartofweek", "tostartofmonth",
          "timestamp_floor",
        ],
        "time_bucket('1 hour', time)."
      ),
      (["datediff", "date_diff", "timestampdiff"], "Subtract the times; extract(epoch FROM a - b) gives seconds."),
      (["date_add", "dateadd", "date_sub"], "Add an interval: time + INTERVAL '1 hour'."),
      (["date_format", "strftime", "formatdatetime"], "to_char(time, 'YYYY-MM-DD HH24:MI:SS')."),
      (["ifnull", "nvl", "isnull"], "coalesce(value, other)."),
      (["mean"], "avg(value)."),
      (["spread"], "max(value) - min(value)."),
      (["moving_average"], "avg(value) OVER (ORDER BY time ROWS 9 PRECEDING)."),
      (["group_concat", "listagg"], "string_agg(text, ',')."),
      (["countif", "count_if"], "count(*) FILTER (WHERE condition)."),
      (["sumif", "sum_if"], "sum(value) FILTER (WHERE condition)."),
      (["iif"], "CASE WHEN condition THEN a ELSE b END."),
    ]
    var words: [String: String] = [:]
    for (names, hint) in groups { for name in names { words[name] = hint } }
    return words
  }()

  static func hint(for name: String) -> String? { words[name] }
}
