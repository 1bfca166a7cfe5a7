import Testing
import VarveS3
import VarveWire

/// The examples of "Authenticating Requests: Using the Authorization Header" in the S3 API reference, and awkward
/// requests as botocore signs them.
@Suite struct SignatureTests {
  private let example = Signature(
    region: "us-east-1",
    credentials: Credentials(
      accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", source: "the example"))
  private let host = ("Host", "examplebucket.s3.amazonaws.com")
  private let seconds: Int64 = 1_369_353_600
  private let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

  private func authorization(_ headers: [(name: String, value: String)]) -> String {
    headers.last { $0.name == "Authorization" }?.value ?? ""
  }

  @Test func aGetWithARangeIsSigned() {
    let signed = example.signed(
      method: "GET", path: "/test.txt", query: [], headers: [host, ("Range", "bytes=0-9")], payloadHash: nothing,
      seconds: seconds)
    #expect(
      authorization(signed)
        == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
        + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    #expect(signed.contains { $0 == ("x-amz-date", "20130524T000000Z") })
  }

  @Test func aPutIsSigned() {
    let body = Array("Welcome to Amazon S3.".utf8)
    #expect(Signature.hash(body[...]) == "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
    let signed = example.signed(
      method: "PUT", path: "/" + PercentText.encoded("test$file.text", keepingSlashes: true), query: [],
      headers: [host, ("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
      payloadHash: Signature.hash(body[...]), seconds: seconds)
    #expect(
      authorization(signed).hasSuffix(
        "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))
  }

  @Test func queriesAreSigned() {
    func signature(_ query: [(name: String, value: String)]) -> String {
      authorization(
        example.signed(
          method: "GET", path: "/", query: query, headers: [host], payloadHash: nothing, seconds: seconds))
    }
    #expect(
      signature([("lifecycle", "")]).hasSuffix("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"))
    #expect(
      signature([("prefix", "J"), ("max-keys", "2")]).hasSuffix(
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))
  }

  /// Spaces, letters beyond ASCII, double slashes, dots, and each sign that some encode and others do not.
  @Test(arguments: [
    (
      "GET", "/a b/ü+=&@:,$/x//y/..z/~_-.!*'()", [] as [[String]],
      "a86268a46292a19c72b302edb885ad404993496bb792220c31712ad7c2fd2d0a"
    ),
    (
      "PUT", "/k", [["partNumber", "1"], ["uploadId", "a+b/c=d e"]],
      "2973875debba5db83369122149b35d51824508eccac0972d3dbb9a70cfb5a24d"
    ),
    (
      "GET", "/",
      [
        ["prefix", "p/ü q"], ["list-type", "2"], ["continuation-token", "1+/=="], ["delimiter", "/"], ["a", ""],
        ["A", "b"], ["a-b", "1"], ["a", "0"],
      ], "b5c7ac1f0961438262f0efa04c2f3718b753bc340a1506e5a0b91c8a9efd69e4"
    ),
  ])
  func awkwardRequestsAreSigned(_ method: String, _ path: String, _ query: [[String]], _ expected: String) {
    let signature = Signature(
      region: "eu-west-1",
      credentials: Credentials(accessKey: "AKID", secretKey: "sec/ret+key", sessionToken: "to/ken==", source: "a test"))
    let signed = signature.signed(
      method: method, path: PercentText.encoded(path, keepingSlashes: true), query: query.map { ($0[0], $0[1]) },
      headers: [("Host", "b.s3.eu-west-1.amazonaws.com"), ("Content-Type", "  a   b  ")],
      payloadHash: "UNSIGNED-PAYLOAD", seconds: 1_709_251_199)
    #expect(authorization(signed).hasSuffix("Signature=\(expected)"))
    #expect(signed.contains { $0 == ("x-amz-security-token", "to/ken==") })
  }
}
