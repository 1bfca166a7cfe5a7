// What programs do through JDBC: metadata, prepared statements, results in parts, batches. Throws where an answer is not the expected one.

import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.sql.Timestamp;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.postgresql.PGConnection;

public class Client {
  public static void main(String[] arguments) throws Exception {
    try (Connection connection = DriverManager.getConnection(arguments[0])) {
      metadata(connection);
      prepared(connection);
      parts(connection);
      batches(connection);
      savepoints(connection);
      copies(connection);
    }
    System.out.println("done");
  }

  static void expect(Object actual, Object expected) {
    if (!Objects.equals(actual, expected)) throw new AssertionError(actual + " is not " + expected);
  }

  static List<String> column(ResultSet rows, String name) throws SQLException {
    List<String> values = new ArrayList<>();
    while (rows.next()) values.add(rows.getString(name));
    return values;
  }

  static void metadata(Connection connection) throws SQLException {
    DatabaseMetaData metadata = connection.getMetaData();
    expect(metadata.getDatabaseMajorVersion(), 15);
    expect(column(metadata.getTables(null, "public", "%", new String[] {"TABLE"}), "TABLE_NAME"), List.of("cpu", "devices"));
    expect(column(metadata.getTables(null, "varve", "tables", null), "TABLE_TYPE"), List.of("VIEW"));
    expect(column(metadata.getColumns(null, "public", "cpu", "%"), "COLUMN_NAME"), List.of("time", "host", "usage", "n"));
    expect(column(metadata.getColumns(null, "public", "cpu", "%"), "TYPE_NAME"), List.of("timestamptz", "text", "float8", "int8"));
    expect(column(metadata.getColumns(null, "public", "cpu", "%"), "IS_NULLABLE"), List.of("NO", "YES", "YES", "YES"));
    expect(column(metadata.getPrimaryKeys(null, "public", "cpu"), "COLUMN_NAME"), List.of());
    expect(column(metadata.getPrimaryKeys(null, "public", "devices"), "COLUMN_NAME"), List.of("id"));
    expect(column(metadata.getBestRowIdentifier(null, "public", "devices", DatabaseMetaData.bestRowSession, false), "COLUMN_NAME"), List.of("id"));
    expect(column(metadata.getIndexInfo(null, "public", "devices", true, false), "COLUMN_NAME"), List.of("id"));
    expect(column(metadata.getIndexInfo(null, "public", "cpu", false, false), "INDEX_NAME"), List.of());
    expect(column(metadata.getImportedKeys(null, "public", "cpu"), "FK_NAME"), List.of());
    expect(column(metadata.getSchemas(), "TABLE_SCHEM"), List.of("information_schema", "pg_catalog", "public", "varve"));
    expect(column(metadata.getCatalogs(), "TABLE_CAT"), List.of("varve"));
    expect(column(metadata.getFunctions(null, "public", "to_ns"), "FUNCTION_NAME").contains("to_ns"), true);
    expect(column(metadata.getTypeInfo(), "TYPE_NAME").contains("timestamptz"), true);
    expect(column(metadata.getTablePrivileges(null, "public", "cpu"), "PRIVILEGE").contains("SELECT"), true);
    expect(metadata.getSQLKeywords().length() > 0, true);
  }

  static void prepared(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement("SELECT usage, n, time FROM cpu WHERE host = ? AND time >= ? ORDER BY time")) {
      // Often enough for the driver to name the statement and ask for binary results.
      for (int round = 0; round < 12; round++) {
        statement.setString(1, "h1");
        statement.setTimestamp(2, Timestamp.from(Instant.parse("2024-01-01T00:00:00Z")));
        ResultSet rows = statement.executeQuery();
        expect(rows.next(), true);
        expect(rows.getDouble(1), 0.25);
        expect(rows.getLong(2), 1L);
        expect(rows.getTimestamp(3).toInstant(), Instant.parse("2024-01-01T00:00:01Z"));
        expect(rows.getMetaData().getColumnName(3), "time");
      }
    }
  }

  static void parts(Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      statement.setFetchSize(7);
      ResultSet rows = statement.executeQuery("SELECT n FROM cpu ORDER BY n");
      for (long expected = 0; expected < 100; expected++) {
        expect(rows.next(), true);
        expect(rows.getLong(1), expected);
      }
      expect(rows.next(), false);
    }
    connection.commit();
    connection.setAutoCommit(true);
  }

  static void batches(Connection connection) throws SQLException {
    try (PreparedStatement statement = connection.prepareStatement("INSERT INTO cpu (time, host, usage, n) VALUES (?, ?, ?, ?)")) {
      for (int row = 0; row < 200; row++) {
        statement.setTimestamp(1, Timestamp.from(Instant.parse("2025-01-01T00:00:00Z").plusSeconds(row)));
        statement.setString(2, "batch");
        statement.setDouble(3, row / 2.0);
        statement.setLong(4, row);
        statement.addBatch();
      }
      expect(statement.executeBatch().length, 200);
    }
    try (Statement statement = connection.createStatement()) {
      ResultSet rows = statement.executeQuery("SELECT count(*), sum(n) FROM cpu WHERE host = 'batch'");
      rows.next();
      expect(rows.getLong(1), 200L);
      expect(rows.getBigDecimal(2).intValueExact(), 19900);
    }
  }

  static void savepoints(Connection connection) throws SQLException {
    connection.setAutoCommit(false);
    try (Statement statement = connection.createStatement()) {
      statement.executeUpdate("INSERT INTO cpu (time, host, n) VALUES ('2026-01-01Z', 'saved', 1)");
      Savepoint savepoint = connection.setSavepoint("mark");
      statement.executeUpdate("INSERT INTO cpu (time, host, n) VALUES ('2026-01-02Z', 'saved', 2)");
      connection.rollback(savepoint);
      connection.commit();
      ResultSet rows = statement.executeQuery("SELECT n FROM cpu WHERE host = 'saved'");
      expect(column(rows, "n"), List.of("1"));
    }
    connection.rollback();
    connection.setAutoCommit(true);
  }

  static void copies(Connection connection) throws Exception {
    java.io.StringWriter out = new java.io.StringWriter();
    long rows = connection.unwrap(PGConnection.class).getCopyAPI().copyOut("COPY (SELECT n FROM cpu WHERE n < 3 AND host LIKE 'h%' ORDER BY n) TO STDOUT CSV HEADER", out);
    expect(rows, 3L);
    expect(out.toString(), "n\n0\n1\n2\n");
  }
}
