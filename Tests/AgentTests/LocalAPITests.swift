import Core
import Testing

@testable import Agent

@Suite struct LocalAPITests {
  @Test(arguments: LocalAPI.Verb.allCases)
  func everyVerbIsUnderstood(_ verb: LocalAPI.Verb) throws {
    #expect(try LocalAPI.read(LocalAPI.encode(LocalAPI.Request(verb))).verb == verb)
    // The request as the first clients sent it.
    let (_, request) = try LocalAPI.read(Array("{\"schema\":1,\"verb\":\"\(verb.rawValue)\"}".utf8))
    #expect(request == LocalAPI.Request(verb))
  }

  @Test(arguments: [
    "", "{}", "[]", "{\"schema\":1}", "{\"schema\":2,\"verb\":\"status\"}", "{\"schema\":1,\"verb\":\"rm\"}",
    "{\"schema\":1,\"verb\":\"events\",\"limit\":\"all\"}",
  ])
  func anythingElseIsRefusedInWords(_ text: String) throws {
    let refusal = #expect(throws: LocalAPI.Refusal.self) { try LocalAPI.read(Array(text.utf8)) }
    #expect(refusal?.error.isEmpty == false)
    #expect(refusal?.schema == 1)
  }

  @Test func parametersAreSnakeCaseAndComeBack() throws {
    var request = LocalAPI.Request(.events)
    request.sinceSeconds = 90
    request.kinds = ["failover"]
    request.limit = 5
    let text = String(decoding: LocalAPI.encode(request), as: UTF8.self)
    #expect(text == #"{"kinds":["failover"],"limit":5,"schema":1,"since_seconds":90,"verb":"events"}"#)
    #expect(try LocalAPI.read(Array(text.utf8)).request == request)
  }

  @Test func keysAreSnakeCaseAndAnswersComeBackAsTheyWere() throws {
    let report = UplinkReport(
      interface: "wan0", tier: 1, isPrivate: false, usable: false, obstacle: "no carrier", gateway: nil)
    let text = String(decoding: LocalAPI.encode(report), as: UTF8.self)
    #expect(
      text
        == #"{"interface":"wan0","is_private":false,"obstacle":"no carrier","scouts":[],"state":"unknown","tier":1,"usable":false}"#
    )
    #expect(try LocalAPI.decode(UplinkReport.self, from: Array(text.utf8)) == report)
    let event = EventReport(
      number: 1, time: "t", kind: "failover", severity: "warning", subject: "office", text: "x",
      details: ["flip_microseconds": "12"])
    let json = String(decoding: LocalAPI.encode(event), as: UTF8.self)
    #expect(json.contains("\"flip_microseconds\":\"12\""))
    #expect(try LocalAPI.decode(EventReport.self, from: Array(json.utf8)) == event)
  }

  @Test(arguments: LocalAPI.Verb.allCases)
  func whatChangesSomethingIsForRootAlone(_ verb: LocalAPI.Verb) throws {
    try LocalAPI.check(verb, from: 0)
    guard verb.isForRoot else { return try LocalAPI.check(verb, from: 1_000) }
    let refusal = #expect(throws: LocalAPI.Refusal.self) { try LocalAPI.check(verb, from: 1_000) }
    #expect(refusal?.isDenied == true)
    #expect(
      refusal?.error == "\(verb.rawValue) changes which way traffic goes, or may go: only root may do that, not user "
        + "1000")
  }

  private func force(_ word: String?, for seconds: Double? = nil, _ reason: String? = nil) throws -> ForceRequest {
    var request = LocalAPI.Request(.force)
    request.path = "fra-a"
    request.force = word
    request.forSeconds = seconds
    request.reason = reason
    return try ForceRequest(try LocalAPI.read(LocalAPI.encode(request)).request)
  }

  @Test func aForceIsReadWithinItsBounds() throws {
    let down = try force("down", for: 7_200, "Wartung „Süd“")
    #expect(down.force == .down && down.lasting == .seconds(7_200) && down.reason == "Wartung „Süd“")
    #expect(try force("up").force == .up)
    #expect(try force("auto").force == nil)
    let bad: [(String?, Double?, String?)] = [
      (nil, nil, nil), ("", nil, nil), ("DOWN", nil, nil), ("disabled", nil, nil), ("down", 0, nil), ("down", -1, nil),
      ("down", 0.5, nil), ("down", 1e300, nil), ("down", 31_622_401, nil), ("auto", 60, nil), ("down", nil, ""),
      ("down", nil, String(repeating: "x", count: 201)), ("down", nil, "a\nb"), ("down", nil, "\u{1b}[1m"),
    ]
    for (word, seconds, reason) in bad {
      let refusal = #expect(throws: LocalAPI.Refusal.self) { try force(word, for: seconds, reason) }
      #expect(refusal?.error.unicodeScalars.contains { $0.value < 0x20 } == false)
    }
  }

  @Test func aRefusalIsThrown() {
    let refusal = LocalAPI.Refusal("busy")
    #expect(throws: refusal) { try LocalAPI.decode(StatusReport.self, from: LocalAPI.encode(refusal)) }
  }
}
