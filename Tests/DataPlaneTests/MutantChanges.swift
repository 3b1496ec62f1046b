internal import Fakes

@testable import Core

/// In-place planners that are each wrong in one way on purpose, to measure the trials.
enum MutantChange: String, CaseIterable, CustomStringConvertible {
  case deletesChainsBeforeWhatLeadsToThem
  case deletesSetsBeforeTheRulesThatAskThem
  case addsRulesBeforeTheSetsThatTheyAsk
  case addsElementsBeforeTheChainsThatTheyLeadTo
  case addsEveryRuleAtTheEnd
  case addsRulesAfterTheOneTheyStandBefore
  case writesChangedChainsAnew
  case keepsRulesThatAreInTheWrongOrder
  case forgetsRulesThatAreNotWanted
  case forgetsElementsThatAreNotWanted
  case forgetsSetsThatAreNotWanted
  case emptiesWhatOthersFill
  case leavesAHookAsItIs
  case changesLargeSetsInTheTransaction
  case fillsSetsThatRulesStillAsk
  case makesSharedCountersAnew

  var description: String { rawValue }

  func change(_ present: NftTable, _ wanted: NftTable, _ room: Int) -> NftChange? {
    switch self {
    case .writesChangedChainsAnew:
      var unknown = present
      for index in unknown.chains.indices { unknown.chains[index].handles = [] }
      return NftChange(from: unknown, to: wanted, room: room)
    case .keepsRulesThatAreInTheWrongOrder:
      // Considers a chain unchanged if it has the same rules.
      var sorted = present
      for index in sorted.chains.indices {
        guard let chain = wanted.chains.first(where: { $0.name == sorted.chains[index].name }),
          Set(chain.rules) == Set(sorted.chains[index].rules)
        else { continue }
        sorted.chains[index].rules = chain.rules
      }
      return NftChange(from: sorted, to: wanted, room: room)
    case .leavesAHookAsItIs:
      var alike = present
      for index in alike.chains.indices {
        let chain = wanted.chains.first { $0.name == alike.chains[index].name }
        if let hook = chain?.hook { alike.chains[index].hook = hook }
      }
      return NftChange(from: alike, to: wanted, room: room)
    case .changesLargeSetsInTheTransaction: return NftChange(from: present, to: wanted, room: .max)
    default:
      guard var change = NftChange(from: present, to: wanted, room: room) else { return nil }
      change.edits = mangled(change.edits, wanted)
      return change
    }
  }

  private func mangled(_ edits: [NftEdit], _ wanted: NftTable) -> [NftEdit] {
    func first(_ isMeant: (NftEdit) -> Bool) -> [NftEdit] { edits.filter(isMeant) + edits.filter { !isMeant($0) } }
    switch self {
    case .deletesChainsBeforeWhatLeadsToThem: return first { if case .deleteChain = $0 { true } else { false } }
    case .deletesSetsBeforeTheRulesThatAskThem: return first { if case .deleteSet = $0 { true } else { false } }
    case .addsRulesBeforeTheSetsThatTheyAsk: return first { if case .addRule = $0 { true } else { false } }
    case .addsElementsBeforeTheChainsThatTheyLeadTo: return first { if case .addElements = $0 { true } else { false } }
    case .fillsSetsThatRulesStillAsk: return first { if case .fillSet = $0 { true } else { false } }
    case .addsEveryRuleAtTheEnd:
      return edits.map { edit in
        if case .addRule(let rule, let chain, _) = edit { .addRule(rule, chain: chain, before: nil) } else { edit }
      }
    case .addsRulesAfterTheOneTheyStandBefore:
      // Inserts each new rule before the same one, from last to first, so they come out in reverse.
      let added = edits.filter { if case .addRule = $0 { true } else { false } }
      return edits.filter { if case .addRule = $0 { false } else { true } } + added.reversed()
    case .forgetsRulesThatAreNotWanted: return edits.filter { if case .deleteRule = $0 { false } else { true } }
    case .forgetsElementsThatAreNotWanted: return edits.filter { if case .removeElements = $0 { false } else { true } }
    case .forgetsSetsThatAreNotWanted: return edits.filter { if case .deleteSet = $0 { false } else { true } }
    case .emptiesWhatOthersFill:
      return edits + wanted.sets.filter(\.isFed).map { .fillSet($0, isThere: true) }
    case .makesSharedCountersAnew:
      return wanted.counters.map { .deleteCounter($0) } + edits + wanted.counters.map { .addCounter($0) }
    default: return edits
    }
  }
}
