import Core
import Testing

@testable import Agent

@Suite struct LocalAPITests {
  @Test(arguments: LocalAPI.Verb.allCases)
  func everyVerbIsUnderstood(_ verb: LocalAPI.Verb) {
    #expect(LocalAPI.verb(of: LocalAPI.encode(LocalAPI.Request(verb))) == .success(verb))
  }

  @Test(arguments: [
    "", "{}", "[]", "{\"schema\":1}", "{\"schema\":2,\"verb\":\"status\"}", "{\"schema\":1,\"verb\":\"rm\"}",
  ])
  func anythingElseIsRefusedInWords(_ text: String) {
    guard case .failure(let refusal) = LocalAPI.verb(of: Array(text.utf8)) else {
      Issue.record("\(text) was understood")
      return
    }
    #expect(!refusal.error.isEmpty)
    #expect(refusal.schema == 1)
  }

  @Test func keysAreSnakeCaseAndAnswersComeBackAsTheyWere() throws {
    let report = UplinkReport(
      interface: "wan0", tier: 1, isPrivate: false, usable: false, obstacle: "no carrier", gateway: nil)
    let text = String(decoding: LocalAPI.encode(report), as: UTF8.self)
    #expect(text == #"{"interface":"wan0","is_private":false,"obstacle":"no carrier","tier":1,"usable":false}"#)
    #expect(try LocalAPI.decode(UplinkReport.self, from: Array(text.utf8)) == report)
    let event = EventReport(
      number: 1, time: "t", kind: "failover", severity: "warning", subject: "office", text: "x",
      details: ["flip_microseconds": "12"])
    let json = String(decoding: LocalAPI.encode(event), as: UTF8.self)
    #expect(json.contains("\"flip_microseconds\":\"12\""))
    #expect(try LocalAPI.decode(EventReport.self, from: Array(json.utf8)) == event)
  }

  @Test func aRefusalIsThrown() {
    let refusal = LocalAPI.Refusal(schema: 1, error: "busy")
    #expect(throws: refusal) { try LocalAPI.decode(StatusReport.self, from: LocalAPI.encode(refusal)) }
  }
}
