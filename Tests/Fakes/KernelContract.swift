import Core
internal import RuleSets

/// What every kernel port must do: each case is one promise, tried on the fake and on the real kernel.
package enum KernelContract: String, CaseIterable, Sendable, CustomStringConvertible {
  case nothingOfOursInAFreshKernel
  case routeIsThereOnceHoweverOftenItIsPut
  case flipReplacesTheRouteAndLeavesTheFloor
  case sharedRouteIsReadBackAsItWas
  case sharedRouteOutlivesOneOfItsDevices
  case routeOutOfAMissingDeviceIsRefused
  case routeOutOfADownDeviceIsRefused
  case gatewayThatNoLinkReachesIsRefused
  case gatewayThatMainHasOnLinkIsFollowed
  case ipv6GatewayIsReadBackAsItWas
  case sourceAndMTUOfARouteAreReadBackAsTheyWere
  case sourceThatTheRouterHasNotIsRefused
  case deletingWhatIsGoneIsNoError
  case deviceThatGoesTakesItsRoutesAlong
  case everyFormOfRuleIsReadBackAsItWas
  case ruleIsThereOnceHoweverOftenItIsAdded
  case gotoThatLeadsBackIsRefused
  case deletingABroadRuleLeavesTheNarrowOnes
  case foreignRouteIsLeftAlone
  case foreignRuleIsLeftAlone
  case foreignDeviceIsLeftAlone
  case settingIsRememberedAndPutBack
  case everyFormOfNftTableIsReadBackAsItWas
  case nftIsReplacedWhole
  case nftThatJumpsNowhereIsRefusedWhole
  case nftThatAsksAMissingSetIsRefusedWhole
  case nftThatAsksAMissingMapIsRefusedWhole
  case nftWhoseMapLeadsNowhereIsRefusedWhole
  case nftWhoseMapLeadsToABaseChainIsRefusedWhole
  case nftThatAsksForDecryptionWhereNobodyKnowsIsRefusedWhole
  case boxesOfEveryFieldAreReadBackAsTheyWere
  case boxThatCameFirstTakesThePacket
  case boxWithACornerInAnotherIsRefused
  case thousandsOfBoxesAreReadBackAsTheyWere
  case setsChangeAndChangeAgain
  case nftChangesInPlace
  case countersOutliveWhateverChangesElsewhere
  case whatOthersFillStaysWhateverChanges
  case chainThatIsLedToIsNotDeleted
  case setThatIsAskedIsNotDeleted
  case ruleThatIsGoneIsNotDeleted
  case sharedCounterIsReadBackAndGoesOn
  case largeChangeInPlaceIsFilledBefore
  case largeNftTableIsReadBackAsItWas
  case largeSetsChangeTogetherWithTheRest
  case largeSetsChangeInPieces
  case largeSetsAreRenewed
  case whatWasLeftOfALargeChangeGoes
  case ruleThatNobodyExpectsComesAsItsText
  case pathMTUThatTheKernelLearntIsTold
  case everyDeviceThatIsThereHasCounters
  case lookupGoesByTheMark
  case lookupOfAFloorIsUnreachable
  case lookupKnowsWhereAPacketComesIn
  case lookupKnowsForeignRules
  case lookupOfTheRoutersOwnGoesAroundBelts
  case routesOfMainThatHoldAnAddressAreTold
  case mainsBetterRoutesAndWaysOutAreTold
  case whatOthersHaveInOurWayIsTold
  case foreignRulesAreToldWithAllThatTheyAskFor
  case entryThatDecidesIsTold
  case whatChainsCountIsTold
  case whoFiltersIsTold
  case whatIsSpoiltIsPutRight
  case foreignDeviceWithAnAliasLikeOursIsLeftAlone

  package var description: String { rawValue }

  package func check(on ground: some KernelGround) throws {
    switch self {
    case .nothingOfOursInAFreshKernel: try ground.nothingOfOurs()
    case .routeIsThereOnceHoweverOftenItIsPut: try ground.routePutTwice()
    case .flipReplacesTheRouteAndLeavesTheFloor: try ground.flipReplaces()
    case .sharedRouteIsReadBackAsItWas: try ground.sharedRoute()
    case .sharedRouteOutlivesOneOfItsDevices: try ground.sharedRouteLosesDevice()
    case .routeOutOfAMissingDeviceIsRefused: try ground.routeOutOfMissingDevice()
    case .routeOutOfADownDeviceIsRefused: try ground.routeOutOfDownDevice()
    case .gatewayThatNoLinkReachesIsRefused: try ground.gatewayOutOfReach()
    case .gatewayThatMainHasOnLinkIsFollowed: try ground.gatewayOnLink()
    case .ipv6GatewayIsReadBackAsItWas: try ground.ipv6Gateway()
    case .sourceAndMTUOfARouteAreReadBackAsTheyWere: try ground.routeTerms()
    case .sourceThatTheRouterHasNotIsRefused: try ground.sourceOfNobody()
    case .deletingWhatIsGoneIsNoError: try ground.deleteWhatIsGone()
    case .deviceThatGoesTakesItsRoutesAlong: try ground.deviceTakesRoutesAlong()
    case .everyFormOfRuleIsReadBackAsItWas: try ground.ruleForms()
    case .ruleIsThereOnceHoweverOftenItIsAdded: try ground.ruleAddedTwice()
    case .gotoThatLeadsBackIsRefused: try ground.backwardGoto()
    case .deletingABroadRuleLeavesTheNarrowOnes: try ground.broadRuleDeleted()
    case .foreignRouteIsLeftAlone: try ground.foreignRoute()
    case .foreignRuleIsLeftAlone: try ground.foreignRule()
    case .foreignDeviceIsLeftAlone: try ground.foreignDevice()
    case .settingIsRememberedAndPutBack: try ground.settingPutBack()
    case .everyFormOfNftTableIsReadBackAsItWas: try ground.nftForms()
    case .nftIsReplacedWhole: try ground.nftReplaced()
    case .nftThatJumpsNowhereIsRefusedWhole: try ground.jumpNowhere()
    case .nftThatAsksAMissingSetIsRefusedWhole: try ground.lookupNowhere()
    case .nftThatAsksAMissingMapIsRefusedWhole: try ground.choiceNowhere()
    case .nftWhoseMapLeadsNowhereIsRefusedWhole: try ground.mapNowhere()
    case .nftWhoseMapLeadsToABaseChainIsRefusedWhole: try ground.mapToBaseChain()
    case .nftThatAsksForDecryptionWhereNobodyKnowsIsRefusedWhole: try ground.decryptionAtOutput()
    case .boxesOfEveryFieldAreReadBackAsTheyWere: try ground.boxForms()
    case .boxThatCameFirstTakesThePacket: try ground.boxOrder()
    case .boxWithACornerInAnotherIsRefused: try ground.boxRefusals()
    case .thousandsOfBoxesAreReadBackAsTheyWere: try ground.manyBoxes()
    case .setsChangeAndChangeAgain: try ground.setsChange()
    case .nftChangesInPlace: try ground.changedInPlace()
    case .countersOutliveWhateverChangesElsewhere: try ground.countersSurvive()
    case .whatOthersFillStaysWhateverChanges: try ground.fedSetStays()
    case .chainThatIsLedToIsNotDeleted: try ground.busyChain()
    case .setThatIsAskedIsNotDeleted: try ground.busySet()
    case .ruleThatIsGoneIsNotDeleted: try ground.missingRule()
    case .sharedCounterIsReadBackAndGoesOn: try ground.sharedCounter()
    case .largeChangeInPlaceIsFilledBefore: try ground.largeChangeInPlace()
    case .largeNftTableIsReadBackAsItWas: try ground.largeNftTable()
    case .largeSetsChangeTogetherWithTheRest: try ground.largeNftTableReplaced()
    case .largeSetsChangeInPieces: try ground.largeSetsChange()
    case .largeSetsAreRenewed: try ground.largeSetsRenewed()
    case .whatWasLeftOfALargeChangeGoes: try ground.foreignSetGoes()
    case .ruleThatNobodyExpectsComesAsItsText: try ground.unexpectedRule()
    case .pathMTUThatTheKernelLearntIsTold: try ground.pathMTUTold()
    case .everyDeviceThatIsThereHasCounters: try ground.countersTold()
    case .lookupGoesByTheMark: try ground.lookupByMark()
    case .lookupOfAFloorIsUnreachable: try ground.lookupOfFloor()
    case .lookupKnowsWhereAPacketComesIn: try ground.lookupByIncoming()
    case .lookupOfTheRoutersOwnGoesAroundBelts: try ground.lookupAroundBelts()
    case .lookupKnowsForeignRules: try ground.lookupByForeignRule()
    case .routesOfMainThatHoldAnAddressAreTold: try ground.mainRoutesTold()
    case .mainsBetterRoutesAndWaysOutAreTold: try ground.sitesTold()
    case .whatOthersHaveInOurWayIsTold: try ground.foreignTold()
    case .foreignRulesAreToldWithAllThatTheyAskFor: try ground.foreignRulesTold()
    case .entryThatDecidesIsTold: try ground.entryTold()
    case .whatChainsCountIsTold: try ground.countsTold()
    case .whoFiltersIsTold: try ground.filtersTold()
    case .whatIsSpoiltIsPutRight: try ground.whatIsSpoiltIsPutRight()
    case .foreignDeviceWithAnAliasLikeOursIsLeftAlone: try ground.foreignAlias()
    }
  }
}

/// Fixed values of the contract's cases. The texts are all valid.
enum Sample {
  static func device(_ text: String) throws -> InterfaceName { try some(InterfaceName(text), text) }
  static func address(_ text: String) throws -> IPv4Address { try some(IPv4Address(text), text) }
  static func ipv6(_ text: String) throws -> IPv6Address { try some(IPv6Address(text), text) }
  static func interfaceAddress(_ text: String) throws -> InterfaceAddress { try some(InterfaceAddress(text), text) }
  static func prefix(_ text: String) throws -> IPv4Prefix { try some(IPv4Prefix(text), text) }
  static func range(_ text: String) throws -> ClosedRange<UInt32> { try prefix(text).range }

  private static func some<T>(_ value: T?, _ text: String) throws -> T {
    guard let value else { throw ContractBreach("the sample \(text) is wrong") }
    return value
  }
}
