import Testing
import VarveWire

@Suite struct XMLElementTests {
  private func element(_ text: String) -> XMLElement? { XMLElement(Array(text.utf8)) }

  @Test func elementsHaveTextsAndChildren() throws {
    let root = try #require(
      element(
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <!-- a > b --><List xmlns="http://x/" a='>' ><Name>a&amp;b&lt;&#99;&#x64;</Name><E/><E></E>
        <s3:Key>x<![CDATA[<&]]>y</s3:Key></List>

        """))
    #expect(root.name == "List")
    #expect(root.text(of: "Name") == "a&b<cd")
    #expect(root.children("E").count == 2 && root.text(of: "E")?.isEmpty == true)
    #expect(root.text(of: "Key") == "x<&y")
    #expect(root.child("Missing") == nil)
    #expect(element("\u{FEFF}<a/>")?.name == "a")
    #expect(element("<a>é</a>")?.text == "é")
  }

  @Test func whatIsNoDocumentIsNone() {
    for text in [
      "", " ", "text", "<a>", "</a>", "<a></b>", "<a/><b/>", "<a/>text", "text<a/>", "<a", "<a b='", "<a>&b;</a>",
      "<a>&#xD800;</a>", "<a>&#x110000;</a>", "<a>&#;</a>", "<a>&#+5;</a>", "<a>& b</a>", "<a>&amp", "<>", "< a/>",
      "<a><!--</a>", "<a><![CDATA[</a>", "<![CDATA[x]]>", "<?xml", "<a:/>", "<a/ >",
      #"<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">]><a>&b;</a>"#,
    ] {
      #expect(element(text) == nil, "\(text)")
    }
    #expect(XMLElement([UInt8(ascii: "<"), UInt8(ascii: "a"), UInt8(ascii: ">"), 0xFF] + Array("</a>".utf8)) == nil)
  }

  @Test func depthIsBounded() {
    let nested = { (depth: Int) in
      String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
    }
    #expect(element(nested(16)) != nil)
    #expect(element(nested(17)) == nil)
    #expect(element(String(repeating: "<a>", count: 1_000_000)) == nil)
  }

  @Test func everyCutOfADocumentIsRefused() {
    let bytes = Array(#"<?xml version="1.0"?><a b="c"><d>x&amp;y</d><!-- e --><f/><![CDATA[g]]></a>"#.utf8)
    for count in 0..<bytes.count { #expect(XMLElement(Array(bytes.prefix(count))) == nil, "\(count)") }
    #expect(XMLElement(bytes) != nil)
  }
}
