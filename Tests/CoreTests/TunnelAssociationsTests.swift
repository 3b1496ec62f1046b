import Testing

@testable import Core

/// Which of a tunnel's SAs counts while there are several.
@Suite struct TunnelAssociationsTests {
  private func ike(_ number: UInt32, _ state: IKEAssociation.State) -> IKEAssociation {
    IKEAssociation(number: number, state: state)
  }

  private func child(_ number: UInt32, _ state: ChildAssociation.State) -> ChildAssociation {
    ChildAssociation(number: number, state: state, mode: "tunnel")
  }

  /// In whatever order charon reports them.
  private func best(_ all: (IKEAssociation, [ChildAssociation])...) -> [TunnelAssociations] {
    [all, all.reversed()].map { order in
      order.reduce(into: TunnelAssociations()) { $0.add($1.0, children: $1.1) }
    }
  }

  @Test func nothingIsDown() { #expect(!TunnelAssociations().isUp) }

  @Test func rekeyingOfTheChild() {
    for found in best((ike(1, .established), [child(4, .rekeying), child(5, .installed)])) {
      #expect(found.child?.number == 5)
      #expect(found.isUp)
    }
    for found in best((ike(1, .established), [child(5, .installed), child(4, .rekeyed)])) {
      #expect(found.child?.number == 5)
    }
    for found in best((ike(1, .established), [child(5, .installing), child(4, .rekeying)])) {
      #expect(found.child?.number == 4, "the old one carries until the new one is there")
      #expect(found.isUp)
    }
  }

  @Test func rekeyingOfTheIKESA() {
    for found in best((ike(1, .rekeyed), []), (ike(2, .established), [child(4, .installed)])) {
      #expect(found.ike?.number == 2)
      #expect(found.isUp)
    }
    for found in best((ike(1, .rekeying), [child(4, .installed)]), (ike(2, .connecting), [])) {
      #expect(found.ike?.number == 1, "it is still what authenticates")
    }
  }

  @Test func reauthenticationMakesBeforeItBreaks() {
    for found in best(
      (ike(1, .established), [child(4, .installed)]), (ike(2, .established), [child(5, .installed)]))
    {
      #expect((found.ike?.number, found.child?.number) == (2, 5))
    }
    for found in best((ike(1, .deleting), [child(4, .deleting)]), (ike(2, .established), [child(5, .installed)])) {
      #expect((found.ike?.number, found.child?.number) == (2, 5))
    }
    for found in best((ike(1, .established), [child(4, .installed)]), (ike(2, .established), [child(5, .created)])) {
      #expect((found.ike?.number, found.child?.number) == (2, 4))
      #expect(found.isUp, "the new child is not there yet, but the old one is")
    }
  }

  @Test func oneThatComesIsMoreThanOneThatGoes() {
    for found in best((ike(7, .deleting), []), (ike(3, .connecting), [])) { #expect(found.ike?.number == 3) }
    for found in best((ike(7, .connecting), []), (ike(3, .established), [])) { #expect(found.ike?.number == 3) }
  }

  @Test func everyState() {
    let carrying: Set<ChildAssociation.State> = [.installed, .updating, .rekeying]
    for state in ChildAssociation.State.allCases {
      #expect(TunnelAssociations(child: child(1, state)).isUp == carrying.contains(state), "\(state)")
    }
    let proven: Set<IKEAssociation.State> = [.established, .rekeying, .passive]
    let coming: Set<IKEAssociation.State> = [.created, .connecting]
    for state in IKEAssociation.State.allCases {
      #expect(ike(1, state).isEstablished == proven.contains(state), "\(state)")
      #expect(ike(1, state).isConnecting == coming.contains(state), "\(state)")
    }
  }
}
