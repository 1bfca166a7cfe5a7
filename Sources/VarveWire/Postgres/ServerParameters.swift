// What a server reports of itself with ParameterStatus. Clients parse these: psql and JDBC decide by
// server_version which catalogs to ask for, psycopg reads DateStyle, all of them read standard_conforming_strings.

package enum ServerParameters {
  package static let serverVersion = "15.8"

  /// The parameters at the start of a session; `overrides` are the session's own words.
  package static func atStartup(
    of parameters: StartupParameters, overrides: [(name: String, value: String)] = []
  ) -> [(name: String, value: String)] {
    var result: [(name: String, value: String)] = [
      ("application_name", parameters.setting("application_name") ?? ""),
      ("client_encoding", "UTF8"),
      ("DateStyle", "ISO, MDY"),
      ("default_transaction_read_only", "off"),
      ("in_hot_standby", "off"),
      ("integer_datetimes", "on"),
      ("IntervalStyle", "postgres"),
      ("is_superuser", "on"),
      ("server_encoding", "UTF8"),
      ("server_version", serverVersion),
      ("session_authorization", parameters.user),
      ("standard_conforming_strings", "on"),
      ("TimeZone", parameters.setting("TimeZone") ?? "UTC"),
    ]
    for (name, value) in overrides {
      if let i = result.firstIndex(where: { $0.name.lowercased() == name.lowercased() }) {
        result[i].value = value
      } else {
        result.append((name, value))
      }
    }
    return result
  }
}
