// Functions and operators of text. Characters are Unicode scalars, as in PostgreSQL with UTF-8; case maps the
// letters that Unicode maps one to one.

import VarveCore

extension FunctionTable {
  mutating func addText() {
    addConcatenation()
    for name in ["length", "char_length", "character_length"] {
      add(name, [.text], .int4) { columns, n, _ in
        try TextKernels.measure(columns[0], n) { TextKernels.length($0) }
      }
    }
    add("octet_length", [.text], .int4) { columns, n, _ in try TextKernels.measure(columns[0], n) { $0.count } }
    add("octet_length", [.bytea], .int4) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .int4) {
        guard case .bytea(let bytes) = $0 else { preconditionFailure("a bytea") }
        return .int(Int64(bytes.count))
      }
    }
    add("lower", [.text], .text) { columns, n, _ in
      try Evaluation.textMap(columns[0], n) { try TextKernels.mapCase($0, upper: false, into: &$1) }
    }
    add("upper", [.text], .text) { columns, n, _ in
      try Evaluation.textMap(columns[0], n) { try TextKernels.mapCase($0, upper: true, into: &$1) }
    }
    for name in ["substring", "substr"] {
      add(name, [.text, .int4], .text) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, .text) {
          .text(TextKernels.substring($0.text, from: $1.integer, count: nil))
        }
      }
      add(name, [.text, .int4, .int4], .text) { columns, n, _ in
        try Evaluation.rows(columns, n, .text) { row in
          if row[2].integer < 0 { throw SQLError.make("22011", "negative substring length not allowed") }
          return .text(TextKernels.substring(row[0].text, from: row[1].integer, count: row[2].integer))
        }
      }
    }
    for (names, leading, trailing) in [
      (["btrim"], true, true), (["ltrim"], true, false), (["rtrim"], false, true),
    ] {
      for name in names {
        add(name, [.text], .text) { columns, n, _ in
          try Evaluation.textMap(columns[0], n) {
            try $1.append(text: TextKernels.trimSpaces($0, leading: leading, trailing: trailing))
          }
        }
        add(name, [.text, .text], .text) { columns, n, _ in
          try Evaluation.rows2(columns[0], columns[1], n, .text) {
            .text(TextKernels.trim($0.text, $1.text, leading: leading, trailing: trailing))
          }
        }
      }
    }
    add("left", [.text, .int4], .text) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .text) {
        let scalars = $0.text.unicodeScalars
        let count = $1.integer
        let keep = count >= 0 ? Int(clamping: count) : max(scalars.count + Int(count), 0)
        return .text(String(scalars.prefix(keep)))
      }
    }
    add("right", [.text, .int4], .text) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .text) {
        let scalars = $0.text.unicodeScalars
        let count = $1.integer
        let keep = count >= 0 ? Int(clamping: count) : max(scalars.count + Int(count), 0)
        return .text(String(scalars.suffix(keep)))
      }
    }
    add("replace", [.text, .text, .text], .text) { columns, n, _ in
      try Evaluation.rows(columns, n, .text) { row in
        .text(try TextKernels.replace(Array(row[0].text.utf8), Array(row[1].text.utf8), Array(row[2].text.utf8)))
      }
    }
    for name in ["strpos", "position"] {
      // The grammar turns position(a IN b) into position(b, a), so both take the string first.
      add(name, [.text, .text], .int4) { columns, n, _ in
        try Evaluation.rows2(columns[0], columns[1], n, .int4) {
          .int(Int64(TextKernels.position(Array($0.text.utf8), Array($1.text.utf8))))
        }
      }
    }
    add("starts_with", [.text, .text], .bool) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .bool) { .bool($0.text.utf8.starts(with: $1.text.utf8)) }
    }
    addOperator("^@", [.text, .text], .bool) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .bool) { .bool($0.text.utf8.starts(with: $1.text.utf8)) }
    }
    add("split_part", [.text, .text, .int4], .text) { columns, n, _ in
      try Evaluation.rows(columns, n, .text) { row in
        let part = row[2].integer
        if part == 0 { throw SQLError.make("22023", "field position must not be zero") }
        let parts = TextKernels.split(Array(row[0].text.utf8), Array(row[1].text.utf8))
        let index = part > 0 ? Int(part) - 1 : parts.count + Int(clamping: part)
        return .text(parts.indices.contains(index) ? String(decoding: parts[index], as: UTF8.self) : "")
      }
    }
    add("reverse", [.text], .text) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .text) {
        var scalars = String.UnicodeScalarView()
        scalars.append(contentsOf: $0.text.unicodeScalars.reversed())
        return .text(String(scalars))
      }
    }
    add("repeat", [.text, .int4], .text) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .text) {
        let count = max($1.integer, 0)
        guard Int64($0.text.utf8.count).multipliedReportingOverflow(by: count).partialValue < 1 << 24,
          count < 1 << 24
        else { throw SQLError.make("54000", "text of more than 16 MiB") }
        return .text(String(repeating: $0.text, count: Int(count)))
      }
    }
    for (name, left) in [("lpad", true), ("rpad", false)] {
      let body: Evaluation.Body = { columns, n, _ in
        try Evaluation.rows(columns, n, .text) { row in
          .text(
            try TextKernels.pad(
              row[0].text, to: row[1].integer, with: row.count > 2 ? row[2].text : " ", left: left))
        }
      }
      add(name, [.text, .int4], .text, body)
      add(name, [.text, .int4, .text], .text, body)
    }
    add("ascii", [.text], .int4) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .int4) { .int(Int64($0.text.unicodeScalars.first?.value ?? 0)) }
    }
    add("chr", [.int4], .text) { columns, n, _ in
      try Evaluation.rows1(columns[0], n, .text) {
        if $0.integer < 0 { throw SQLError.make("22023", "character number must be positive") }
        guard $0.integer != 0, let value = UInt32(exactly: $0.integer), let scalar = UnicodeScalar(value) else {
          throw SQLError.make("54000", "requested character not valid for encoding: \($0.integer)")
        }
        return .text(String(scalar))
      }
    }
    for name in ["quote_ident", "quote_literal"] {
      add(name, [.text], .text) { columns, n, _ in
        try Evaluation.rows1(columns[0], n, .text) {
          .text(name == "quote_ident" ? TextKernels.quoteIdentifier($0.text) : TextKernels.quoteLiteral($0.text))
        }
      }
    }
  }

  private mutating func addConcatenation() {
    let body: Evaluation.Body = { columns, n, _ in
      if columns.contains(where: Evaluation.isConstantNull) { return .null(.text, count: n) }
      let x = TextView(columns[0])
      let y = TextView(columns[1])
      var builder = ColumnBuilder(.text, capacity: n)
      let scratch = Buffer<UInt8>(capacity: 64)
      for i in 0..<n {
        if columns[0].isNull(at: i) || columns[1].isNull(at: i) {
          builder.appendNull()
          continue
        }
        scratch.count = 0
        scratch.append(x.bytes(i))
        scratch.append(y.bytes(i))
        try builder.append(text: scratch.span)
      }
      return builder.finish()
    }
    addOperator("||", [.text, .text], .text, body)
    // anynonarray || text: whatever has a text form.
    for type in SQLType.scalarTypes
    where !type.isText && type != .void && type != .bytea && type != .int2vector && type != .oidvector {
      for left in [true, false] {
        addOperator("||", left ? [type, .text] : [.text, type], .text, volatility: .stable) { columns, n, context in
          var columns = columns
          let index = left ? 0 : 1
          if let cast = Casts.conversion(from: type, to: .text) {
            columns[index] = try cast([columns[index]], n, context)
          }
          return try body(columns, n, context)
        }
      }
    }
    addOperator("||", [.bytea, .bytea], .bytea) { columns, n, _ in
      try Evaluation.rows2(columns[0], columns[1], n, .bytea) {
        guard case .bytea(let a) = $0, case .bytea(let b) = $1 else { preconditionFailure("bytea") }
        return .bytea(a + b)
      }
    }
  }
}
