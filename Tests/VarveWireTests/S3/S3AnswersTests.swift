import Testing
import VarveWire

@Suite struct S3AnswersTests {
  @Test func listsAreRead() throws {
    let list = try #require(
      S3ObjectList(
        Array(
          """
          <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><EncodingType>url</EncodingType>
          <IsTruncated>true</IsTruncated><NextContinuationToken>t+/=</NextContinuationToken>
          <Contents><Key>p/a%2Bb+c%C3%A9</Key><Size>12</Size><ETag>&quot;x&quot;</ETag></Contents>
          <CommonPrefixes><Prefix>p/d/</Prefix></CommonPrefixes></ListBucketResult>
          """.utf8)))
    #expect(list.objects.map(\.key) == ["p/a+b cé"] && list.objects[0].byteCount == 12)
    #expect(list.prefixes == ["p/d/"] && list.continuation == "t+/=")
    let plain = S3ObjectList(
      Array("<ListBucketResult><Contents><Key>a%2B+</Key><Size>0</Size></Contents></ListBucketResult>".utf8))
    #expect(plain?.objects.map(\.key) == ["a%2B+"] && plain?.continuation == nil)
  }

  @Test func whatIsNoListIsNone() {
    for text in [
      "<Other/>", "<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>",
      "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
      "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
      "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
      "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz</Key><Size>1</Size></Contents></ListBucketResult>",
      "<html><body>404</body></html>",
    ] {
      #expect(S3ObjectList(Array(text.utf8)) == nil, "\(text)")
    }
  }

  @Test func uploadsErrorsAndDeletesAreRead() throws {
    let uploads = S3UploadList(
      Array(
        """
        <ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>
        <NextUploadIdMarker>i</NextUploadIdMarker><Upload><Key>a</Key><UploadId>1</UploadId></Upload>
        </ListMultipartUploadsResult>
        """.utf8))
    #expect(uploads?.uploads.first?.id == "1" && uploads?.next?.key == "k" && uploads?.next?.id == "i")
    let error = S3ErrorAnswer(
      Array("<Error><Code>SlowDown</Code><Message>slow</Message><Region>eu-west-1</Region></Error>".utf8))
    #expect(error?.code == "SlowDown" && error?.message == "slow" && error?.region == "eu-west-1")
    #expect(S3ErrorAnswer(Array("<Error><Message>slow</Message></Error>".utf8)) == nil)
    let deleted = S3DeleteAnswer(
      Array("<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code></Error></DeleteResult>".utf8))
    #expect(deleted?.failures.map(\.key) == ["a"] && deleted?.failures.first?.error.code == "AccessDenied")
    #expect(S3DeleteAnswer(Array("<DeleteResult/>".utf8))?.failures.isEmpty == true)
    #expect(S3UploadAnswer(Array("<InitiateMultipartUploadResult/>".utf8)) == nil)
  }

  @Test func rangesOfContentAreRead() {
    #expect(ContentRange("bytes 0-9/100")?.range == 0..<10 && ContentRange("bytes 0-9/100")?.objectByteCount == 100)
    #expect(ContentRange("bytes */7")?.range == nil && ContentRange("bytes */7")?.objectByteCount == 7)
    for text in [
      "", "bytes", "bytes 0-9", "bytes 0-9/*", "bytes 9-0/100", "bytes 0-100/100", "bytes -9/100", "bytes 0-9/100/1",
      "items 0-9/100", "bytes 0-9/99999999999999999999", "bytes +1-9/100",
    ] {
      #expect(ContentRange(text) == nil, "\(text)")
    }
  }

  @Test func datesAreReadAndWritten() {
    #expect(HTTPDate.seconds("Sun, 06 Nov 1994 08:49:37 GMT") == 784_111_777)
    #expect(HTTPDate.seconds("Thu, 29 Feb 2024 00:00:00 GMT") == 1_709_164_800)
    #expect(HTTPDate.basic(seconds: 1_709_164_800) == "20240229T000000Z")
    #expect(HTTPDate.basic(seconds: 784_111_777) == "19941106T084937Z")
    #expect(HTTPDate.basic(seconds: -1) == "19691231T235959Z")
    for text in ["", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "Sun, 06 Nov 1994 24:49:37 GMT"] {
      #expect(HTTPDate.seconds(text) == nil, "\(text)")
    }
  }

  @Test func percentTextGoesBothWays() {
    let text = "a b/ü+=&%~_-."
    #expect(PercentText.encoded(text) == "a%20b%2F%C3%BC%2B%3D%26%25~_-.")
    #expect(PercentText.encoded(text, keepingSlashes: true).contains("/"))
    #expect(PercentText.decoded(PercentText.encoded(text)) == text)
    #expect(PercentText.decoded("a+b", plusIsSpace: true) == "a b" && PercentText.decoded("a+b") == "a+b")
    for broken in ["%", "%1", "%zz", "%ff"] { #expect(PercentText.decoded(broken) == nil, "\(broken)") }
  }
}
