/// In which order a map got its boxes decides which of them a packet belongs to: of two that overlap, that of the lower turn
/// has to be there first.
enum BoxOrder {
  /// Pairs of boxes to look at; beyond them everything that could matter moves.
  private static let looks = 200_000

  /// Which of the elements that stay are put in again, behind the ones that are added, in the same transaction: those that
  /// overlap one of a lower turn that is added, or that moves itself.
  ///
  /// - Parameters:
  ///   - kept: ascending by turn.
  ///   - added: likewise.
  static func moved(_ kept: [NftMap.Element], behind added: [NftMap.Element]) -> [NftMap.Element] {
    var fresh = added.compactMap(\.box)
    guard let least = fresh.first?.turn else { return [] }
    var moved: [NftMap.Element] = []
    var looks = looks
    for element in kept {
      guard let box = element.box else { continue }
      let turn = box.turn
      if turn <= least { continue }
      looks -= fresh.count
      guard looks < 0 || fresh.contains(where: { $0.turn < turn && $0.overlaps(box) }) else { continue }
      moved.append(element)
      fresh.append(box)
    }
    return moved
  }
}

extension NftMap.Element {
  fileprivate var box: PacketBox? { if case .box(let box) = key { box } else { nil } }
}
