// The messages around and of results.

import VarveCore

extension BackendWriter {
  package func parseComplete() { end(begin("1")) }
  package func bindComplete() { end(begin("2")) }
  package func closeComplete() { end(begin("3")) }
  package func noData() { end(begin("n")) }
  package func emptyQueryResponse() { end(begin("I")) }
  package func portalSuspended() { end(begin("s")) }

  package func commandComplete(_ tag: String) {
    let start = begin("C")
    string(tag)
    end(start)
  }

  package func parameterDescription(_ types: [UInt32]) {
    precondition(types.count <= UInt16.max, "more parameters than a message can count")
    let start = begin("t")
    int16(Int16(bitPattern: UInt16(types.count)))
    for type in types { uint32(type) }
    end(start)
  }

  /// `formats`: one a column, or none, or one for all.
  package func rowDescription(_ columns: [ResultColumn], formats: [FormatCode]) {
    precondition(columns.count <= PostgresLimits.resultColumns, "more columns than a message can count")
    precondition(formats.count <= 1 || formats.count == columns.count, "a format a column")
    let start = begin("T")
    int16(Int16(columns.count))
    for (i, column) in columns.enumerated() {
      string(column.name)
      uint32(column.tableOID)
      int16(column.attributeNumber)
      uint32(column.typeOID)
      int16(column.typeSize)
      int32(column.typeModifier)
      int16((formats.isEmpty ? .text : formats[formats.count == 1 ? 0 : i]).rawValue)
    }
    end(start)
  }

  // MARK: Rows

  @inlinable package func beginDataRow(columnCount: Int) -> Int {
    let start = begin("D")
    int16(Int16(truncatingIfNeeded: columnCount))
    return start
  }

  @inlinable package func null() { int32(-1) }

  /// Starts a value whose length isn't known yet; `endValue` takes what it returns.
  @inlinable package func beginValue() -> Int {
    let start = buffer.count
    int32(0)
    return start
  }

  @inlinable package func endValue(_ start: Int) {
    patch(Int32(truncatingIfNeeded: buffer.count - start - 4), at: start)
  }

  @inlinable package func value(_ bytes: UnsafeBufferPointer<UInt8>) {
    int32(Int32(truncatingIfNeeded: bytes.count))
    buffer.append(bytes)
  }

  /// Throws, and takes the row back, if it is larger than a client could hold.
  @inlinable package func endDataRow(_ start: Int) throws(PostgresError) {
    if buffer.count - start > PostgresLimits.rowByteCount { throw rowTooLarge(start) }
    end(start)
  }

  @usableFromInline func rowTooLarge(_ start: Int) -> PostgresError {
    let byteCount = buffer.count - start
    buffer.count = start - 1
    return PostgresError(
      "54000", "a row of the result has \(byteCount) bytes; the limit is \(PostgresLimits.rowByteCount)",
      hint: "Select fewer columns.")
  }

  // MARK: COPY

  package func copyInResponse(format: FormatCode, columnCount: Int) { copyResponse("G", format, columnCount) }
  package func copyOutResponse(format: FormatCode, columnCount: Int) { copyResponse("H", format, columnCount) }

  private func copyResponse(_ type: Unicode.Scalar, _ format: FormatCode, _ columnCount: Int) {
    precondition(columnCount <= PostgresLimits.resultColumns, "more columns than a message can count")
    let start = begin(type)
    buffer.append(UInt8(format.rawValue))
    int16(Int16(columnCount))
    for _ in 0..<columnCount { int16(format.rawValue) }
    end(start)
  }

  package func copyData(_ bytes: UnsafeBufferPointer<UInt8>) {
    let start = begin("d")
    buffer.append(bytes)
    end(start)
  }

  /// Starts a row of a COPY; `endDataRow` ends it, `takeBack` leaves it out.
  @inlinable package func beginCopyData() -> Int { begin("d") }

  @inlinable package func takeBack(_ start: Int) { buffer.count = start - 1 }

  package func copyDone() { end(begin("c")) }
}
