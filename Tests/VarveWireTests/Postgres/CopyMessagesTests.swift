import Testing

@testable import VarveWire

@Suite struct PostgresCopyMessagesTests {
  private static func data(_ text: String) -> [UInt8] { Client.message("d", Array(text.utf8)) }
  private static let done = Client.message("c")
  private static func fail(_ reason: String) -> [UInt8] { Client.message("f", Client.string(reason)) }

  @Test func aSimpleQueryCopiesAndGoesOn() {
    var c = Conversation.started()
    c.send(Client.query("rows 1;copy;rows 0"))
    #expect(c.replyTypes == "TDCG")
    #expect(c.replies.last?.body == [1, 0, 2, 0, 1, 0, 1])
    c.send(Self.data("ab") + Self.data("") + Self.data("c") + Self.done)
    #expect(String(decoding: c.copied, as: UTF8.self) == "abc")
    #expect(c.replyTypes == "TDCGCTCZ")
  }

  @Test func dataIsPassedOnHoweverItIsCut() {
    let bytes = Self.data("hello") + Client.flush + Self.data("") + Self.data(", world") + Client.sync + Self.done
    for cut in 0...bytes.count {
      for second in stride(from: cut, through: bytes.count, by: 3) {
        var c = Conversation.started()
        c.send(Client.query("copy"))
        c.send(Array(bytes[..<cut]))
        c.send(Array(bytes[cut..<second]))
        c.send(Array(bytes[second...]))
        #expect(String(decoding: c.copied, as: UTF8.self) == "hello, world")
        #expect(c.replyTypes == "GCZ")
      }
    }
  }

  @Test func aMessageIsPassedOnBeforeItIsComplete() {
    var c = Conversation.started()
    c.send(Client.query("copy"))
    c.send(Array("d".utf8) + Client.int32(500_000_000))
    for _ in 0..<100 { c.send([UInt8](repeating: 0x61, count: 1000)) }
    #expect(c.copied.count == 100_000)
    #expect(c.machine.pendingByteCount == 0)
  }

  @Test func flushAndSyncMeanNothingDuringACopyOfAnExtendedQuery() {
    var c = Conversation.started()
    c.send(Client.parse("", "copy") + Client.bind() + Client.describe("P") + Client.execute() + Client.sync)
    #expect(c.replyTypes == "12nG")
    c.send(Self.data("ab") + Client.flush + Client.sync + Self.done)
    #expect(c.replyTypes == "12nGC")
    c.send(Client.sync)
    #expect(c.replyTypes == "12nGCZ")
    #expect(c.actions.last == "flush" && c.actions.contains("synchronize ok"))
  }

  @Test func anErrorEndsACopyAndTheRestOfItsDataIsDropped() {
    // Cut within the message that comes too late.
    let late = Self.data("more") + Self.done
    for cut in 0...late.count {
      var c = Conversation.started()
      c.send(Client.query("copy;rows 1"))
      c.send(Self.data("ax"))
      #expect(c.replyTypes == "GEZ")
      c.send(Array(late[..<cut]))
      c.send(Array(late[cut...]) + Client.query("rows 0"))
      #expect(String(decoding: c.copied, as: UTF8.self) == "ax")
      #expect(c.replyTypes == "GEZTCZ")
    }
  }

  @Test func anErrorWithinAMessageDropsTheRestOfIt() {
    var c = Conversation.started()
    c.send(Client.query("copy"))
    c.send(Array("d".utf8) + Client.int32(4 + 10) + Array("ax".utf8))
    #expect(c.replyTypes == "GEZ")
    c.send(Array("cdefghij".utf8) + Client.query("rows 0"))
    #expect(c.replyTypes == "GEZTCZ")
  }

  @Test func anErrorInAnExtendedCopyIsFollowedBySilenceUpToSync() {
    var c = Conversation.started()
    c.send(Client.parse("", "copy") + Client.bind() + Client.execute())
    c.send(Self.data("x") + Self.data("y") + Self.done + Client.parse("", "rows 1"))
    #expect(c.replyTypes == "12GE")
    c.send(Client.sync)
    #expect(c.replyTypes == "12GEZ")
    #expect(c.actions.contains("synchronize failed"))
  }

  @Test func aClientCanGiveUp() {
    var c = Conversation.started()
    c.send(Client.query("begin;copy"))
    c.send(Self.data("ab") + Self.fail("no more"))
    #expect(c.replyTypes == "CGEZ")
    #expect(c.lastError?.field("C") == "57014")
    #expect(c.lastError?.field("M") == "COPY from stdin failed: no more")
    #expect(c.transaction == .failed)
  }

  @Test func otherMessagesFailACopy() {
    var c = Conversation.started()
    c.send(Client.query("copy"))
    c.send(Client.query("rows 1"))
    #expect(c.lastError?.field("C") == "08P01")
    #expect(c.lastError?.field("M") == "unexpected message type 0x51 during COPY from stdin")
    c.send(Client.query("rows 0"))
    #expect(c.replyTypes == "GEZTCZ")
  }

  @Test func aClientMayLeaveWithinACopy() {
    var c = Conversation.started()
    c.send(Client.query("copy"))
    c.send(Self.data("ab") + Client.terminate)
    #expect(c.closed)
    #expect(c.replyTypes == "G")
  }

  @Test func aLengthBeyondTheLimitEndsTheConnection() {
    var c = Conversation.started()
    c.send(Client.query("copy"))
    c.send(Array("d".utf8) + Client.int32(.max))
    #expect(c.closed)
    #expect(c.lastError?.field("C") == "08P01")
  }
}
