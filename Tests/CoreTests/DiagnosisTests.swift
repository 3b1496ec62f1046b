internal import RuleSets
import Testing

@testable import Core

/// Every combination of what can be known of a path that is down.
@Suite struct DiagnosisTests {
  typealias Answer = Diagnosis.Answer

  private static let hub = IPv4Address(value: 0xcb00_7102)
  private static let gateway = IPv4Address(value: 0xc633_6401)
  private static let target = IPv4Address(value: 0xc612_0009)
  private static let other = IPv4Address(value: 0xcb00_7106)
  private static let answers: [Answer?] = Answer.allCases + [nil]

  private func everything() throws -> [Diagnosis.Evidence] {
    let wan = try #require(InterfaceName("wan0"))
    let path = try #require(Name("ams-a"))
    var all: [Diagnosis.Evidence] = []
    for isTunnel in [true, false] {
      for uplink in [wan, nil] {
        for obstacle in [Diagnosis.Obstacle.uplink("no carrier"), .tunnel("bh-a is administratively down"), nil] {
          for gateway in Self.answers {
            for hub in isTunnel ? Self.answers : [nil] {
              for first in Self.answers {
                for second in Self.answers {
                  for carrying in [path, nil] {
                    for keys in ["no SA: refused", nil] {
                      all.append(
                        Diagnosis.Evidence(
                          isTunnel: isTunnel, uplink: uplink, obstacle: obstacle,
                          gateway: gateway.map { .init(Self.gateway, $0) }, hub: hub.map { .init(Self.hub, $0) },
                          internet: [(Self.target, first), (Self.other, second)].compactMap { address, answer in
                            answer.map { .init(address, $0) }
                          }, carrying: carrying, keys: keys))
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
    return all
  }

  @Test func eachCauseStandsOnItsEvidence() throws {
    var seen: [Diagnosis.Cause: Int] = [:]
    for evidence in try everything() {
      let diagnosis = Diagnosis(evidence)
      seen[diagnosis.cause, default: 0] += 1
      let internet = evidence.carrying != nil || evidence.internet.contains { $0.answer == .answers }
      let isSupported =
        switch diagnosis.cause {
        case .hubDown: evidence.hub?.answer == .silent && internet && evidence.obstacle == nil
        case .tunnelDown:
          evidence.obstacle == .tunnel("bh-a is administratively down")
            || (evidence.obstacle == nil && evidence.hub?.answer == .answers)
        case .uplinkDown:
          evidence.obstacle == .uplink("no carrier")
            || (evidence.obstacle == nil && evidence.gateway?.answer == .silent && !internet
              && evidence.hub?.answer != .answers)
        case .internetDown:
          evidence.obstacle == nil && evidence.gateway?.answer == .answers && !internet
            && evidence.hub?.answer != .answers
            && (evidence.internet.contains { $0.answer == .silent } || !evidence.isTunnel)
        case .unclear: evidence.obstacle == nil
        }
      #expect(isSupported, "\(diagnosis.summary)")
      #expect(!diagnosis.evidence.isEmpty)
      #expect(diagnosis.missing.isEmpty == (diagnosis.cause != .unclear), "\(diagnosis.summary)")
    }
    #expect(seen.count == Diagnosis.Cause.allCases.count)
  }

  @Test func anAddressThatHasNeverAnsweredDecidesNothing() throws {
    for evidence in try everything() where evidence.gateway?.answer == .unknown || evidence.hub?.answer == .unknown {
      var without = evidence
      if evidence.gateway?.answer == .unknown { without.gateway = nil }
      if evidence.hub?.answer == .unknown { without.hub = nil }
      without.internet.removeAll { $0.answer == .unknown }
      without.keys = nil
      #expect(Diagnosis(without).cause == Diagnosis(evidence).cause)
    }
  }

  @Test func oneMoreAnswerFromBehindNeverBlamesWhatIsBefore() throws {
    for evidence in try everything() where evidence.obstacle == nil && evidence.uplink != nil {
      var more = evidence
      more.internet.append(.init(Self.other, .answers))
      #expect(![.uplinkDown, .internetDown].contains(Diagnosis(more).cause))
    }
  }

  @Test func theWordsNameWhoWasAskedAndByWhat() throws {
    let wan = try #require(InterfaceName("wan0"))
    let hub = Diagnosis(
      Diagnosis.Evidence(
        isTunnel: true, uplink: wan, gateway: .init(Self.gateway, .answers), hub: .init(Self.hub, .silent),
        internet: [.init(Self.target, .answers)]))
    #expect(
      hub.summary
        == "hub_down: hub 203.0.113.2 does not answer by wan0; gateway 198.51.100.1 answers by wan0; 198.18.0.9 "
        + "answers by wan0"
    )
    let unclear = Diagnosis(
      Diagnosis.Evidence(
        isTunnel: true, uplink: wan, gateway: .init(Self.gateway, .answers), hub: .init(Self.hub, .silent)))
    #expect(
      unclear.summary
        == "unclear: hub 203.0.113.2 does not answer by wan0; gateway 198.51.100.1 answers by wan0; missing: no "
        + "target of wan0 tells whether the internet answers"
    )
    #expect(
      Diagnosis(Diagnosis.Evidence(isTunnel: true, uplink: wan, obstacle: .uplink("wan0 has no carrier"))).summary
        == "uplink_down: wan0 has no carrier")
  }
}
