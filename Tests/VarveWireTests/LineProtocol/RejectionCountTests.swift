import Testing
import VarveCore

@testable import VarveWire

@Suite struct RejectionCountTests {
  private func counts(_ text: String, pieces: Int? = nil) -> [String: Int] {
    let parser = LineProtocolParser()
    let bytes = Array(text.utf8)
    var found = RejectionCounts()
    let step = pieces ?? bytes.count
    for start in stride(from: 0, to: bytes.count, by: step) {
      parser.parse(Array(bytes[start..<min(bytes.count, start + step)]), now: 0)
      found.add(parser.takeRejectionCounts())
    }
    parser.finish(now: 0)
    found.add(parser.takeRejectionCounts())
    return Dictionary(
      uniqueKeysWithValues: found.counts.map { ("\($0.key.table?.text ?? "-") \($0.key.code.rawValue)", $0.value) })
  }

  @Test(arguments: [nil, 1, 7])
  func badLinesAreCountedByTableAndReasonHoweverTheTextIsCut(pieces: Int?) {
    let text = """
      m v=1 1
      m v=x 1
      m,a=b v=1x 1
      ,a=b v=1 1
      n v=1 y
      n v=2 2
      m v=y 1

      """
    #expect(counts(text, pieces: pieces) == counts(text))
    let found = counts(text)
    #expect(found.values.reduce(0, +) == 5)
    #expect(found.filter { $0.key.hasPrefix("m ") }.values.reduce(0, +) == 3, "\(found)")
    #expect(found.filter { $0.key.hasPrefix("n ") } == ["n invalid_timestamp": 1], "\(found)")
    #expect(found.filter { $0.key.hasPrefix("- ") }.values.reduce(0, +) == 1, "\(found)")
  }

  /// Answers spell out the first hundred; the counts have all.
  @Test func allAreCountedWhereAnswersListTheFirstOnes() {
    #expect(counts(String(repeating: "m v=1 y\n", count: 5_000)) == ["m invalid_timestamp": 5_000])
  }

  @Test func aSessionCountsItsQuestionsAndAnswers() {
    let session = LineProtocolSession()
    var submitted: [(id: Int, count: Int)] = []
    func take(_ actions: [LineProtocolSession.Action]) {
      for case .submit(let id, let batches) in actions { submitted.append((id, batches.count)) }
    }
    take(session.receive(Array("m v=1 1\n#sync a\nm v=2 2\nbad\n#sync b\n#sync c\n".utf8), now: 0))
    #expect(session.questionCount == 3 && session.answerCount == 0)
    #expect(submitted.count == 2)
    func complete(_ index: Int) {
      let results = (0..<submitted[index].count).map { _ in
        LineProtocolCompletion(rowsWritten: 1, sequence: 1, rejections: [])
      }
      take(session.complete(id: submitted[index].id, .success(results)))
    }
    complete(1)
    #expect(session.answerCount == 0, "answers come in order")
    complete(0)
    #expect(session.answerCount == 3)
    #expect(session.takeRejectionCounts().counts.values.reduce(0, +) == 1)
    take(session.receive(Array("m v=3".utf8), now: 0))
    take(session.receiveStop())
    #expect(session.questionCount == 4 && session.answerCount == 4)
    #expect(session.takeRejectionCounts().counts == [RejectionCounts.Key(table: nil, code: .closed): 1])
  }

  @Test func aFailureOfTheStoreAnswersAllQuestions() {
    let session = LineProtocolSession()
    let actions = session.receive(Array("m v=1 1\n#sync a\n#sync b\n".utf8), now: 0)
    guard case .submit(let id, _) = actions[0] else { Issue.record("\(actions)"); return }
    _ = session.complete(id: id, .failure(VarveError(.inputOutput, "gone")))
    #expect(session.questionCount == 2 && session.answerCount == 2 && session.isClosed)
  }
}
