// Policies about what is old of a table, as they are made and removed: of retention and of tiering.

import VarveCompute
import VarveCore
import VarveFormat
import VarveStorage

extension QuerySession {
  /// False: it has one, which stays as it is. `parameter`: what the age is called.
  func addPolicy(_ kind: PolicyKind, of name: String, _ age: Interval, _ parameter: String) throws -> Bool {
    try checkWritable("add_\(kind)_policy")
    let catalog = CatalogView(snapshot: try store.snapshot(), session: state)
    let (table, known) = try aged(name, kind, catalog)
    let policy = AgePolicy(age)
    let now = clock.wallNanoseconds()
    guard try policy.limit(at: now) < now else {
      throw SQLError.make("22023", "\(parameter) must be a positive interval")
    }
    guard known == nil else { return false }
    try store.change(.policy(table.id, kind, policy.bytes))
    return true
  }

  /// False: there is none.
  func removePolicy(_ kind: PolicyKind, of name: String) throws -> Bool {
    try checkWritable("remove_\(kind)_policy")
    let catalog = CatalogView(snapshot: try store.snapshot(), session: state)
    let (table, known) = try aged(name, kind, catalog)
    guard known != nil else { return false }
    try store.change(.policy(table.id, kind, nil))
    return true
  }

  /// A table whose rows have an age, and its policy about that.
  func aged(_ name: String, _ kind: PolicyKind, _ catalog: CatalogView) throws -> (table: TableSchema, policy: [UInt8]?)
  {
    guard let table = catalog.snapshot.table(named: name) else {
      guard catalog.snapshot.dimension(named: name) == nil else {
        throw SQLError.make(
          "42809", "\"\(name)\" is a dimension table: its rows have no age", hint: "DELETE takes any condition there.")
      }
      throw SQLError.make("42P01", "relation \"\(name)\" does not exist")
    }
    return (table, catalog.snapshot.policies(of: table.id)[kind])
  }

  // MARK: As procedures

  /// Gives the job's number.
  func addPolicy(_ kind: PolicyKind, _ procedure: Procedure, _ arguments: ProcedureArguments) throws -> Datum {
    let (table, parameter) = (arguments.text(0) ?? "", procedure.parameters[1].name)
    guard let age = arguments.interval(1) else {
      throw arguments.error("22023", "\(parameter) must be an interval", at: 1)
    }
    if try !addPolicy(kind, of: table, age, parameter) {
      try skip("\(kind) policy already exists for \"\(table)\"", "42710", arguments.isTrue(2), arguments)
    }
    return try store.snapshot().table(named: table).map { .int(JobNumber.policy($0.id, kind).rawValue) } ?? .null
  }

  func removePolicy(_ kind: PolicyKind, _ arguments: ProcedureArguments) throws {
    let table = arguments.text(0) ?? ""
    guard try !removePolicy(kind, of: table) else { return }
    try skip("\(kind) policy not found for \"\(table)\"", "42704", arguments.isTrue(1), arguments)
  }

  private func skip(_ message: String, _ sqlState: String, _ isAllowed: Bool, _ arguments: ProcedureArguments) throws {
    guard isAllowed else { throw arguments.error(sqlState, message, at: 0) }
    state.add(.notice(severity: "NOTICE", sqlState: sqlState, message: message + ", skipping"))
  }
}
