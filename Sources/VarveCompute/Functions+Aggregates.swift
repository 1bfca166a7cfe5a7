// The aggregates with fixed types. count, first and last take any type: `Polymorphic`.

import VarveCore

extension FunctionTable {
  mutating func addAggregates() {
    addAggregate("sum", [.int2], .int8) { IntegerSumAggregate(.int8) }
    addAggregate("sum", [.int4], .int8) { IntegerSumAggregate(.int8) }
    addAggregate("sum", [.int8], .numeric) { IntegerSumAggregate(.numeric) }
    addAggregate("sum", [.float4], .float4) { FloatSumAggregate(.float4, average: false) }
    addAggregate("sum", [.float8], .float8) { FloatSumAggregate(.float8, average: false) }
    for type in [SQLType.int2, .int4, .int8] {
      addAggregate("avg", [type], .numeric) { IntegerSumAggregate(.average) }
    }
    for type in [SQLType.float4, .float8] {
      addAggregate("avg", [type], .float8) { FloatSumAggregate(.float8, average: true) }
    }
    for type in [SQLType.numeric, .interval] {
      addAggregate("sum", [type], type) { DatumSumAggregate(type, average: false) }
      addAggregate("avg", [type], type) { DatumSumAggregate(type, average: true) }
    }
    for (name, greatest) in [("min", false), ("max", true)] {
      for type in [
        SQLType.int2, .int4, .int8, .float4, .float8, .timestamptz, .timestamp, .date, .time, .oid,
      ] {
        addAggregate(name, [type], type) { WordExtremeAggregate(type, greatest: greatest) }
      }
      for type in [SQLType.text, .bpchar, .numeric, .interval] {
        addAggregate(name, [type], type) { DatumExtremeAggregate(type, greatest: greatest) }
      }
    }
    for (name, kind) in VarianceKind.all {
      for type in [SQLType.float4, .float8] {
        addAggregate(name, [type], .float8) { FloatVarianceAggregate(kind) }
      }
      for type in [SQLType.int2, .int4, .int8, .numeric] {
        addAggregate(name, [type], .numeric) { ExactVarianceAggregate(kind) }
      }
    }
    addStatistics()
    addSeriesAggregates()
    for operation in BitState.Operation.allCases {
      for type in [SQLType.int2, .int4, .int8] {
        addAggregate(operation.rawValue, [type], type) { WordStates<BitState>(type, operation, positions: [0]) }
      }
    }
    addAggregate("bool_and", [.bool], .bool) { BoolAggregate(all: true) }
    addAggregate("every", [.bool], .bool) { BoolAggregate(all: true) }
    addAggregate("bool_or", [.bool], .bool) { BoolAggregate(all: false) }
  }

  private mutating func addStatistics() {
    for result in RegressionState.Result.allCases {
      let type: SQLType = result == .regr_count ? .int8 : .float8
      addAggregate(result.rawValue, [.float8, .float8], type) {
        WordStates<RegressionState>(type, result, positions: [0, 1])
      }
    }
    for type in [SQLType.float8, .interval] {
      for (fraction, result) in [(SQLType.float8, type), (.array(.float8), .array(type))] {
        add(
          aggregate: AggregateFunction(
            name: "percentile_cont", argumentTypes: [fraction, type], resultType: result,
            makeDescendingStates: {
              SortedValuesAggregate(.continuous, element: type, type: result, isDescending: true)
            },
            makeStates: { SortedValuesAggregate(.continuous, element: type, type: result) }))
      }
    }
    for (fraction, result) in [(SQLType.float8, SQLType.float8), (.array(.float8), .array(.float8))] {
      addAggregate("approx_percentile", [fraction, .float8], result) { ApproximatePercentileAggregate(result) }
    }
  }

  /// Over (value, time), in which order or the other is each one's own.
  private mutating func addSeriesAggregates() {
    for time in [SQLType.timestamptz, .timestamp] {
      addAggregate("rate", [.float8, time], .float8) { WordStates<CounterState>(.float8, .rate, positions: [0, 1]) }
      addAggregate("increase", [.float8, time], .float8) {
        WordStates<CounterState>(.float8, .increase, positions: [0, 1])
      }
      addAggregate("delta", [.float8, time], .float8) { WordStates<DeltaState>(.float8, (), positions: [0, 1]) }
      addAggregate("derivative", [.float8, time], .float8) {
        WordStates<DerivativeState>(.float8, .slope, positions: [0, 1])
      }
    }
    addAggregate("lttb", [.timestamptz, .float8, .int4], .timevector) { DownsamplingAggregate() }
    addAggregate("histogram", [.float8, .float8, .float8, .int4], .array(.int4)) { HistogramAggregate() }
  }
}
