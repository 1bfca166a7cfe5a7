// Operators and functions that read json and jsonb.

import VarveCore

extension FunctionTable {
  mutating func addJSON() {
    for type in [SQLType.json, .jsonb] {
      let prefix = type == .json ? "json" : "jsonb"
      for key in [SQLType.text, .int4] {
        addOperator("->", [type, key], type) { columns, n, _ in
          try Evaluation.rows2(columns[0], columns[1], n, type) {
            try JSONAccess.member($0.text, $1, isScalarArray: type == .jsonb).map(Datum.text) ?? .null
          }
        }
        addOperator("->>", [type, key], .text) { columns, n, _ in
          try Evaluation.rows2(columns[0], columns[1], n, .text) {
            try JSONAccess.member($0.text, $1, isScalarArray: type == .jsonb).flatMap(JSONAccess.plain)
              .map(Datum.text) ?? .null
          }
        }
      }
      addOperator("#>", [type, .array(.text)], type) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, type) {
          try JSONAccess.path($0.text, $1.array).map(Datum.text) ?? .null
        }
      }
      addOperator("#>>", [type, .array(.text)], .text) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, .text) {
          try JSONAccess.path($0.text, $1.array).flatMap(JSONAccess.plain).map(Datum.text) ?? .null
        }
      }
      add("\(prefix)_typeof", [type], .text) { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .text) { .text(try JSONText.value($0.text).typeName) }
      }
      add("\(prefix)_array_length", [type], .int4) { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .int4) {
          .int(
            Int64(
              try JSONAccess.elements($0.text) { parts in
                let what = if case .scalar = parts { "a scalar" } else { "a non-array" }
                return SQLError.make("22023", "cannot get array length of \(what)")
              }.count))
        }
      }
      add("\(prefix)_strip_nulls", [type], type) { columns, n, _ in
        try Evaluation.rows1(columns[0], n, type) {
          let value = try JSONText.value($0.text).withoutNulls
          return .text(type == .json ? value.closeText : value.text)
        }
      }
    }
    addJSONB()
  }

  /// What there is of jsonb alone.
  private mutating func addJSONB() {
    addOperator("@>", [.jsonb, .jsonb], .bool) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .bool) {
        .bool(try JSONText.value($0.text).contains(try JSONText.value($1.text)))
      }
    }
    addOperator("<@", [.jsonb, .jsonb], .bool) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .bool) {
        .bool(try JSONText.value($1.text).contains(try JSONText.value($0.text)))
      }
    }
    addOperator("?", [.jsonb, .text], .bool) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .bool) { .bool(try JSONText.value($0.text).has($1.text)) }
    }
    addOperator("?|", [.jsonb, .array(.text)], .bool) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .bool) {
        let value = try JSONText.value($0.text)
        return .bool($1.array.contains { !$0.isNull && value.has($0.text) })
      }
    }
    addOperator("?&", [.jsonb, .array(.text)], .bool) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .bool) {
        let value = try JSONText.value($0.text)
        return .bool($1.array.allSatisfy { $0.isNull || value.has($0.text) })
      }
    }
    addOperator("||", [.jsonb, .jsonb], .jsonb) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .jsonb) {
        .text(try JSONText.value($0.text).joined(with: try JSONText.value($1.text)).text)
      }
    }
    addOperator("-", [.jsonb, .text], .jsonb) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .jsonb) {
        .text(try JSONText.value($0.text).without([$1.text]).text)
      }
    }
    addOperator("-", [.jsonb, .array(.text)], .jsonb) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .jsonb) {
        .text(try JSONText.value($0.text).without($1.array.filter { !$0.isNull }.map(\.text)).text)
      }
    }
    addOperator("-", [.jsonb, .int4], .jsonb) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .jsonb) {
        .text(try JSONText.value($0.text).without(place: $1.integer).text)
      }
    }
    add("jsonb_pretty", [.jsonb], .text) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .text) { .text(try JSONText.value($0.text).prettyText) }
    }
  }
}
