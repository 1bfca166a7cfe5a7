// Messages of an open session: framing, and what each asks for.

import VarveCore

extension PostgresStateMachine {
  /// nil: a message was consumed, ask again.
  mutating func nextMessage() -> Action? {
    if takeCopyData() {
      // Without a COPY it is left over from one that failed.
      if case .copying = phase { return .copyData }
      return nil
    }
    if copyDataRemaining > 0 { return .wait }
    let available = inbound.count - consumed
    guard available >= 1 else { return .wait }
    guard let kind = FrontendMessageKind(rawValue: inbound[consumed]) else {
      terminate(.protocolViolation("invalid frontend message type \(inbound[consumed])"))
      return nil
    }
    guard available >= 5 else { return .wait }
    let length = Int(bigEndianUInt32(at: consumed + 1))
    guard length >= 4, length - 4 <= kind.byteLimit else {
      terminate(
        PostgresError(
          "08P01", "invalid message length: \(length) bytes in a message of type \(Unicode.Scalar(kind.rawValue))",
          hint: "The limit is \(kind.byteLimit) bytes."))
      return nil
    }
    // Without a body: with one, it was taken above.
    if kind == .copyData {
      consumed += 5
      return nil
    }
    guard available > length else { return .wait }
    let body = consumed + 5..<consumed + 1 + length
    consumed += 1 + length

    if case .copying(let work) = phase { return next(inCopyFor: work, kind, inbound[body]) }
    if case .skipping = phase {
      // What is skipped is not even looked into, as it isn't in PostgreSQL.
      guard kind == .sync || kind == .terminate else { return nil }
    }
    do throws(PostgresError) {
      return try act(on: try FrontendMessage(kind, body: inbound[body]))
    } catch {
      return refuse(kind, error)
    }
  }

  /// An error that was found here, before any work was asked for.
  private mutating func refuse(_ kind: FrontendMessageKind, _ error: PostgresError) -> Action? {
    writer.error(error)
    if kind.isExtendedQuery {
      phase = .skipping
      return nil
    }
    // Query and FunctionCall are each a cycle of their own: the transaction learns of it now, then the client.
    phase = .busy(.synchronize)
    return .synchronize(failed: true)
  }

  private mutating func act(on message: FrontendMessage) throws(PostgresError) -> Action? {
    switch message {
    case .query(let sql):
      // A simple query takes the unnamed statement and portal.
      statements[Name("")] = nil
      portals[Name("")] = nil
      phase = .busy(.simpleQuery(failed: false))
      return .simpleQuery(sql)
    case .parse(let name, let sql, let parameterTypes):
      return try parse(name, sql, parameterTypes)
    case .bind(let portal, let statement, let parameters, let formats):
      return try bind(portal, statement, parameters, formats)
    case .describeStatement(let name):
      let entry = try prepared(name)
      writer.parameterDescription(entry.parameterTypes)
      describe(entry.columns, formats: [])
      return nil
    case .describePortal(let name):
      if let columns = cursors[Name(name)] {
        describe(columns, formats: [])
        return nil
      }
      let entry = try portal(name)
      describe(entry.columns, formats: entry.formats)
      return nil
    case .execute(let name, let rowLimit):
      let entry = try portal(name)
      phase = .busy(.execute)
      return .execute(entry.portal, formats: entry.formats, rowLimit: rowLimit > 0 ? Int(rowLimit) : nil)
    case .closeStatement(let name):
      statements[Name(name)] = nil
      writer.closeComplete()
      return nil
    case .closePortal(let name):
      portals[Name(name)] = nil
      writer.closeComplete()
      return nil
    case .flush:
      return .flush
    case .sync:
      let failed = if case .skipping = phase { true } else { false }
      phase = .busy(.synchronize)
      return .synchronize(failed: failed)
    case .functionCall:
      throw PostgresError(
        "0A000", "the function call sub-protocol is not supported", hint: "Call the function with SELECT.")
    case .terminate:
      close()
      return .close
    case .copy:
      return nil
    }
  }

  private mutating func parse(_ name: String, _ sql: String, _ types: [UInt32]) throws(PostgresError) -> Action {
    if name.isEmpty {
      statements[Name("")] = nil
    } else if statements[Name(name)] != nil {
      throw PostgresError("42P05", "prepared statement \"\(name)\" already exists")
    } else if statements.count >= PostgresLimits.preparedStatements {
      throw PostgresError(
        "54000", "this connection holds \(PostgresLimits.preparedStatements) prepared statements, which is the limit",
        hint: "Close those that are no longer used, or DEALLOCATE ALL.")
    }
    phase = .busy(.parse(name: name))
    return .parse(sql: sql, parameterTypes: types)
  }

  private mutating func bind(
    _ name: String, _ statement: String, _ parameters: [ParameterValue], _ formats: [FormatCode]
  ) throws(PostgresError) -> Action {
    let entry = try prepared(statement)
    guard parameters.count == entry.parameterTypes.count else {
      throw .protocolViolation(
        "bind message supplies \(parameters.count) parameters, but prepared statement \"\(statement)\" requires "
          + "\(entry.parameterTypes.count)")
    }
    // A statement without rows may be bound with any formats: there is nothing that they apply to.
    if let columns = entry.columns, formats.count > 1, formats.count != columns.count {
      throw .protocolViolation(
        "bind message has \(formats.count) result formats but query has \(columns.count) columns")
    }
    if name.isEmpty {
      portals[Name("")] = nil
    } else if portals[Name(name)] != nil || cursors[Name(name)] != nil {
      throw PostgresError("42P03", "cursor \"\(name)\" already exists")
    } else if portals.count >= PostgresLimits.portals {
      throw PostgresError(
        "54000", "this connection holds \(PostgresLimits.portals) portals, which is the limit",
        hint: "Close those that are no longer used, or end the transaction.")
    }
    phase = .busy(.bind(portal: name, columns: entry.columns, formats: entry.columns == nil ? [] : formats))
    return .bind(entry.statement, parameters, portal: name)
  }

  private func describe(_ columns: [ResultColumn]?, formats: [FormatCode]) {
    if let columns {
      writer.rowDescription(columns, formats: formats)
    } else {
      writer.noData()
    }
  }

  private func prepared(_ name: String) throws(PostgresError) -> PreparedEntry {
    if let entry = statements[Name(name)] { return entry }
    throw PostgresError(
      "26000",
      name.isEmpty ? "unnamed prepared statement does not exist" : "prepared statement \"\(name)\" does not exist")
  }

  private func portal(_ name: String) throws(PostgresError) -> PortalEntry {
    if let entry = portals[Name(name)] { return entry }
    throw PostgresError("34000", "portal \"\(name)\" does not exist")
  }
}
