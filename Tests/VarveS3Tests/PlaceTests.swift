import Testing
import VarveArchive
import VarveCore
import VarveIO
import VarveS3
import VarveSimulator

@Suite struct PlaceTests {
  private func place(
    _ text: String, endpoint: String? = nil, region: String = "eu-west-1", isPathStyle: Bool = false
  ) throws -> S3Place {
    let address = try #require(ObjectStoreAddress(text))
    return try S3Place(address, endpoint: endpoint, region: region, isPathStyle: isPathStyle)
  }

  @Test func addressesNameBucketAndPrefix() throws {
    let one = try place("s3://bucket/a//b%20c/")
    #expect(one.bucket == "bucket" && one.prefix == "a/b c/")
    #expect(one.origin == "https://bucket.s3.eu-west-1.amazonaws.com" && one.root == "/")
    #expect(try place("S3://bucket").prefix.isEmpty && place("s3://bucket/").prefix.isEmpty)
    for wrong in [
      "s3://", "s3:///a", "s3://ab", "s3://a b/c", "s3://buck%65t/c", "s3://bucket/%zz", "s3://bucket/a/../b",
      "s3://bucket/./b", "s3://bucket/%00", "s3://bucket/" + String(repeating: "a", count: 600), "s3://bücket/a",
    ] {
      let error = #expect(throws: VarveError.self) { try place(wrong) }
      #expect(error?.code == .invalidArgument && error?.hint != nil, "\(wrong)")
    }
  }

  @Test func theBucketIsInTheHostWhereItCanBe() throws {
    #expect(try place("s3://bucket", endpoint: "http://127.0.0.1:9000").root == "/bucket/")
    #expect(try place("s3://bucket", endpoint: "http://[::1]:9000/").origin == "http://[::1]:9000")
    #expect(try place("s3://bucket", endpoint: "http://localhost").origin == "http://localhost")
    #expect(try place("s3://bucket", endpoint: "https://store.example:443").origin == "https://bucket.store.example")
    #expect(try place("s3://bucket", endpoint: "https://store.example", isPathStyle: true).root == "/bucket/")
    #expect(try place("s3://a.bucket").root == "/a.bucket/", "no certificate has a name for it")
    #expect(try place("s3://a.bucket", endpoint: "http://store.example").host == "a.bucket.store.example")
    #expect(try place("s3://Old_Bucket").root == "/Old_Bucket/")
    #expect(try place("s3://bucket", region: "cn-north-1").host == "bucket.s3.cn-north-1.amazonaws.com.cn")
  }

  @Test func endpointsAreRefusedWithAReason() {
    for wrong in [
      "", "store.example", "ftp://store.example", "https://", "https://store.example/path", "https://u:p@store.example",
      "https://store.example:x", "https://store.example:0", "https://store.example:70000", "https://a b", "http://:80",
    ] {
      let error = #expect(throws: VarveError.self) { try place("s3://bucket", endpoint: wrong) }
      #expect(error?.code == .invalidArgument && error?.hint != nil, "\(wrong)")
    }
  }
}
