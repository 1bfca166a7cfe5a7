import Testing
import VarveCore

@testable import VarveBench

@Suite struct ReportTests {
  @Test func decimalsHaveTheirPlaces() {
    #expect(LoadReport.decimal(0, 3) == "0.000")
    #expect(LoadReport.decimal(1.0006, 3) == "1.001")
    #expect(LoadReport.decimal(-0.25, 1) == "-0.3")
    #expect(LoadReport.decimal(12345.678, 0) == "12346")
    #expect(LoadReport.decimal(99.96, 1) == "100.0")
  }

  @Test func answersOfHTTPAreReadInPieces() throws {
    let text =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nX: y\r\n\r\n"
      + "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\ncontent-length: 5\r\n\r\nhello"
    let buffer = Buffer<UInt8>()
    var found: [HTTPResponse] = []
    for byte in text.utf8 {
      buffer.append(byte)
      while let response = try HTTPResponse.take(from: buffer) { found.append(response) }
    }
    #expect(
      found == [
        HTTPResponse(status: 204),
        HTTPResponse(status: 503, closes: true, retryAfterSeconds: 2, body: "hello"),
      ])
    #expect(buffer.count == 0)
  }

  @Test(arguments: ["hello\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "b1 ok rows=1\r\n\r\n"])
  func whatIsNoAnswerIsSaid(text: String) {
    #expect(throws: VarveError.self) { try HTTPResponse.take(from: Buffer(Array(text.utf8))) }
  }

  @Test func aScheduleGoesOnWhateverIsSent() {
    var pace = Pace(start: 1_000, rowsPerSecond: 1e6)
    #expect(pace.due == 1_000)
    pace.advance(by: 5_000)
    #expect(pace.due == 5_001_000)
    #expect(Pace(start: 5, rowsPerSecond: nil).due == nil)
  }
}
